"""The multi-scale autoregressive prior at one level."""

import tensorflow as tf

from tf_marscf.distributions.image_distribution import no_parameter_properties
from tf_marscf.distributions.latent_prior import LatentPrior
from tf_marscf.networks.keras_module import KerasModule, network_policy
from tf_marscf.networks.mar_prior_network import MarPriorNetwork


class MarPrior(LatentPrior):
    """Channel after channel: `log p(l | r) = sum_j log p(l^j | l^1 ... l^(j-1), r)`.

    Mean and log-scale of channel j come from a ConvLSTM that has read the channels before it
    (mAR-SCF, Section 3.2, Eq. 6-8). A density takes one pass over all channels; a sample takes one
    ConvLSTM step a channel, C in all.

    Args:
        event_shape: (H, W, C) of l.
        num_conditional_channels: C_r, channels of r, or 0 at the last level.
        hidden_channels: of the ConvLSTM.
        num_layers: of the ConvLSTM.
        kernel_size: odd `int`, of the ConvLSTM and its input convolution.
        dilation: of the ConvLSTM.
        code_channels: channels to which r is coded.
        code_hidden_channels: channels between the two convolutions of that code.
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
        hidden_channels=32,
        num_layers=3,
        kernel_size=5,
        dilation=1,
        code_channels=4,
        code_hidden_channels=32,
        recompute=False,
        seed=None,
        dtype=tf.float32,
        network_dtype=None,
        validate_args=False,
        name="MarPrior",
    ):
        parameters = dict(locals())
        with tf.name_scope(name) as name:
            self.network = KerasModule(
                MarPriorNetwork(
                    event_shape[-1],
                    num_conditional_channels,
                    hidden_channels=hidden_channels,
                    num_layers=num_layers,
                    kernel_size=kernel_size,
                    dilation=dilation,
                    code_channels=code_channels,
                    code_hidden_channels=code_hidden_channels,
                    recompute=recompute,
                    seed=seed,
                    dtype=network_policy(dtype, network_dtype),
                )
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
        """Sequential ConvLSTM steps of one sample: the channels of l."""
        return self.event_shape[-1]

    def _mean_and_log_scale(self, latents, conditional_input):
        return self.network(latents, conditional_input)

    def _latents_from_noise(self, noise, conditional_input):
        return self.network.layer.latents_from_noise(noise, conditional_input)
