"""The sums over the components of a mixture of logistics, with one exponential a component.

With weights pi, scales s, z_k = (x - mean_k) / s_k and sigma the sigmoid, wanted are

    F = sum_k pi_k sigma(z_k),   1 - F = sum_k pi_k sigma(-z_k),
    F' = sum_k pi_k sigma(z_k) sigma(-z_k) / s_k

far into both tails, where they are smaller than any number of their dtype. Let u be the z_k nearest
to zero if all have one sign, else 0, and

    E_k = exp(u - z_k),   a = exp(min(u, 0)),   b = exp(-max(u, 0)),   S_k = 1 / (a + b E_k)

so that sigma(z_k) = a S_k and sigma(-z_k) = b E_k S_k. Of the following sums P and Q are never very
small, and D is on plateaus between components only:

    P = sum_k pi_k S_k = F / a,   Q = sum_k pi_k E_k S_k = (1 - F) / b,
    D = sum_k pi_k E_k S_k^2 / s_k = F' / (a b)

    logit F = log P - log Q + u,   log d(logit F)/dx = log D - log P - log Q
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
        # -u; a number for infinite z, too, whose exponents then stay in range.
        shift = tf.maximum(tf.reduce_min(negative_z, axis=-1, keepdims=True), 0.0)
        shift += tf.minimum(tf.reduce_max(negative_z, axis=-1, keepdims=True), 0.0)
        shift = tf.clip_by_value(shift, -(dtype.max**0.5), dtype.max**0.5)
        limit = _greatest_exponent(dtype)
        exponentials = tf.exp(tf.clip_by_value(negative_z - shift, -limit, limit))
        self._inverse_scales = inverse_scales
        self._below = tf.exp(-tf.maximum(shift, 0.0))
        self._above = tf.exp(tf.minimum(shift, 0.0))
        # 1 / S, divided by and nowhere inverted: graphs make a `Reciprocal` of `1 / x`, which is
        # coarse near the ends of the dtype's range.
        self._inverse_shares = self._below + self._above * exponentials
        self._exponential_shares = exponentials / self._inverse_shares
        below_terms = weights / self._inverse_shares
        self._densities = below_terms * self._exponential_shares
        self._below_sum = _sum(below_terms)
        self._above_sum = _sum(below_terms * exponentials)
        tiny = np.finfo(dtype.as_numpy_dtype).tiny
        self._slope_sum = _sum(self._densities * inverse_scales) + tiny
        log_below, log_above = tf.math.log(self._below_sum), tf.math.log(self._above_sum)
        self.logit_cdf = (log_below - log_above - shift)[..., 0]
        self.log_slope = (tf.math.log(self._slope_sum) - log_below - log_above)[..., 0]

    def log_slope_derivative(self):
        """The derivative of `log_slope` to x, [...]."""
        # A mean: the products of small scales' inverses would leave the dtype's range.
        shares = self._densities * self._inverse_scales / self._slope_sum
        imbalance = self._below * self._below_sum - self._above * self._above_sum
        derivative = _sum(shares * self._bends())
        derivative += self._slope_sum / self._below_sum * (imbalance / self._above_sum)
        return derivative[..., 0]

    def gradients(self, logit_cdf_gradient, log_slope_gradient):
        """From the gradients to the two attributes, those to the three arguments."""
        logit_cdf_gradient = logit_cdf_gradient[..., tf.newaxis]
        log_slope_gradient = log_slope_gradient[..., tf.newaxis]
        slope_gradient = log_slope_gradient / self._slope_sum
        below_gradient = (logit_cdf_gradient - log_slope_gradient) / self._below_sum
        above_gradient = (logit_cdf_gradient + log_slope_gradient) / self._above_sum
        # d S_k / dz_k = b E_k S_k^2,  d (E_k S_k) / dz_k = -a E_k S_k^2
        negative_z_gradient = -self._densities * (
            slope_gradient * self._bends()
            + (self._above * below_gradient + self._below * above_gradient)
        )
        weights_gradient = (
            slope_gradient * self._exponential_shares * self._inverse_scales + below_gradient
        ) / self._inverse_shares - above_gradient * self._exponential_shares
        return negative_z_gradient, weights_gradient, slope_gradient * self._densities

    def _bends(self):
        """The derivatives of sigma(z_k) sigma(-z_k) to x, divided by it."""
        return self._inverse_scales * (1.0 - 2.0 * self._below / self._inverse_shares)


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

    The sums are accurate with such weights: the one term of P, Q or D that is not small outweighs
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
