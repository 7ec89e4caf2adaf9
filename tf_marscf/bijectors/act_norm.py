"""Activation normalisation."""

import tensorflow as tf

from tf_marscf.bijectors.image_bijector import ImageBijector, num_pixels
from tf_marscf.networks.glow_layers import act_norm_parameters


class ActNorm(ImageBijector):
    """A shift and a scale for each channel (Glow, Section 3.1).

        y = (x + bias) * exp(log_scale),      log|det| = H * W * sum(log_scale)

    It starts as the identity. `initialize(x)` sets it from a batch: `bias = -mean`,
    `log_scale = -log(std + 1e-6)`, so that every channel of `y` has zero mean and unit variance;
    but a channel that is constant keeps its scale. `FlowStep` computes it together with the 1x1
    convolution that follows.

    Args:
        num_channels: C.
        dtype: float dtype.
        validate_args: Python `bool`.
        name: Python `str`.
    """

    def __init__(self, num_channels, dtype=tf.float32, validate_args=False, name="act_norm"):
        parameters = dict(locals())
        with tf.name_scope(name) as name:
            self.bias = tf.Variable(tf.zeros([num_channels], dtype), name="bias")
            self.log_scale = tf.Variable(tf.zeros([num_channels], dtype), name="log_scale")
            super().__init__(
                num_channels,
                dtype=dtype,
                is_constant_jacobian=True,
                parameters=parameters,
                validate_args=validate_args,
                name=name,
            )

    def _initialize(self, x, constant_channels):
        bias, log_scale, is_constant = act_norm_parameters(x)
        self.bias.assign(bias)
        self.log_scale.assign(log_scale)
        constant_channels.add(is_constant)
        return super()._initialize(x, constant_channels)

    def _forward_and_log_det(self, x, dropout_seed=None):
        y = (x + self.bias) * tf.exp(self.log_scale)
        return y, num_pixels(x) * tf.reduce_sum(self.log_scale)

    def _inverse_and_log_det(self, y, dropout_seed=None):
        x = y * tf.exp(-self.log_scale) - self.bias
        return x, -num_pixels(y) * tf.reduce_sum(self.log_scale)
