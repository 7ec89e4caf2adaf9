"""Layers of Glow's networks: ActNorm, and a convolution that starts as zero."""

import keras
import numpy as np
import tensorflow as tf

from tf_marscf.kernels.convolution import convolve

_EPSILON = 1e-6  # The published code's.
_ROUNDING = 64.0  # Units of the last place of a mean: what a constant may seem to vary by.
_LOG_SCALE_FACTOR = 3.0  # Glow's choice, and the published code's.


def act_norm_parameters(maps):
    """The shift and scale that give every channel zero mean and unit variance.

    `bias = -mean` and `log_scale = -log(std + 1e-6)`, over all axes but the last (Glow, Section
    3.1; the published code's constant). A channel that is constant says nothing about its scale,
    which stays 1: the rule would give 1e6, for rounding errors. So log-scales are below 13.2.

    Args:
        maps: [..., C], a batch.

    Returns:
        `(bias, log_scale, is_constant)`, each [C]; the last `bool`: where nothing varies by more
        than 1e-6 or the rounding of the mean.
    """
    mean, variance = tf.nn.moments(maps, axes=list(range(maps.shape.rank - 1)))
    deviation = tf.sqrt(variance)
    rounding = _ROUNDING * np.finfo(maps.dtype.as_numpy_dtype).eps * tf.abs(mean)
    is_constant = deviation <= tf.maximum(rounding, _EPSILON)
    log_scale = -tf.math.log(deviation + _EPSILON)
    return -mean, tf.where(is_constant, tf.zeros_like(log_scale), log_scale), is_constant


class ActNormLayer(keras.layers.Layer):
    """`y = (x + bias) * exp(log_scale)`, one pair a channel."""

    def build(self, input_shape):
        """Creates the weights, zeros: the identity."""
        shape = (input_shape[-1],)
        self.bias = self.add_weight(shape=shape, initializer="zeros", name="bias")
        self.log_scale = self.add_weight(shape=shape, initializer="zeros", name="log_scale")
        self.built = True

    def initialize(self, maps):
        """Sets the weights from a batch so that the output has zero mean and unit variance.

        Returns:
            `bool` [C]: which channels are constant, and keep their scale.
        """
        maps = tf.cast(maps, self.variable_dtype)
        bias, log_scale, is_constant = act_norm_parameters(maps)
        self.bias.assign(bias)
        self.log_scale.assign(log_scale)
        return is_constant

    def call(self, maps):
        """Shifts and scales [..., C]."""
        bias, log_scale = tf.convert_to_tensor(self.bias), tf.convert_to_tensor(self.log_scale)
        return (maps + bias) * tf.exp(log_scale)


class ZeroInitConv2D(keras.layers.Layer):
    """`(conv(x) + bias) * exp(3 * log_scale)`, all weights zero at the start (Glow, Section 3.3).

    A network that ends in it starts as the zero function, so that a coupling starts near the
    identity.

    Args:
        filters: number of output channels.
        kernel_size: odd `int`.
    """

    def __init__(self, filters, kernel_size=3, *, dtype=None, name=None):
        super().__init__(dtype=dtype, name=name)
        self.filters = filters
        self.kernel_size = kernel_size

    def build(self, input_shape):
        """Creates the weights for [..., C] inputs."""
        size = self.kernel_size
        self.kernel = self.add_weight(
            shape=(size, size, input_shape[-1], self.filters), initializer="zeros", name="kernel"
        )
        self.bias = self.add_weight(shape=(self.filters,), initializer="zeros", name="bias")
        self.log_scale = self.add_weight(
            shape=(self.filters,), initializer="zeros", name="log_scale"
        )
        self.built = True

    def scaled_weights(self):
        """`(kernel, bias)` of the plain convolution that this layer is."""
        scale = tf.exp(_LOG_SCALE_FACTOR * tf.convert_to_tensor(self.log_scale))
        return tf.convert_to_tensor(self.kernel) * scale, tf.convert_to_tensor(self.bias) * scale

    def call(self, maps):
        """[N, H, W, C] -> [N, H, W, filters]."""
        kernel, bias = self.scaled_weights()
        return tf.nn.bias_add(convolve(maps, kernel), bias)
