"""The logit of the CDF of a mixture of logistic distributions."""

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tf_marscf.bijectors.monotone_inverse import invert_increasing


class MixtureLogitCdf(tfp.bijectors.Bijector):
    """`y = logit(F(x))`, F the CDF of a mixture of logistic distributions, element by element.

    With z_k = (x - mean_k) exp(-log_scale_k), weights pi = softmax(logits), sigma the sigmoid:

        log F(x) = logsumexp_k(log pi_k + log sigma(z_k))
        log(1 - F(x)) = logsumexp_k(log pi_k + log sigma(-z_k))
        y = log F(x) - log(1 - F(x))
        dy/dx = sum_k exp(-log_scale_k) (p_k sigma(-z_k) + q_k sigma(z_k))

    where p and q are the softmaxes of the terms of log F and log(1 - F). All of it stays finite in
    both tails: y grows linearly there, unlike log F. The inverse is found by safeguarded Newton
    steps from an exact bracket: each component alone would put the root at
    x_k = mean_k + exp(log_scale_k) y, and the mixture's root lies between the least and the
    greatest x_k. (Flow++, Section 3.1; the published code bisects.)

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
            self._log_weights = tf.nn.log_softmax(self._logits)
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
        # z is bounded so that it and its products stay finite for every finite x.
        limit = self.dtype.max**0.5
        z = (x[..., tf.newaxis] - self._means) * self._inverse_scales
        z = tf.clip_by_value(z, -limit, limit)
        log_sigmoid = tf.math.log_sigmoid(z)
        below_terms = self._log_weights + log_sigmoid
        above_terms = below_terms - z  # log sigma(-z) = log sigma(z) - z
        log_below, below_shares = _log_sum_exp_and_shares(below_terms)
        log_above, above_shares = _log_sum_exp_and_shares(above_terms)
        sigmoid = tf.exp(log_sigmoid)
        slope = tf.reduce_sum(
            self._inverse_scales * (below_shares * (1.0 - sigmoid) + above_shares * sigmoid),
            axis=-1,
        )
        return log_below - log_above, tf.math.log(slope + np.finfo(self.dtype.as_numpy_dtype).tiny)

    def inverse_and_log_slope(self, y):
        """`(x, log dy/dx)` at the x whose image is `y`, shapes as `y`."""
        limit = self.dtype.max**0.25
        y = tf.clip_by_value(y, -limit, limit)
        # The root of each component alone; their range holds the mixture's. Their mean, weighted by
        # the components' densities, solves the linearised equation.
        roots = self._means + tf.exp(self._log_scales) * tf.stop_gradient(y)[..., tf.newaxis]
        roots = tf.stop_gradient(tf.clip_by_value(roots, -(limit**2), limit**2))
        _, shares = _log_sum_exp_and_shares(tf.stop_gradient(self._log_weights - self._log_scales))
        return invert_increasing(
            self.forward_and_log_slope,
            y,
            low=tf.reduce_min(roots, axis=-1),
            high=tf.reduce_max(roots, axis=-1),
            start=tf.reduce_sum(shares * roots, axis=-1),
        )

    def _forward(self, x):
        return self.forward_and_log_slope(x)[0]

    def _inverse(self, y):
        return self.inverse_and_log_slope(y)[0]

    def _forward_log_det_jacobian(self, x):
        return self.forward_and_log_slope(x)[1]


def _log_sum_exp_and_shares(terms):
    """Log-sum-exp and softmax of the last axis, from one set of exponentials."""
    greatest = tf.stop_gradient(tf.reduce_max(terms, axis=-1, keepdims=True))
    exponentials = tf.exp(terms - greatest)
    total = tf.reduce_sum(exponentials, axis=-1, keepdims=True)
    return (tf.math.log(total) + greatest)[..., 0], exponentials / total
