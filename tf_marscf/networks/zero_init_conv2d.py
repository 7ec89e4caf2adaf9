"""A convolution that starts as zero."""

import keras
import tensorflow as tf

from tf_marscf.kernels.convolution import convolve

_LOG_SCALE_FACTOR = 3.0  # Glow's choice, and the published code's.


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
