"""Couplings: one half of the channels is transformed element by element, given the other."""

import functools

import tensorflow as tf

from tf_marscf.bijectors.image_bijector import ImageBijector, check_even_channels, sum_over_event
from tf_marscf.bijectors.mixture_logit_cdf import MixtureLogitCdf
from tf_marscf.networks.affine_coupling_network import AffineCouplingNetwork
from tf_marscf.networks.bounded_log_scale import bounded_log_scale
from tf_marscf.networks.keras_module import KerasModule, network_policy
from tf_marscf.networks.mix_log_cdf_network import MixLogCdfNetwork

_RAW_SCALE_OFFSET = 2.0  # Glow's: a zero network scales by sigmoid(2) = 0.88.


class Coupling(ImageBijector):
    """Transforms one half of the channels, given the other, which stays (RealNVP, Section 3.2).

        y_1 = f(x_1; network(x_2)),    y_2 = x_2,    log|det| = sum(log df/dx_1)
        x_1 = f^-1(y_1; network(y_2))

    Args:
        num_channels: C, even.
        layer: a Keras layer from x_2 [N, H, W, C / 2] to a tuple of tensors, not built.
        transform: f, made from these tensors: `transform(*tensors)` has two methods,
            `forward_and_log_slope(x)`, which returns `(f(x), log f'(x))`, and
            `inverse_and_log_slope(y)`, which returns `(x, log f'(x))` at the x with f(x) = y.
        first_changes: Python `bool`: whether x_1 is the first half of the channels.
        max_log_scale: the bound of log-scales in `transform`, > 0, or None.
        dtype: float dtype.
        parameters: locals of the subclass's constructor.
        validate_args: Python `bool`.
        name: Python `str`.

    Raises:
        ValueError: if `num_channels` is odd.
    """

    def __init__(
        self,
        num_channels,
        layer,
        transform,
        *,
        first_changes,
        max_log_scale,
        dtype,
        parameters,
        validate_args,
        name,
    ):
        check_even_channels(num_channels, name)
        self.max_log_scale = max_log_scale
        self.network = KerasModule(layer, (None, None, None, num_channels // 2))
        self._transform_class = transform
        self._first_changes = first_changes
        super().__init__(
            num_channels,
            dtype=dtype,
            is_constant_jacobian=False,
            parameters=parameters,
            validate_args=validate_args,
            name=name,
        )

    def _forward_and_log_det(self, x, dropout_seed=None):
        y, log_slope = self._forward_and_log_slope(x, dropout_seed)
        return y, sum_over_event(log_slope)

    def forward_and_log_det_map(self, x):
        """As of every `ImageBijector`; a pixel has the sum over its channels."""
        y, log_slope = self._forward_and_log_slope(x)
        return y, tf.reduce_sum(log_slope, axis=3)

    def _forward_and_log_slope(self, x, dropout_seed=None):
        """y, and log df/dx_1 of each element."""
        changed, kept = self._halves(x)
        transform = self._transform_class(*self.network(kept, dropout_seed=dropout_seed))
        changed, log_slope = transform.forward_and_log_slope(changed)
        return self._whole(changed, kept), log_slope

    def _inverse_and_log_det(self, y, dropout_seed=None):
        changed, kept = self._halves(y)
        transform = self._transform_class(*self.network(kept, dropout_seed=dropout_seed))
        changed, log_slope = transform.inverse_and_log_slope(changed)
        return self._whole(changed, kept), -sum_over_event(log_slope)

    def _halves(self, maps):
        """The half that changes and the one that is kept."""
        first, second = tf.split(maps, 2, axis=-1)
        return (first, second) if self._first_changes else (second, first)

    def _whole(self, changed, kept):
        halves = [changed, kept] if self._first_changes else [kept, changed]
        return tf.concat(halves, axis=-1)


class AffineCoupling(Coupling):
    """Shifts and scales the second half of the channels, given the first (Glow, Section 3.3).

        z_1, z_2 = the halves of x
        shift, raw_scale = network(z_1)
        y = concat(z_1, z_2 * s + shift),   s = sigmoid(raw_scale + 2),   log|det| = sum(log s)

    The inverse divides by s, which has no lower bound. With a `max_log_scale` M it has one:

        log s = M tanh(log sigmoid(raw_scale + 2) / M)              so that exp(-M) <= s < 1

    Args:
        num_channels: C, even.
        hidden_channels: channels inside the network.
        max_log_scale: M > 0, or None.
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
        max_log_scale=None,
        seed=None,
        dtype=tf.float32,
        network_dtype=None,
        validate_args=False,
        name="affine_coupling",
    ):
        parameters = dict(locals())
        with tf.name_scope(name) as name:
            policy = network_policy(dtype, network_dtype)
            super().__init__(
                num_channels,
                AffineCouplingNetwork(hidden_channels, num_channels, seed=seed, dtype=policy),
                _affine_transform(max_log_scale),
                first_changes=False,
                max_log_scale=max_log_scale,
                dtype=dtype,
                parameters=parameters,
                validate_args=validate_args,
                name=name,
            )

    def _initialize(self, x, constant_channels):
        _, kept = self._halves(x)
        self.network.initialize(kept, constant_channels)
        return super()._initialize(x, constant_channels)


def _affine_transform(max_log_scale):
    if max_log_scale is None:
        return _ShiftAndScale
    return functools.partial(_ShiftAndBoundedScale, max_log_scale)


class _ShiftAndScale:
    """`y = x * sigmoid(raw_scale + 2) + shift`."""

    def __init__(self, shift, raw_scale):
        self._shift = shift
        self._raw_scale = raw_scale + _RAW_SCALE_OFFSET

    def forward_and_log_slope(self, x):
        y = x * tf.sigmoid(self._raw_scale) + self._shift
        return y, tf.math.log_sigmoid(self._raw_scale)

    def inverse_and_log_slope(self, y):
        # 1 / sigmoid(a) = 1 + exp(-a), which does not divide by a rounded zero.
        x = (y - self._shift) * (1.0 + tf.exp(-self._raw_scale))
        return x, tf.math.log_sigmoid(self._raw_scale)


class _ShiftAndBoundedScale:
    """`y = x * exp(log_scale) + shift`, log_scale = `M tanh(log sigmoid(raw_scale + 2) / M)`."""

    def __init__(self, max_log_scale, shift, raw_scale):
        self._shift = shift
        log_scale = tf.math.log_sigmoid(raw_scale + _RAW_SCALE_OFFSET)
        self._log_scale = bounded_log_scale(log_scale, max_log_scale)

    def forward_and_log_slope(self, x):
        return x * tf.exp(self._log_scale) + self._shift, self._log_scale

    def inverse_and_log_slope(self, y):
        return (y - self._shift) * tf.exp(-self._log_scale), self._log_scale


class MixLogCdfCoupling(Coupling):
    """Sends the first half of the channels through a mixture's CDF, given the second (Flow++).

        z_1, z_2 = the halves of x
        a, b, mixture = network(z_2)
        y = concat((logit(F(z_1)) + b) * exp(a), z_2)
        log|det| = sum(log d logit(F(z_1)) / d z_1 + a)

    F is the CDF of a mixture of logistic distributions, one a pixel and channel (Flow++, Section
    3.1). With a `max_log_scale` M, a and the log-scales of the components become `M tanh(a / M)`
    and so on. Then slopes are at most exp(2 M), and where the mean of each component is within m,

        |inverse(y)| <= m + exp(M) (exp(M) |y| + |b|)

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
        max_log_scale: M > 0, or None.
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
        max_log_scale=None,
        seed=None,
        dtype=tf.float32,
        network_dtype=None,
        validate_args=False,
        name="mix_log_cdf_coupling",
    ):
        parameters = dict(locals())
        with tf.name_scope(name) as name:
            layer = MixLogCdfNetwork(
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
            )
            super().__init__(
                num_channels,
                layer,
                functools.partial(_ScaledMixtureLogitCdf, max_log_scale),
                first_changes=True,
                max_log_scale=max_log_scale,
                dtype=dtype,
                parameters=parameters,
                validate_args=validate_args,
                name=name,
            )


class _ScaledMixtureLogitCdf:
    """`y = (logit(F(x)) + shift) * exp(log_scale)`, F the CDF of a mixture."""

    def __init__(self, max_log_scale, log_scale, shift, logits, means, component_log_scales):
        self._log_scale = bounded_log_scale(log_scale, max_log_scale)
        self._shift = shift
        component_log_scales = bounded_log_scale(component_log_scales, max_log_scale)
        self._mixture = MixtureLogitCdf(logits, means, component_log_scales)

    def forward_and_log_slope(self, x):
        y, log_slope = self._mixture.forward_and_log_slope(x)
        return (y + self._shift) * tf.exp(self._log_scale), log_slope + self._log_scale

    def inverse_and_log_slope(self, y):
        y = y * tf.exp(-self._log_scale) - self._shift
        x, log_slope = self._mixture.inverse_and_log_slope(y)
        return x, log_slope + self._log_scale
