"""What the page does with a model, without the page."""

import dataclasses
import functools

import numpy as np
import tensorflow as tf

from tf_marscf.distributions.bits_per_dim import bits_per_dim
from tf_marscf.distributions.density_maps import bits_per_dim_maps
from tf_marscf.distributions.labels import checked_label
from tf_marscf.errors import InputError, RunError
from tf_marscf.interpolation.interpolation import Interpolator, linear_latents
from tf_marscf.interpolation.interpolation_config import ProjectionConfig
from tf_marscf.kernels.choices import is_compiled
from tf_marscf.rules import integer
from tf_marscf.sampling.sample_config import check_sampling_arguments
from tf_marscf.sampling.sample_graph import SampleGraph
from tf_marscf.sampling.sample_stream import SampleBatch, check_num_finite, joined

MAX_NUM_SAMPLES = 64
NUM_POINTS = 17  # Of a path, the two images included.
_BATCH_SIZE = 8
_NOISE_SEED = 0  # Of an image's bits/dim: one draw, always the same.
_check_count = integer(1, MAX_NUM_SAMPLES)


@dataclasses.dataclass(frozen=True)
class Path:
    """Images on the way from one to another.

    Attributes:
        images: uint8 [T, H, W, C].
        bits_per_dim: the density of each as bits/dim [T], as `Dequantized` counts them; or None.
    """

    images: np.ndarray
    bits_per_dim: np.ndarray = None


@dataclasses.dataclass(frozen=True)
class ImageScore:
    """What a model says of an image.

    Attributes:
        bits_per_dim: of the image; of a model with classes, given its label.
        maps: its parts by pixel, float64 [L + 1, H, W], as of `bits_per_dim_maps`; or None.
        label: of a model with classes: that which was given, or the most probable one.
        label_probability: of the label by Bayes' rule, all classes being equally probable before;
            None where the label was given, or there are no classes.
    """

    bits_per_dim: float
    maps: np.ndarray = None
    label: int = None
    label_probability: float = None


