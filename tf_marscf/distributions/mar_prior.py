"""The multi-scale autoregressive prior at one level."""

import tensorflow as tf

from tf_marscf.distributions.image_distribution import no_parameter_properties
from tf_marscf.distributions.latent_prior import LatentPrior
from tf_marscf.networks.causal_prior_network import CausalPriorNetwork
from tf_marscf.networks.keras_module import KerasModule, network_policy
from tf_marscf.networks.mar_prior_network import MarPriorNetwork

MAR_NETWORKS = ("conv_lstm", "causal")


class MarPrior(LatentPrior):
    """Channel after channel: `log p(l | r) = sum_j log p(l^j | l^1 ... l^(j-1), r)`.

    Mean and log-scale of channel j come from a network that has read the channels before it
    (mAR-SCF, Section 3.2, Eq. 6-8): the paper's ConvLSTM, or masked convolutions, which cost a
    small part of it (`CausalPriorNetwork`). A density takes one pass over all channels; a sample
    takes one step a channel, C in all.

    Args:
        event_shape: (H, W, C) of l.
        num_conditional_channels: C_r, channels of r, or 0 at the last level.
        network: "conv_lstm" or "causal".
        hidden_channels: of the ConvLSTM; or features of each channel.
        num_layers: of the ConvLSTM, or of features.
        kernel_size: odd `int`, of the ConvLSTM and its input convolution, or of the features'.
        dilation: of the ConvLSTM, or of the features' convolutions.
        code_channels: channels to which r is coded for a ConvLSTM.
        code_hidden_channels: channels between the two convolutions of that code.
        max_log_scale: M > 0: log-scales become `M tanh(log_scale / M)`; or None: those of the
            ConvLSTM have no bound, and those of masked convolutions M = 4.
        recompute: if True, gradients run the ConvLSTM once more instead of keeping what it
            computed.
        seed: Python `int` or None, seed of the initial weights.
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
        network="conv_lstm",
        hidden_channels=32,
        num_layers=3,
        kernel_size=5,
        dilation=1,
        code_channels=4,
        code_hidden_channels=32,
        max_log_scale=None,
        recompute=False,
        seed=None,
        dtype=tf.float32,
        network_dtype=None,
        validate_args=False,
        name="MarPrior",
    ):
        parameters = dict(locals())
        if network not in MAR_NETWORKS:
            raise ValueError(f"`network` must be one of {MAR_NETWORKS}; got {network!r}.")
        options = {
            "hidden_channels": hidden_channels,
            "num_layers": num_layers,
            "kernel_size": kernel_size,
            "dilation": dilation,
            "max_log_scale": max_log_scale,
            "seed": seed,
            "dtype": network_policy(dtype, network_dtype),
        }
        if network == "conv_lstm":
            network_class = MarPriorNetwork
            options |= {
                "code_channels": code_channels,
                "code_hidden_channels": code_hidden_channels,
                "recompute": recompute,
            }
        else:
            network_class = CausalPriorNetwork
        with tf.name_scope(name) as name:
            self.network = KerasModule(
                network_class(event_shape[-1], num_conditional_channels, **options)
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
    def max_log_scale(self):
        """The bound of log-scales, or None."""
        return self.network.layer.max_log_scale

    @property
    def num_sampling_steps(self):
        """Sequential steps of one sample: the channels of l."""
        return self.event_shape[-1]

    def _mean_and_log_scale(self, latents, conditional_input):
        return self.network(latents, conditional_input)

    def _latents_from_noise(self, noise, conditional_input):
        return self.network.layer.latents_from_noise(noise, conditional_input)
