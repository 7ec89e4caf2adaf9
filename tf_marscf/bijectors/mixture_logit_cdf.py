"""The logit of the CDF of a mixture of logistic distributions."""

import tensorflow as tf
import tensorflow_probability as tfp

from tf_marscf.bijectors.monotone_inverse import implicit_inverse, invert_increasing
from tf_marscf.kernels.mixture_terms import (
    logit_cdf_and_log_slope,
    logit_cdf_derivatives,
    mixture_weights,
)


class MixtureLogitCdf(tfp.bijectors.Bijector):
    """`y = logit(F(x))`, F the CDF of a mixture of logistic distributions, element by element.

    With z_k = (x - mean_k) exp(-log_scale_k), weights pi = softmax(logits), sigma the sigmoid:

        F(x) = sum_k pi_k sigma(z_k),    1 - F(x) = sum_k pi_k sigma(-z_k)
        y = log F(x) - log(1 - F(x))
        dy/dx = F'(x) / (F(x) (1 - F(x))),    F'(x) = sum_k pi_k sigma(z_k) sigma(-z_k) / scale_k

    All of it stays finite and accurate in both tails, where y grows linearly, unlike log F. (See
    `mixture_terms.py`.)

    The inverse is found by safeguarded Halley steps from an exact bracket: each component alone
    would put the root at x_k = mean_k + exp(log_scale_k) y, and the mixture's root lies between the
    least and the greatest x_k. (Flow++, Section 3.1; the published code bisects.)

    Args:
        logits: [..., M], unnormalised log-weights.
        means: [..., M].
        log_scales: [..., M].
        validate_args: Python `bool`.
        name: Python `str`.

    The bijector acts on tensors of shape [...], which must be that of its parameters.
    """

    def __init__(self, logits, means, log_scales, validate_args=False, name="mixture_logit_cdf"):
        parameters = dict(locals())
        with tf.name_scope(name) as name:
            dtype = tf.convert_to_tensor(means).dtype
            self._logits = tf.convert_to_tensor(logits, dtype)
            self._weights = mixture_weights(self._logits)
            self._means = tf.convert_to_tensor(means)
            self._log_scales = tf.convert_to_tensor(log_scales, dtype)
            self._inverse_scales = tf.exp(-self._log_scales)
            super().__init__(
                forward_min_event_ndims=0,
                is_constant_jacobian=False,
                dtype=dtype,
                validate_args=validate_args,
                parameters=parameters,
                name=name,
            )

    # Parameters are tensors of one call; comparing them by value would cost more than it saves.
    def __eq__(self, other):
        return self is other

    def __hash__(self):
        return id(self)

    @classmethod
    def _parameter_properties(cls, dtype):
        properties = tfp.util.ParameterProperties(event_ndims=1)
        return {"logits": properties, "means": properties, "log_scales": properties}

    @classmethod
    def _is_increasing(cls):
        return True

    @property
    def logits(self):
        """Unnormalised log-weights, [..., M]."""
        return self._logits

    @property
    def means(self):
        """Means, [..., M]."""
        return self._means

    @property
    def log_scales(self):
        """Log-scales, [..., M]."""
        return self._log_scales

    def forward_and_log_slope(self, x):
        """`(y, log dy/dx)`, shapes as `x`."""
        return logit_cdf_and_log_slope(*self._standardized(x))

    def _derivatives(self, x):
        """`(y, log dy/dx, d log(dy/dx) / dx)`, shapes as `x`."""
        return logit_cdf_derivatives(*self._standardized(x))

    def _standardized(self, x):
        """`(-z, weights, 1 / scales)`, all of one shape [..., M]."""
        negative_z = (self._means - x[..., tf.newaxis]) * self._inverse_scales
        shape = tf.shape(negative_z)
        weights = tf.broadcast_to(self._weights, shape)
        return negative_z, weights, tf.broadcast_to(self._inverse_scales, shape)

    def inverse_and_log_slope(self, y):
        """`(x, log dy/dx)` at the x whose image is `y`, shapes as `y`."""
        limit = self.dtype.max**0.25
        y = tf.clip_by_value(y, -limit, limit)
        target = tf.stop_gradient(y)
        # The root of each component alone; their range holds the mixture's.
        roots = self._means + tf.exp(self._log_scales) * target[..., tf.newaxis]
        roots = tf.stop_gradient(tf.clip_by_value(roots, -(limit**2), limit**2))
        greatest_rate = tf.stop_gradient(tf.reduce_max(self._inverse_scales, axis=-1))
        root = invert_increasing(
            self._derivatives,
            target,
            low=tf.reduce_min(roots, axis=-1),
            high=tf.reduce_max(roots, axis=-1),
            start=tf.reduce_sum(self._weights * roots, axis=-1),
            greatest_rate=greatest_rate,
        )
        return implicit_inverse(self._derivatives, y, *root, greatest_rate)

    def _forward(self, x):
        return self.forward_and_log_slope(x)[0]

    def _inverse(self, y):
        return self.inverse_and_log_slope(y)[0]

    def _forward_log_det_jacobian(self, x):
        return self.forward_and_log_slope(x)[1]
