"""Glow's prior, the baseline."""

import tensorflow as tf

from tf_marscf.distributions.image_distribution import no_parameter_properties
from tf_marscf.distributions.latent_prior import LatentPrior
from tf_marscf.networks.bounded_log_scale import bounded_log_scale
from tf_marscf.networks.glow_layers import ZeroInitConv2D
from tf_marscf.networks.keras_module import KerasModule, network_policy


class GaussianPrior(LatentPrior):
    """All elements of l are independent given r (Glow's split prior).

    Mean and log-scale are the even and odd channels of a zero-initialised 3x3 convolution of r.
    Without r they are one learned pair a channel. Either way it starts as a standard normal. With a
    `max_log_scale` M, log-scales become `M tanh(log_scale / M)`.

    Args:
        event_shape: (H, W, C) of l.
        num_conditional_channels: C_r, channels of r, or 0 at the last level.
        max_log_scale: M > 0, or None.
        dtype: float dtype.
        network_dtype: "bfloat16": the network of a density computes in it, all else, samples
            included, in `dtype`; or None.
        validate_args: Python `bool`: check at run time that values are finite.
        name: Python `str`.
    """

    _parameter_properties = no_parameter_properties

    def __init__(
        self,
        event_shape,
        num_conditional_channels=0,
        max_log_scale=None,
        dtype=tf.float32,
        network_dtype=None,
        validate_args=False,
        name="GaussianPrior",
    ):
        parameters = dict(locals())
        num_channels = event_shape[-1]
        self.max_log_scale = max_log_scale
        with tf.name_scope(name) as name:
            if num_conditional_channels:
                self.network = KerasModule(
                    ZeroInitConv2D(2 * num_channels, dtype=network_policy(dtype, network_dtype)),
                    (None, None, None, num_conditional_channels),
                )
            else:
                self.mean_and_log_scale = tf.Variable(
                    tf.zeros([2 * num_channels], dtype), name="mean_and_log_scale"
                )
            super().__init__(
                event_shape,
                num_conditional_channels,
                dtype=dtype,
                parameters=parameters,
                validate_args=validate_args,
                name=name,
            )

    @property
    def num_sampling_steps(self):
        """Sequential steps of one sample: all elements are drawn at once."""
        return 1

    def _mean_and_log_scale(self, latents, conditional_input):
        if conditional_input is None:
            outputs = tf.convert_to_tensor(self.mean_and_log_scale)
        else:
            outputs = self.network(conditional_input)
        return outputs[..., 0::2], bounded_log_scale(outputs[..., 1::2], self.max_log_scale)

    def _latents_from_noise(self, noise, conditional_input):
        mean, log_scale = self._mean_and_log_scale(noise, conditional_input)
        return mean + tf.exp(log_scale) * noise
