"""What a mAR prior's network adds to, so that it starts as Glow's prior."""

import keras
import tensorflow as tf

from tf_marscf.networks.glow_layers import ZeroInitConv2D


class GaussianStart(keras.layers.Layer):
    """Mean and log-scale of Glow's prior, which know r alone.

    They are the even and the odd channels of a zero-initialised 3x3 convolution of r; without r,
    one learned pair a channel. Either way they start as zeros.

    Args:
        num_channels: of the latent map.
        num_conditional_channels: channels of r, or 0 for none.
    """

    def __init__(self, num_channels, num_conditional_channels, *, dtype=None, name=None):
        super().__init__(dtype=dtype, name=name)
        self.num_channels = num_channels
        self.num_conditional_channels = num_conditional_channels
        self.convolution = None
        if num_conditional_channels:
            self.convolution = ZeroInitConv2D(
                2 * num_channels, dtype=self.dtype_policy, name="convolution"
            )

    def build(self, input_shape=None):
        """Creates the weights."""
        if self.num_conditional_channels:
            self.convolution.build((None, None, None, self.num_conditional_channels))
        else:
            self.mean_and_log_scale = self.add_weight(
                shape=(2 * self.num_channels,), initializer="zeros", name="mean_and_log_scale"
            )
        self.built = True

    def call(self, latents, conditional_input=None):
        """`(mean, log_scale)`, each of the shape of `latents`, whose values are not read."""
        if conditional_input is None:
            outputs = tf.convert_to_tensor(self.mean_and_log_scale)
        else:
            outputs = self.convolution.call(conditional_input)
        return tuple(
            tf.broadcast_to(tf.cast(outputs[..., part::2], latents.dtype), tf.shape(latents))
            for part in (0, 1)
        )
