"""Couplings, and the residual block in their place, in plain TensorFlow: what `reference.py` calls.

Maps are [N, H, W, C], N known. Nothing that the package computes with their layers is used.
"""

import tensorflow as tf

from tf_marscf.reference_networks import (
    affine_network,
    bounded,
    mix_log_cdf_network,
    residual_network,
)

_NUM_BISECTIONS = 64  # An interval shrinks by a factor of 1e19.
_NUM_NEWTON_STEPS = 12
_EACH_MAP = [1, 2, 3]


def coupling(layer, x, kind):
    """`(y, log-det)`; z_1 and z_2 are the halves of x.

    affine:     y = concat(z_1, z_2 * exp(log_scale) + shift),  (shift, log_scale) of z_1
    mixlogcdf:  y = concat(z_2, (logit F(z_1) + b) * exp(a)),   (a, b, F) of z_2
    residual:   y = x + g(x), all of it
    """
    if kind == "residual":
        y, jacobian = residual_block(layer, x)
        return y, tf.linalg.slogdet(jacobian)[1]
    z1, z2 = tf.split(x, 2, axis=-1)
    if kind == "affine":
        shift, log_scale = shift_and_log_scale(layer, z1)
        y = z2 * tf.exp(log_scale) + shift
        return tf.concat([z1, y], axis=-1), tf.reduce_sum(log_scale, _EACH_MAP)
    a, b, *mixture = shift_and_mixture(layer, z2)
    y, log_slope = logit_mixture_cdf(z1, *mixture)
    return tf.concat([z2, (y + b) * tf.exp(a)], axis=-1), tf.reduce_sum(log_slope + a, _EACH_MAP)


def inverse_coupling(layer, y, kind):
    """The inverse of `coupling`."""
    if kind == "residual":
        return inverse_residual_block(layer, y)
    condition, y = tf.split(y, 2, axis=-1)
    if kind == "affine":
        shift, log_scale = shift_and_log_scale(layer, condition)
        return tf.concat([condition, (y - shift) / tf.exp(log_scale)], axis=-1)
    a, b, *mixture = shift_and_mixture(layer, condition)
    z1 = inverse_logit_mixture_cdf(y * tf.exp(-a) - b, *mixture)
    return tf.concat([z1, condition], axis=-1)


def residual_block(layer, x):
    """`x + g(x)`, and its derivatives, those of output j to input i, [N, i, j]."""
    value, jacobian = residual_network(layer.network, x)
    return x + value, jacobian + tf.eye(jacobian.shape[-1], dtype=x.dtype)


def inverse_residual_block(layer, y):
    """The x with `x + g(x) = y`, by Newton's method from y on; the last step has the gradients."""
    x = y
    for _ in range(_NUM_NEWTON_STEPS):
        x = tf.stop_gradient(x)
        value, jacobian = residual_block(layer, x)
        error = tf.reshape(y - value, [jacobian.shape[0], -1])
        jacobian = tf.linalg.matrix_transpose(tf.stop_gradient(jacobian))
        step = tf.linalg.solve(jacobian, error[..., tf.newaxis])
        x += tf.reshape(step, x.shape)
    return x


def shift_and_log_scale(layer, z):
    """`log_scale = log sigmoid(raw + 2)`, bounded if asked for; (shift, raw) = network(z)."""
    shift, raw = affine_network(layer.network.layer, z)
    return shift, bounded(tf.math.log_sigmoid(raw + 2.0), layer.max_log_scale)


# MixLogCDF couplings (Flow++, Section 3).


def shift_and_mixture(layer, z):
    """`(a, b, logits, means, log_scales)` of a network; a and log-scales bounded if asked for."""
    a, *others, log_scales = mix_log_cdf_network(layer.network.layer, z)
    return bounded(a, layer.max_log_scale), *others, bounded(log_scales, layer.max_log_scale)


def logit_mixture_cdf(x, logits, means, log_scales):
    """`(logit F(x), log d logit F(x) / dx)`, F the CDF of a mixture of logistic distributions.

        F = sum_k pi_k sigmoid(z_k),  1 - F = sum_k pi_k sigmoid(-z_k),  pi = softmax(logits)
        F' = sum_k pi_k sigmoid(z_k) sigmoid(-z_k) / s_k,  z_k = (x - mean_k) / s_k

    x is [...], parameters are [..., M]. All is summed as logarithms, for the tails.
    """
    log_pi = tf.nn.log_softmax(logits)
    z = (x[..., tf.newaxis] - means) * tf.exp(-log_scales)
    below, above = tf.math.log_sigmoid(z), tf.math.log_sigmoid(-z)
    log_cdf = tf.reduce_logsumexp(log_pi + below, axis=-1)
    log_survival = tf.reduce_logsumexp(log_pi + above, axis=-1)
    log_density = tf.reduce_logsumexp(log_pi + below + above - log_scales, axis=-1)
    return log_cdf - log_survival, log_density - log_cdf - log_survival


def inverse_logit_mixture_cdf(y, *mixture):
    """The x with `logit F(x) = y`, by bisection.

    One component alone has its root at mean_k + s_k y; that of all is between the least and the
    greatest of these. Gradients flow through a Newton step at the root (implicit function theorem).
    """
    _, means, log_scales = mixture
    roots = means + tf.exp(log_scales) * y[..., tf.newaxis]
    low, high = tf.reduce_min(roots, axis=-1), tf.reduce_max(roots, axis=-1)
    for _ in range(_NUM_BISECTIONS):
        middle = tf.stop_gradient(low + 0.5 * (high - low))
        is_below = logit_mixture_cdf(middle, *mixture)[0] < y
        low, high = tf.where(is_below, middle, low), tf.where(is_below, high, middle)
    value, log_slope = logit_mixture_cdf(middle, *mixture)
    return middle + (y - value) / tf.exp(tf.stop_gradient(log_slope))