class Explorer:
    """Samples, paths and scores of a model; each graph is traced when it is first used, once.

    Args:
        images_distribution: a `Dequantized` of a `MarScf`.
        jit_compile: as of `CompilationConfig`.

    Attributes:
        lacks: what the page cannot do, a dict from names of features to sentences: empty.
    """

    lacks = {}

    def __init__(self, images_distribution, jit_compile="auto"):
        self._images_distribution = images_distribution
        self._model = images_distribution.distribution
        self._jit_compile = jit_compile

    @property
    def image_shape(self):
        """(H, W, C)."""
        return tuple(self._images_distribution.event_shape)

    @property
    def num_levels(self):
        """L."""
        return len(self._model.levels)

    @property
    def num_grey_levels(self):
        """Number of grey levels."""
        return self._images_distribution.num_grey_levels

    @property
    def num_classes(self):
        """Classes of the model; None for none."""
        return self._images_distribution.num_classes

    @property
    def has_even_log_dets(self):
        """Whether log-dets are the same for all pixels, as those of residual blocks are in maps."""
        return self._model.config.coupling == "residual"

    def sample(self, num_samples, seeds, temperature=1.0, label=None, on_batch=None):
        """Draws samples 0 to `num_samples - 1`.

        Args:
            num_samples: at most `MAX_NUM_SAMPLES`.
            seeds: one for all levels, or one a level, that of level 1 first; see `SampleGraph`.
            temperature: a number, or one a level.
            label: of a model with classes, that of all samples; None: sample i is one of class
                i mod num_classes.
            on_batch: called with the number of samples so far, and `num_samples`.

        Returns:
            A `SampleBatch`. Samples that are not finite are left out.

        Raises:
            InputError: if an argument is wrong.
            RunError: if no sample is finite.
        """
        seeds = list(seeds) if isinstance(seeds, list | tuple) else [seeds] * self.num_levels
        _check_count(num_samples, "`num_samples`")
        check_sampling_arguments(temperature=temperature)
        for seed in seeds:
            check_sampling_arguments(seed=seed)
        if len(seeds) != self.num_levels:
            raise InputError(f"`seeds` must be one a level, {self.num_levels}; got {len(seeds)}.")
        if label is not None:
            checked_label(label, self.num_classes, self._model.name)
        batches = []
        for start in range(0, num_samples, _BATCH_SIZE):
            if on_batch is not None:
                on_batch(start, num_samples)
            indices = np.arange(start, start + _BATCH_SIZE)
            labels = self._labels(indices, label)
            images, is_finite = self._sample_graph(seeds, indices, temperature, labels)
            is_kept = is_finite & (indices < num_samples)
            batches.append(
                SampleBatch(
                    images=images[is_kept],
                    indices=indices[is_kept],
                    num_non_finite=int(np.sum(~is_finite & (indices < num_samples))),
                    labels=None if labels is None else labels[is_kept],
                )
            )
        batch = joined(batches)
        check_num_finite(len(batch.images), num_samples, report=lambda line: None)
        return batch

    def draw_level_again(self, num_samples, seed, level, new_seed, **arguments):
        """The samples of a seed, with the noise of one level, from 1 on, of another seed.

        The noise of all other levels stays. Further arguments, result and errors are those of
        `sample`.
        """
        integer(1, self.num_levels)(level, "`level`")
        seeds = [seed] * self.num_levels
        seeds[level - 1] = new_seed
        return self.sample(num_samples, seeds, **arguments)

    def path(self, first, second, labels=None):
        """The `Path` that is straight between the latents of two images, uint8 [H, W, C] each.

            z(t) = (1 - t) z_A + t z_B,     t = 0, 1 / (T - 1), ... 1,     T = NUM_POINTS

        Latents are those of the middle of each grey level, so that the path ends in the very
        images. Of a model with classes, `labels` are theirs, two; a point has that of the nearer.

        Raises:
            RunError: if a point is not finite.
        """
        latents = self._encode(np.stack([first, second]))
        positions = np.linspace(0.0, 1.0, NUM_POINTS)
        points = linear_latents([maps[np.newaxis] for maps in latents], positions)
        nearer = (positions > 0.5).astype(int)
        of_class = self._label_tensor(None if labels is None else np.int32(labels)[nearer])
        images, log_prob, is_finite = self._decode([maps[0] for maps in points], *of_class)
        if not np.all(is_finite):
            raise RunError(
                f"{np.sum(~is_finite)} of {NUM_POINTS} points of the path are not finite."
            )
        return Path(images, self._density_bits(log_prob))

    def projected_path(self, first, second, labels=None, on_iteration=None):
        """The `Path` of Eq. 11 between two images: as `path`, moved to where the prior is denser.

        `on_iteration` is called with the number of iterations so far, and of all. `RunError` if a
        number is not finite.
        """
        config = ProjectionConfig()
        ends = [self._continuous(image[np.newaxis]) for image in (first, second)]
        labels = None if labels is None else [labels]
        interpolator = Interpolator(
            self._model, *ends, NUM_POINTS - 2, labels, jit_compile=self._jit_compile
        )
        count = iter(range(1, config.num_iterations + 1))

        def report():
            if on_iteration is not None:
                on_iteration(next(count), config.num_iterations)

        points = interpolator.interpolate(config, report).projected
        images = self._images_distribution.scaling.grey_levels(points.images[0]).numpy()
        return Path(images, self._density_bits(points.log_prob[0]))

    def score(self, image, label=None):
        """The `ImageScore` of an image, uint8 [H, W, C], with one fixed draw of noise.

        Raises:
            InputError: if the label is none of the model's.
            RunError: if bits/dim are not finite.
        """
        pixels = tf.constant(image[np.newaxis])
        probability = None
        if label is None and self.num_classes is not None:
            log_probs = self._class_log_probs(pixels).numpy()[0].astype(np.float64)
            label = int(np.argmax(log_probs))
            probability = 1.0 / float(np.sum(np.exp(log_probs - log_probs[label])))
        of_class = self._label_tensor(None if label is None else np.int32([label]))
        maps = self._maps(pixels, *of_class).numpy()[:, 0].astype(np.float64)
        total = float(maps.sum())
        if not np.isfinite(total):
            raise RunError("the bits/dim of this image are not finite.")
        return ImageScore(total, maps, label, probability)

    def _labels(self, indices, label):
        if self.num_classes is None:
            return None
        labels = indices % self.num_classes if label is None else np.full(len(indices), label)
        return labels.astype(np.int32)

    def _label_tensor(self, labels):
        """A list with the checked labels of images; an empty one for a model without classes."""
        labels = checked_label(labels, self.num_classes, self._model.name)
        return [] if labels is None else [labels]

    def _continuous(self, pixels):
        middle = tf.fill(pixels.shape, tf.constant(0.5, self._model.dtype))
        return self._images_distribution.scaling.continuous(pixels, middle)

    def _density_bits(self, log_prob):
        size, num_grey_levels = self._images_distribution.num_dimensions, self.num_grey_levels
        return bits_per_dim(np.float64(log_prob), size, num_grey_levels)

    @functools.cached_property
    def _sample_graph(self):
        return SampleGraph(self._images_distribution, _BATCH_SIZE, self._jit_compile)

    def _graph(self, function):
        return tf.function(function, autograph=False, jit_compile=is_compiled(self._jit_compile))

    @functools.cached_property
    def _encode_graph(self):
        return self._graph(lambda pixels: self._model.latents(self._continuous(pixels)))

    def _encode(self, pixels):
        return [maps.numpy() for maps in self._encode_graph(tf.constant(pixels))]

    @functools.cached_property
    def _decode_graph(self):
        def decode(latents, label=None):
            images, log_priors, log_dets = self._model.decode_with_log_prob_parts(latents, label)
            log_prob = tf.add_n([*log_priors, *log_dets])
            is_finite = tf.reduce_all(tf.math.is_finite(images), axis=[1, 2, 3])
            is_finite &= tf.math.is_finite(log_prob)
            return self._images_distribution.scaling.grey_levels(images), log_prob, is_finite

        return self._graph(decode)

    def _decode(self, latents, *label):
        latents = [tf.constant(maps) for maps in latents]
        return [values.numpy() for values in self._decode_graph(latents, *label)]

    @functools.cached_property
    def _class_log_probs(self):
        return self._graph(
            lambda pixels: self._images_distribution.class_log_probs(pixels, seed=_NOISE_SEED)
        )

    @functools.cached_property
    def _maps(self):
        return self._graph(
            lambda pixels, label=None: bits_per_dim_maps(
                self._images_distribution, pixels, _NOISE_SEED, label
            )
        )
