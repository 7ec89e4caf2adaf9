"""A batch of numbered samples as one graph, for any seeds."""

import tensorflow as tf

from tf_marscf.distributions.sampling_arguments import temperature_by_level
from tf_marscf.kernels.choices import is_compiled
from tf_marscf.stateless_seed import fold_in, split_seed, stateless_normal, stateless_seed


class SampleGraph:
    """Samples of one batch size: traced once, for all seeds, numbers and temperatures.

        image_i = grey_levels(decode_noise(temperature_j * noise_(j, i) of each level j))

    noise_(j, i) ~ Normal(0, 1), of level j and sample i, is a function of the level's seed, i and
    j, and of nothing else. One seed for all levels gives the samples of `SampleStream`. With
    another seed for one level, and the others as they were, that level is drawn again while the
    noise of the others stays: what changes in the image is what that level decides.

    Args:
        images_distribution: a `Dequantized` of a `MarScf`.
        batch_size: samples of a call.
        jit_compile: as of `CompilationConfig`.

    Attributes:
        function: the `tf.function`, of the arguments of a call, as tensors.
    """

    def __init__(self, images_distribution, batch_size, jit_compile="auto"):
        self._images_distribution = images_distribution
        self._model = images_distribution.distribution
        self._num_levels = len(self._model.levels)
        labels = [tf.TensorSpec([batch_size], tf.int32)]
        self.function = tf.function(
            self._draw,
            input_signature=[
                tf.TensorSpec([self._num_levels, 2], tf.int32),
                tf.TensorSpec([batch_size], tf.int32),
                tf.TensorSpec([self._num_levels], self._model.dtype),
                *([] if images_distribution.num_classes is None else labels),
            ],
            autograph=False,
            jit_compile=is_compiled(jit_compile),
        )

    def __call__(self, seeds, indices, temperature=1.0, labels=None):
        """Draws samples.

        Args:
            seeds: one a level, that of level 1 first, each as of `stateless_seed`.
            indices: the samples' numbers, int32 [batch_size].
            temperature: a number or one a level, scales of the noise.
            labels: of a model with classes, those of the samples, int32 [batch_size].

        Returns:
            `(images, is_finite)`, NumPy arrays: grey levels, uint8 [batch_size, H, W, C], and
            whether all values of a sample are finite before they are rounded, [batch_size].
        """
        temperatures = temperature_by_level(temperature, self._num_levels)
        images, is_finite = self.function(
            tf.stack([stateless_seed(seed) for seed in seeds]),
            tf.constant(indices, tf.int32),
            tf.constant(temperatures, self._model.dtype),
            *([] if labels is None else [labels]),
        )
        return images.numpy(), is_finite.numpy()

    def _draw(self, seeds, indices, temperatures, label=None):
        model = self._model
        shapes = [level.latent_prior.event_shape for level in model.levels]

        def noise_of(index):
            # Of the seeds that a number gives, level j has the j-th.
            by_level = [
                split_seed(fold_in(seed, index), len(shapes))[level]
                for level, seed in enumerate(tf.unstack(seeds))
            ]
            return tuple(
                stateless_normal(shape, seed, model.dtype)
                for shape, seed in zip(shapes, by_level, strict=True)
            )

        noise = tf.map_fn(
            noise_of,
            indices,
            fn_output_signature=tuple(tf.TensorSpec(shape, model.dtype) for shape in shapes),
        )
        of_class = {} if label is None else {"label": label}
        scales = tf.unstack(temperatures)
        values = model.decode_noise(
            [scale * maps for scale, maps in zip(scales, noise, strict=True)], **of_class
        )
        is_finite = tf.reduce_all(tf.math.is_finite(values), axis=[1, 2, 3])
        return self._images_distribution.scaling.grey_levels(values), is_finite
