"""The multi-scale autoregressive prior at one level."""

import tensorflow as tf

from tf_marscf.distributions.image_distribution import no_parameter_properties
from tf_marscf.distributions.latent_prior import LatentPrior
from tf_marscf.distributions.standard_family import STANDARD_FAMILIES
from tf_marscf.networks.causal_prior_network import CausalPriorNetwork
from tf_marscf.networks.keras_module import KerasModule, network_policy
from tf_marscf.networks.mar_prior_network import MarPriorNetwork

MAR_NETWORKS = ("conv_lstm", "causal")
MAR_STARTS = ("random", "gaussian")


class MarPrior(LatentPrior):
    """Channel after channel: `log p(l | r) = sum_j log p(l^j | l^1 ... l^(j-1), r)`.

    Mean and log-scale of channel j come from a network that has read the channels before it
    (mAR-SCF, Section 3.2, Eq. 6-8): the paper's ConvLSTM, or masked convolutions, which cost a
    small part of it (`CausalPriorNetwork`). A density takes one pass over all channels; a sample
    takes one step after another, C / channels_per_step in all.

    Args:
        event_shape: (H, W, C) of l.
        num_conditional_channels: C_r, channels of r, or 0 at the last level.
        network: "conv_lstm" or "causal".
        hidden_channels: of the ConvLSTM; or features of each step.
        num_layers: of the ConvLSTM, or of features.
        kernel_size: odd `int`, of the ConvLSTM and its input convolution, or of the features'.
        dilation: of the ConvLSTM, or of the features' convolutions.
        code_channels: channels to which r is coded for a ConvLSTM.
        code_hidden_channels: channels between the two convolutions of that code.
        max_log_scale: M > 0: log-scales become `M tanh(log_scale / M)`; or None: those of the
            ConvLSTM have no bound, and those of masked convolutions M = 4.
        channels_per_step: channels of l that one step of the network gives, a divisor of C. Within
            such a group a channel's mean is linear in those before it.
        start: of a ConvLSTM. "random", as published; or "gaussian": what the ConvLSTM gives is zero
            at first, and added to the mean and log-scale of Glow's prior. A causal network starts
            so anyway.
        family: "normal", as published, or "logistic", whose tails are heavier: of each element of l
            given those before it.
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
        channels_per_step=1,
        start="random",
        family="normal",
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
        if start not in MAR_STARTS:
            raise ValueError(f"`start` must be one of {MAR_STARTS}; got {start!r}.")
        if family not in STANDARD_FAMILIES:
            families = tuple(STANDARD_FAMILIES)
            raise ValueError(f"`family` must be one of {families}; got {family!r}.")
        if event_shape[-1] % channels_per_step:
            raise ValueError(
                f"`channels_per_step` must divide the {event_shape[-1]} channels of {name}; got "
                f"{channels_per_step}."
            )
        options = {
            "hidden_channels": hidden_channels,
            "num_layers": num_layers,
            "kernel_size": kernel_size,
            "dilation": dilation,
            "max_log_scale": max_log_scale,
            "channels_per_step": channels_per_step,
            "seed": seed,
            "dtype": network_policy(dtype, network_dtype),
        }
        if network == "conv_lstm":
            network_class = MarPriorNetwork
            options |= {
                "code_channels": code_channels,
                "code_hidden_channels": code_hidden_channels,
                "start": start,
                "recompute": recompute,
            }
        else:
            network_class = CausalPriorNetwork
        self._channels_per_step = channels_per_step
        self._has_gaussian_start = network == "causal" or start == "gaussian"
        with tf.name_scope(name) as name:
            self.network = KerasModule(
                network_class(event_shape[-1], num_conditional_channels, **options)
            )
            super().__init__(
                event_shape,
                num_conditional_channels,
                family=family,
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
        """Sequential steps of one sample: the channels of l, or groups of them."""
        return self.event_shape[-1] // self._channels_per_step

    def _mean_and_log_scale(self, latents, conditional_input, is_resting=None):
        if is_resting is None:
            return self.network(latents, conditional_input)
        if not self._has_gaussian_start:
            raise ValueError(f"`is_resting` must be None without a Gaussian start of {self.name}.")
        return tf.cond(
            is_resting,
            lambda: self.network.layer.start(latents, conditional_input),
            lambda: self.network(latents, conditional_input),
        )

    def _latents_from_noise(self, noise, conditional_input):
        return self.network.layer.latents_from_noise(noise, conditional_input)
