"""The Keras model around the distribution."""

import keras
import tensorflow as tf

from tf_marscf.stateless_seed import split_seed

# Evaluation noise is the same in every epoch, so that its figures can be compared.
_EVALUATION_SEED = 20200620


class DensityTrainer(keras.Model):
    """Trains a `Dequantized` distribution by gradient descent on bits/dim, with `fit`.

    `compile` it with an optimizer only. A step draws its dequantization noise and dropout masks
    from (seed, step): a resumed run sees those of an unbroken one. The gradient is shortened to
    `clip_norm`. A loss or gradient that is not finite raises `InvalidArgumentError` before any
    weight changes.

    Args:
        images_distribution: a `Dequantized` around a `MarScf`.
        clip_norm: greatest norm of the gradient of bits/dim.
        seed: Python `int`.
        name: Python `str`.
    """

    def __init__(self, images_distribution, clip_norm=1.0, seed=0, name="density_trainer"):
        super().__init__(name=name)
        # Behind a function: Keras would try to track a distribution that it does not know.
        self._get_distribution = lambda: images_distribution
        self._clip_norm = clip_norm
        self._seed = seed
        self._bits_per_dim = keras.metrics.Mean(name="bits_per_dim")
        self._gradient_norm = keras.metrics.Mean(name="gradient_norm")
        self._evaluation_batch = keras.metrics.Sum(name="evaluation_batch", dtype="int32")
        self.built = True

    @property
    def images_distribution(self):
        """The distribution of uint8 images."""
        return self._get_distribution()

    @property
    def metrics(self):
        """What `fit` resets at the start of each epoch."""
        return [self._bits_per_dim, self._gradient_norm, self._evaluation_batch]

    def train_step(self, pixels):
        """One step of gradient descent on a batch of uint8 images [N, H, W, C]."""
        variables = self.images_distribution.trainable_variables
        noise_seed, dropout_seed = split_seed(
            tf.stack([self._seed, tf.cast(self.optimizer.iterations, tf.int32)]), 2
        )
        with tf.GradientTape() as tape:
            bits_per_dim = self.images_distribution.bits_per_dim(
                pixels, seed=noise_seed, dropout_seed=dropout_seed
            )
            loss = tf.reduce_mean(bits_per_dim)
        gradients = tape.gradient(loss, variables)
        gradients, norm = tf.clip_by_global_norm(gradients, self._clip_norm)
        checks = [
            tf.debugging.check_numerics(loss, "The loss is not finite"),
            tf.debugging.check_numerics(norm, "The gradient is not finite"),
        ]
        with tf.control_dependencies(checks):
            self.optimizer.apply_gradients(zip(gradients, variables, strict=True))
        self._bits_per_dim.update_state(bits_per_dim)
        self._gradient_norm.update_state(norm)
        return {
            "bits_per_dim": self._bits_per_dim.result(),
            "gradient_norm": self._gradient_norm.result(),
        }

    def test_step(self, pixels):
        """Adds a batch of uint8 images to the mean bits/dim of an evaluation."""
        batch = tf.cast(self._evaluation_batch.result(), tf.int32)
        bits_per_dim = self.images_distribution.bits_per_dim(
            pixels, seed=tf.stack([_EVALUATION_SEED, batch])
        )
        self._bits_per_dim.update_state(bits_per_dim)
        self._evaluation_batch.update_state(1)
        return {"bits_per_dim": self._bits_per_dim.result()}
