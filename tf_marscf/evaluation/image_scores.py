"""What a model says of each image of a data set."""

import dataclasses
import math

import numpy as np
import tensorflow as tf

from tf_marscf.distributions.bits_per_dim import bits_per_dim, importance_weighted_bound
from tf_marscf.distributions.labels import checked_label
from tf_marscf.errors import InputError, RunError
from tf_marscf.kernels.choices import is_compiled
from tf_marscf.kernels.compiled_by_xla import whole_by_xla
from tf_marscf.stateless_seed import split_seed, stateless_seed


@dataclasses.dataclass(frozen=True)
class ImageScores:
    """Scores of N images, in bits/dim: more bits are less probable images.

    Attributes:
        terms: [2 L + 1, N]: log-dets by level, log-priors by level, and what the bound over many
            draws gains over the mean over draws; [2 L + 2, N] with that of a dequantizer's log q
            before the last. With the bits of a grey level they add up to `bits_per_dim` [N]; of a
            model with classes, that is of log P(k | y), y the label.
        num_levels: L.
        grey_levels: the bits of a grey level, log2(num_grey_levels).
        num_samples: S, draws of noise an image.
        labels: y, int64 [N]; None for a model without classes.
        class_log_probs: log P(k | y) of each class y, in nats [N, num_classes], or None.
    """

    terms: np.ndarray
    num_levels: int
    grey_levels: float
    num_samples: int
    labels: np.ndarray = None
    class_log_probs: np.ndarray = None

    @property
    def bits_per_dim(self):
        """Of each image [N]."""
        return self.terms.sum(axis=0) + self.grey_levels


def score_images(images_distribution, batches, num_samples=1, seed=0, jit_compile="auto"):
    """The `ImageScores` of all images of a data set, as of `evaluate_bits_per_dim`.

    Of a model with classes, log P(k | y) of all classes comes from the same noise.
    """
    if num_samples < 1:
        raise InputError(f"`num_samples` must be an integer >= 1; got {num_samples!r}.")
    model = images_distribution.distribution
    graph, parts, labels = None, [], []
    for batch, examples in enumerate(batches):
        pixels, *label = examples if isinstance(examples, tuple) else (examples,)
        # Here, because no check is made where XLA compiles.
        label = [checked_label(one, model.num_classes, model.name) for one in label]
        labels += label
        # One graph for all: a smaller batch, the last one, is filled up.
        graph = graph or _scores_graph(images_distribution, len(pixels), num_samples, jit_compile)
        parts.append(graph(pixels, tf.constant([seed, batch]), *label))
    nats, *class_log_probs = (np.concatenate(part, axis=-1) for part in zip(*parts, strict=True))
    num_dimensions = images_distribution.num_dimensions
    log_volume = images_distribution.scaling.log_volume(num_dimensions)
    scores = ImageScores(
        terms=bits_per_dim(nats, num_dimensions),
        num_levels=len(model.levels),
        grey_levels=math.log2(images_distribution.num_grey_levels),
        num_samples=num_samples,
        labels=np.concatenate(labels) if labels else None,
        class_log_probs=class_log_probs[0].T + log_volume if class_log_probs else None,
    )
    totals = scores.bits_per_dim
    num_wrong = int(np.sum(~np.isfinite(totals)))
    if num_wrong:
        raise RunError(f"bits/dim of {num_wrong} of {len(totals)} images is not finite.")
    return scores


def _scores_graph(images_distribution, size, num_samples, jit_compile):
    """A graph: at most `size` images and a seed -> log-dets, log-priors and what the bound gains.

    Before the last comes -log q of a dequantizer, if there is one. These are in nats, float64
    [2 L + 1, N] or [2 L + 2, N]. Of a model with classes there is a label, too, and a second
    result, the log-density given each class, [num_classes, N]. The noise is that of
    `images_distribution.log_prob`.
    """
    model, event_shape = images_distribution.distribution, images_distribution.event_shape
    num_levels, has_classes = len(model.levels), images_distribution.num_classes is not None
    signature = [tf.TensorSpec([None, *event_shape], tf.uint8), tf.TensorSpec([2], tf.int32)]
    has_dequantizer = images_distribution.dequantizer is not None
    specs = [tf.TensorSpec([2 * num_levels + has_dequantizer, size], tf.float64)]
    if has_classes:
        signature.append(tf.TensorSpec([None], tf.int64))
        specs.append(tf.TensorSpec([images_distribution.num_classes, size], tf.float64))

    def densities(noise, pixels, label):
        """The terms [.., size] of one draw; with classes, log-densities [num_classes, size], too.

        This is what XLA may compile: of one size always, so that it does so once.
        """
        images, log_noise_prob = images_distribution.dequantize_with(noise, pixels)
        noise_terms = [-log_noise_prob] if has_dequantizer else []
        if not has_classes:
            log_priors, log_dets = model.log_prob_parts(images)
            return (tf.cast(tf.stack([*log_dets, *log_priors, *noise_terms]), tf.float64),)
        of_classes, log_dets = model.class_log_prob_parts(images)
        log_priors = [tf.gather(part, label, batch_dims=1) for part in of_classes]
        terms = tf.cast(tf.stack([*log_dets, *log_priors, *noise_terms]), tf.float64)
        log_priors_of_classes = tf.transpose(tf.cast(tf.add_n(of_classes), tf.float64))
        of_all_classes = tf.add_n([*log_dets, *noise_terms])
        return terms, log_priors_of_classes + tf.cast(of_all_classes, tf.float64)

    densities_of_batch = whole_by_xla(densities, is_compiled(jit_compile))

    @tf.function(input_signature=signature, autograph=False)
    def scores(pixels, seed, label=None):
        num_images = tf.shape(pixels)[0]
        if has_classes:
            label = tf.ensure_shape(tf.pad(label, [[0, size - num_images]]), [size])

        def pad(maps):
            """To a static size: only such batches are computed in parts (`batch_parts.py`)."""
            maps = tf.pad(maps, [[0, size - num_images], [0, 0], [0, 0], [0, 0]])
            return tf.ensure_shape(maps, [size, *event_shape])

        def score(draw_seed):
            noise = images_distribution.noise(pixels, draw_seed)
            return densities_of_batch(*map(pad, (noise, pixels)), label)

        draws, *draws_of_classes = tf.map_fn(
            score,
            tf.stack(split_seed(stateless_seed(seed), num_samples)),
            fn_output_signature=tuple(specs),
            parallel_iterations=1,
        )
        draws = draws[..., :num_images]
        means = tf.reduce_mean(draws, axis=0)
        bound = importance_weighted_bound(tf.reduce_sum(draws, axis=1))
        gain = bound - tf.reduce_sum(means, axis=0)
        of_classes = [
            importance_weighted_bound(part)[..., :num_images] for part in draws_of_classes
        ]
        return tf.concat([means, gain[tf.newaxis]], axis=0), *of_classes

    return scores
