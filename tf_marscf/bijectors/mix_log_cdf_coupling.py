"""MixLogCDF coupling."""

import tensorflow as tf

from tf_marscf.bijectors.image_bijector import (
    ImageBijector,
    check_even_channels,
    sum_over_event,
)
from tf_marscf.bijectors.mixture_logit_cdf import MixtureLogitCdf
from tf_marscf.networks.keras_module import KerasModule, network_policy
from tf_marscf.networks.mix_log_cdf_network import MixLogCdfNetwork


class MixLogCdfCoupling(ImageBijector):
    """Sends one half of the channels through a mixture's CDF, given the other (Flow++, Section 3).

        z_1, z_2 = the halves of x
        a, b, mixture = network(z_2)
        y = concat((logit(F(z_1)) + b) * exp(a), z_2)
        log|det| = sum(log d logit(F(z_1)) / d z_1 + a)

    F is the CDF of a mixture of logistic distributions, one a pixel and channel.

    Args:
        num_channels: C, even.
        hidden_channels: channels inside the network, a multiple of `num_heads`.
        num_blocks: gated blocks of the network.
        num_components: components of each mixture.
        num_heads: attention heads.
        dropout_rate: of the network, where a call has a `dropout_seed`.
        output_initial_scale: factor of the initial weights of the network's last layer. Small, the
            new coupling is close to the identity; 1 is the published code's.
        recompute: Python `bool`: gradients run each block of the network once more, instead of
            keeping what it computed.
        seed: Python `int` or None, seed of the network's initial weights.
        dtype: float dtype.
        network_dtype: "bfloat16": the network computes in it, all else in `dtype`; or None.
        validate_args: Python `bool`.
        name: Python `str`.

    Raises:
        ValueError: if `num_channels` is odd, or `hidden_channels` no multiple of `num_heads`.
    """

    def __init__(
        self,
        num_channels,
        hidden_channels,
        num_blocks=10,
        num_components=32,
        num_heads=4,
        dropout_rate=0.2,
        output_initial_scale=1.0,
        recompute=True,
        seed=None,
        dtype=tf.float32,
        network_dtype=None,
        validate_args=False,
        name="mix_log_cdf_coupling",
    ):
        parameters = dict(locals())
        check_even_channels(num_channels, name)
        with tf.name_scope(name) as name:
            self.network = KerasModule(
                MixLogCdfNetwork(
                    hidden_channels,
                    num_channels // 2,
                    num_blocks=num_blocks,
                    num_components=num_components,
                    num_heads=num_heads,
                    dropout_rate=dropout_rate,
                    output_initial_scale=output_initial_scale,
                    recompute=recompute,
                    seed=seed,
                    dtype=network_policy(dtype, network_dtype),
                ),
                (None, None, None, num_channels // 2),
            )
            super().__init__(
                num_channels,
                dtype=dtype,
                is_constant_jacobian=False,
                parameters=parameters,
                validate_args=validate_args,
                name=name,
            )

    def _transformed(self, function, maps, dropout_seed):
        """Calls `function(changed, log_scale, shift, mixture)`; `(y or x, log-det)`."""
        changed, condition = tf.split(maps, 2, axis=-1)
        log_scale, shift, *mixture = self.network(condition, dropout_seed=dropout_seed)
        value, log_det = function(changed, log_scale, shift, MixtureLogitCdf(*mixture))
        return tf.concat([value, condition], axis=-1), sum_over_event(log_det)

    def _forward_and_log_det(self, x, dropout_seed=None):
        def forward(changed, log_scale, shift, mixture):
            changed, log_slope = mixture.forward_and_log_slope(changed)
            return (changed + shift) * tf.exp(log_scale), log_slope + log_scale

        return self._transformed(forward, x, dropout_seed)

    def _inverse_and_log_det(self, y, dropout_seed=None):
        def inverse(changed, log_scale, shift, mixture):
            changed = changed * tf.exp(-log_scale) - shift
            changed, log_slope = mixture.inverse_and_log_slope(changed)
            return changed, -(log_slope + log_scale)

        return self._transformed(inverse, y, dropout_seed)
