"""The sums over the components of a mixture of logistics, with one exponential a component.

With weights pi, scales s, z_k = (x - mean_k) / s_k and sigma the sigmoid, wanted are

    F = sum_k pi_k sigma(z_k),   1 - F = sum_k pi_k sigma(-z_k),
    F' = sum_k pi_k sigma(z_k) sigma(-z_k) / s_k

far into both tails, where they are smaller than any number of their dtype. Let u be the z_k nearest
to zero if all have one sign, else 0, and

    e_k = exp(u - z_k),   a = exp(min(u, 0)),   b = exp(-max(u, 0)),   r_k = a + b e_k

so that sigma(z_k) = a / r_k and sigma(-z_k) = b e_k / r_k. Of the following sums p and q are never
very small, and d is on plateaus between components only:

    p = sum_k pi_k / r_k = F / a,   q = sum_k pi_k e_k / r_k = (1 - F) / b,
    d = sum_k pi_k e_k / (r_k^2 s_k) = F' / (a b)

    logit F = log p - log q + u,   log d(logit F)/dx = log d - log p - log q
"""

import numpy as np
import tensorflow as tf


class MixtureTerms:
    """All sums at one x.

    Args:
        negative_z: -z, [..., M].
        weights: pi, [..., M], as from `mixture_weights`.
        inverse_scales: 1 / s, [..., M].

    Attributes:
        logit_cdf: logit F, [...].
        log_slope: log d(logit F)/dx, [...].
    """

    def __init__(self, negative_z, weights, inverse_scales):
        dtype = negative_z.dtype
        # A number for infinite z, too, whose exponents then stay in range.
        minus_u = tf.maximum(tf.reduce_min(negative_z, axis=-1, keepdims=True), 0.0)
        minus_u += tf.minimum(tf.reduce_max(negative_z, axis=-1, keepdims=True), 0.0)
        minus_u = tf.clip_by_value(minus_u, -(dtype.max**0.5), dtype.max**0.5)
        limit = _greatest_exponent(dtype)
        e = tf.exp(tf.clip_by_value(negative_z - minus_u, -limit, limit))
        self._inverse_scales = inverse_scales
        self._a = tf.exp(-tf.maximum(minus_u, 0.0))
        self._b = tf.exp(tf.minimum(minus_u, 0.0))
        # Divided by and nowhere inverted: graphs make a `Reciprocal` of `1 / x`, which is coarse
        # near the ends of the dtype's range.
        self._r = self._a + self._b * e
        self._e_over_r = e / self._r
        weights_over_r = weights / self._r
        self._densities = weights_over_r * self._e_over_r  # pi_k e_k / r_k^2
        self._p = _sum(weights_over_r)
        self._q = _sum(weights_over_r * e)
        self._d = _sum(self._densities * inverse_scales) + np.finfo(dtype.as_numpy_dtype).tiny
        log_p, log_q = tf.math.log(self._p), tf.math.log(self._q)
        self.logit_cdf = (log_p - log_q - minus_u)[..., 0]
        self.log_slope = (tf.math.log(self._d) - log_p - log_q)[..., 0]

    def log_slope_derivative(self):
        """The derivative of `log_slope` to x, [...]."""
        # A mean: the products of small scales' inverses would leave the dtype's range.
        shares = self._densities * self._inverse_scales / self._d
        imbalance = self._a * self._p - self._b * self._q
        derivative = _sum(shares * self._bends())
        derivative += self._d / self._p * (imbalance / self._q)
        return derivative[..., 0]

    def gradients(self, logit_cdf_gradient, log_slope_gradient):
        """From the gradients to the two attributes, those to the three arguments."""
        logit_cdf_gradient = logit_cdf_gradient[..., tf.newaxis]
        log_slope_gradient = log_slope_gradient[..., tf.newaxis]
        p_gradient = (logit_cdf_gradient - log_slope_gradient) / self._p
        minus_q_gradient = (logit_cdf_gradient + log_slope_gradient) / self._q
        d_gradient = log_slope_gradient / self._d
        # d(1 / r_k) / dz_k = b e_k / r_k^2,    d(e_k / r_k) / dz_k = -a e_k / r_k^2
        negative_z_gradient = -self._densities * (
            d_gradient * self._bends() + (self._b * p_gradient + self._a * minus_q_gradient)
        )
        weights_gradient = (
            d_gradient * self._e_over_r * self._inverse_scales + p_gradient
        ) / self._r - minus_q_gradient * self._e_over_r
        return negative_z_gradient, weights_gradient, d_gradient * self._densities

    def _bends(self):
        """The derivatives of sigma(z_k) sigma(-z_k) to x, divided by it."""
        return self._inverse_scales * (1.0 - 2.0 * self._a / self._r)


@tf.custom_gradient
def logit_cdf_and_log_slope(negative_z, weights, inverse_scales):
    """`(logit F, log d(logit F)/dx)`, shaped as without the last axis.

    Autodiff would multiply numbers that leave the dtype's range, though their product does not. It
    gives second derivatives only.

    Args:
        negative_z: -z, [..., M].
        weights: pi, [..., M], as from `mixture_weights`.
        inverse_scales: 1 / s, [..., M].
    """
    terms = MixtureTerms(negative_z, weights, inverse_scales)

    def gradient(*output_gradients):
        return _gradients(terms, (negative_z, weights, inverse_scales), *output_gradients)

    return (terms.logit_cdf, terms.log_slope), gradient


@tf.custom_gradient
def logit_cdf_derivatives(negative_z, weights, inverse_scales):
    """As `logit_cdf_and_log_slope`, and `d log_slope / dx`, through which no gradient flows."""
    terms = MixtureTerms(negative_z, weights, inverse_scales)

    def gradient(logit_cdf_gradient, log_slope_gradient, _):
        return _gradients(
            terms, (negative_z, weights, inverse_scales), logit_cdf_gradient, log_slope_gradient
        )

    return (terms.logit_cdf, terms.log_slope, terms.log_slope_derivative()), gradient


def _gradients(terms, arguments, *output_gradients):
    """`terms.gradients`, differentiable once more."""

    @tf.custom_gradient
    def first(*arguments):
        def second(*cotangents):
            with tf.GradientTape() as tape:
                tape.watch(arguments)
                gradients = MixtureTerms(*arguments[:3]).gradients(*arguments[3:])
            return tape.gradient(gradients, arguments, cotangents)

        return terms.gradients(*arguments[3:]), second

    return first(*arguments, *output_gradients)


def mixture_weights(logits):
    """softmax(logits), but at least exp(-60) (float32) or exp(-479) (float64).

    The sums are accurate with such weights: the one term of p, q or d that is not small outweighs
    the errors of terms whose exponents are out of range.
    """
    # TensorFlow's softmax, unlike this one, has kernels that refuse more than five axes.
    log_floor = tf.cast(-0.75 * _greatest_exponent(logits.dtype), logits.dtype)
    return tf.exp(tf.maximum(tf.nn.log_softmax(logits), log_floor))


def _greatest_exponent(dtype):
    """80 for float32, 638 for float64: products of weights and exponentials stay in range."""
    return 0.9 * np.log(dtype.max)


def _sum(terms):
    return tf.reduce_sum(terms, axis=-1, keepdims=True)
