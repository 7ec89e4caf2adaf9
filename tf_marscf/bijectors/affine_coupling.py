"""Affine coupling."""

import tensorflow as tf

from tf_marscf.bijectors.image_bijector import (
    ImageBijector,
    check_even_channels,
    sum_over_event,
)
from tf_marscf.networks.affine_coupling_network import AffineCouplingNetwork
from tf_marscf.networks.keras_module import KerasModule, network_policy

_RAW_SCALE_OFFSET = 2.0  # Glow's: a zero network scales by sigmoid(2) = 0.88.


class AffineCoupling(ImageBijector):
    """Shifts and scales one half of the channels, given the other (Glow, Section 3.3).

        z_1, z_2 = the halves of x
        shift, raw = even, odd channels of network(z_1)
        y = concat(z_1, z_2 * s + shift),   s = sigmoid(raw + 2),   log|det| = sum(log s)

    Args:
        num_channels: C, even.
        hidden_channels: channels inside the network.
        seed: Python `int` or None, seed of the network's initial weights.
        dtype: float dtype.
        network_dtype: "bfloat16": the network computes in it, all else in `dtype`; or None.
        validate_args: Python `bool`.
        name: Python `str`.

    Raises:
        ValueError: if `num_channels` is odd.
    """

    def __init__(
        self,
        num_channels,
        hidden_channels,
        seed=None,
        dtype=tf.float32,
        network_dtype=None,
        validate_args=False,
        name="affine_coupling",
    ):
        parameters = dict(locals())
        check_even_channels(num_channels, name)
        with tf.name_scope(name) as name:
            self.network = KerasModule(
                AffineCouplingNetwork(
                    hidden_channels,
                    num_channels,
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

    def _initialize(self, x, constant_channels):
        self.network(
            tf.split(x, 2, axis=-1)[0],
            initialize=True,
            report=lambda name, is_constant: constant_channels.within(name).add(is_constant),
        )
        return super()._initialize(x, constant_channels)

    def _transformed(self, function, maps, dropout_seed):
        """Calls `function(changed, shift, raw_scale)`; `(y or x, log-det of forward)`."""
        condition, changed = tf.split(maps, 2, axis=-1)
        outputs = self.network(condition, in_halves=True, dropout_seed=dropout_seed)
        shift, raw_scale = tf.split(outputs, 2, axis=-1)
        raw_scale += _RAW_SCALE_OFFSET
        value = tf.concat([condition, function(changed, shift, raw_scale)], axis=-1)
        return value, sum_over_event(tf.math.log_sigmoid(raw_scale))

    def _forward_and_log_det(self, x, dropout_seed=None):
        return self._transformed(
            lambda changed, shift, raw_scale: changed * tf.sigmoid(raw_scale) + shift,
            x,
            dropout_seed,
        )

    def _inverse_and_log_det(self, y, dropout_seed=None):
        # 1 / sigmoid(a) = 1 + exp(-a), which does not divide by a rounded zero.
        value, log_det = self._transformed(
            lambda changed, shift, raw_scale: (changed - shift) * (1.0 + tf.exp(-raw_scale)),
            y,
            dropout_seed,
        )
        return value, -log_det
