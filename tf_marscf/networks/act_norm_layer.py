"""Activation normalisation inside a network."""

import keras
import tensorflow as tf


def act_norm_parameters(maps):
    """The shift and scale that give every channel zero mean and unit variance.

    `bias = -mean` and `log_scale = -log(std + 1e-6)`, over all axes but the last (Glow, Section
    3.1; the published code's constant).

    Args:
        maps: [..., C], a batch.

    Returns:
        `(bias, log_scale)`, each [C].
    """
    mean, variance = tf.nn.moments(maps, axes=list(range(maps.shape.rank - 1)))
    return -mean, -tf.math.log(tf.sqrt(variance) + 1e-6)


class ActNormLayer(keras.layers.Layer):
    """`y = (x + bias) * exp(log_scale)`, one pair a channel."""

    def build(self, input_shape):
        """Creates the weights, zeros: the identity."""
        shape = (input_shape[-1],)
        self.bias = self.add_weight(shape=shape, initializer="zeros", name="bias")
        self.log_scale = self.add_weight(shape=shape, initializer="zeros", name="log_scale")
        self.built = True

    def initialize(self, maps):
        """Sets the weights from a batch so that the output has zero mean and unit variance."""
        bias, log_scale = act_norm_parameters(tf.cast(maps, self.variable_dtype))
        self.bias.assign(bias)
        self.log_scale.assign(log_scale)

    def call(self, maps):
        """Shifts and scales [..., C]."""
        return (maps + self.bias) * tf.exp(self.log_scale)
