"""One step of a flow that is given another map."""

import tensorflow as tf

from tf_marscf.bijectors.act_norm import ActNorm
from tf_marscf.bijectors.image_bijector import (
    ImageBijector,
    check_even_channels,
    sum_over_event,
)
from tf_marscf.bijectors.image_chain import ImageChain
from tf_marscf.bijectors.invertible_conv1x1 import InvertibleConv1x1
from tf_marscf.networks.affine_coupling_network import AffineCouplingNetwork
from tf_marscf.networks.bounded_log_scale import bounded_log_scale
from tf_marscf.networks.initializers import spawn_seeds
from tf_marscf.networks.keras_module import KerasModule, network_policy

_MAX_LOG_SCALE = 2.0


class ConditionalFlowStep(ImageBijector):
    """ActNorm -> invertible 1x1 convolution -> affine coupling, given a map c that stays.

    The map travels beside what changes: x = concat(h, c) along the channels.

        z_1, z_2 = the halves of W ((h + bias) * scale)
        shift, raw = network(concat(z_1, c)),      log s = 2 tanh(raw / 2)
        y = concat(z_1, z_2 * s + shift, c)
        log|det| = H * W * log|det(W diag(scale))| + sum(log s)

    A new step is a rotation of the channels of h: it keeps noise standard normal. So `initialize`
    sets the ActNorms inside the network only. (The s of `AffineCoupling` starts at 0.88.)

    Args:
        num_channels: C of h, even.
        num_conditional_channels: C_c of c.
        hidden_channels: channels inside the network.
        seed: Python `int` or None, seed of the initial weights.
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
        num_conditional_channels,
        hidden_channels,
        seed=None,
        dtype=tf.float32,
        network_dtype=None,
        validate_args=False,
        name="conditional_flow_step",
    ):
        parameters = dict(locals())
        check_even_channels(num_channels, name)
        convolution_seed, network_seed = spawn_seeds(seed, 2)
        with tf.name_scope(name) as name:
            self.linear = ImageChain(
                [
                    ActNorm(num_channels, dtype),
                    InvertibleConv1x1(num_channels, convolution_seed, dtype),
                ],
                name="linear",
            )
            policy = network_policy(dtype, network_dtype)
            self.network = KerasModule(
                AffineCouplingNetwork(
                    hidden_channels, num_channels, seed=network_seed, dtype=policy
                ),
                (None, None, None, num_channels // 2 + num_conditional_channels),
            )
            self._sizes = (num_channels, num_conditional_channels)
            super().__init__(
                sum(self._sizes),
                dtype=dtype,
                is_constant_jacobian=False,
                parameters=parameters,
                validate_args=validate_args,
                name=name,
            )

    @property
    def act_norm(self):
        """The `ActNorm` of this step."""
        return self.linear.bijectors[0]

    @property
    def invertible_conv1x1(self):
        """The `InvertibleConv1x1` of this step."""
        return self.linear.bijectors[1]

    def _initialize(self, x, constant_channels):
        h, condition = tf.split(x, self._sizes, axis=-1)
        first, _ = tf.split(self.linear.forward(h), 2, axis=-1)
        self.network.initialize(tf.concat([first, condition], axis=-1), constant_channels)
        return super()._initialize(x, constant_channels)

    def _forward_and_log_det(self, x, dropout_seed=None):
        h, condition = tf.split(x, self._sizes, axis=-1)
        h, log_det = self.linear._forward_and_log_det(h)
        y, log_scale = self._couple(h, condition)
        return y, log_det + sum_over_event(log_scale)

    def forward_and_log_det_map(self, x):
        """As of every `ImageBijector`; a pixel has the sum of log s over its channels."""
        h, condition = tf.split(x, self._sizes, axis=-1)
        h, log_det_map = self.linear.forward_and_log_det_map(h)
        y, log_scale = self._couple(h, condition)
        return y, log_det_map + tf.reduce_sum(log_scale, axis=3)

    def _couple(self, h, condition):
        """y, from h after the linear part, and log s."""
        first, second = tf.split(h, 2, axis=-1)
        shift, log_scale = self._shift_and_log_scale(first, condition)
        second = second * tf.exp(log_scale) + shift
        return tf.concat([first, second, condition], axis=-1), log_scale

    def _inverse_and_log_det(self, y, dropout_seed=None):
        h, condition = tf.split(y, self._sizes, axis=-1)
        first, second = tf.split(h, 2, axis=-1)
        shift, log_scale = self._shift_and_log_scale(first, condition)
        second = (second - shift) * tf.exp(-log_scale)
        h, log_det = self.linear._inverse_and_log_det(tf.concat([first, second], axis=-1))
        return tf.concat([h, condition], axis=-1), log_det - sum_over_event(log_scale)

    def _shift_and_log_scale(self, first, condition):
        shift, raw = self.network(tf.concat([first, condition], axis=-1))
        return shift, bounded_log_scale(raw, _MAX_LOG_SCALE)
