"""log|det(I + J)| of a residual block, J the Jacobian of g, with a norm below 1.

    log|det(I + J)| = tr log(I + J) = sum_{k >= 1} (-1)^(k + 1) / k tr(J^k)
    tr(A) = E v^T A v,      v of independent signs          (Hutchinson, 1990)

(J^T)^k v is k products of a vector with J^T: no matrix is needed.
"""

import math

import tensorflow as tf

from tf_marscf.bijectors.image_bijector import sum_over_event
from tf_marscf.stateless_seed import batch_scalar

_NUM_SURE_TERMS = 2
_CONTINUATION = 0.5


def random_num_terms(seed):
    """Draws n of a series that is cut off, int32: 2, and one more with each throw of a coin.

    Divided by P(n >= k) = 2^-max(k - 2, 0), terms up to k = n have the sum of all as their mean
    (Russian roulette: Chen et al., 2019, Theorem 1; the published code's distribution). One n
    serves all images of a batch.

    Args:
        seed: as of `stateless_seed`, or from `seed_of_rows`.
    """
    uniform = batch_scalar(seed, tf.float32)
    throws = tf.math.log1p(-uniform) / math.log(_CONTINUATION)
    return _NUM_SURE_TERMS + tf.cast(tf.floor(throws), tf.int32)


def roulette_weight(k):
    """1 / P(n >= k) of `random_num_terms`, for a float tensor k."""
    return _CONTINUATION ** -tf.maximum(k - _NUM_SURE_TERMS, 0.0)


def series_log_det(jacobian, probes, num_terms, weight=None):
    """`sum_{k = 1}^n (-1)^(k + 1) weight(k) / k v^T J^k v`, each image with its probe v, in nats.

    The gradient is the Neumann series' (Chen et al., 2019, Section 3.2), which has the mean of the
    true one, and for which no term is kept:

        d log|det(I + J)| = tr((I + J)^-1 dJ),  (I + J)^-1 = sum_{k >= 0} (-1)^k J^k
        estimate: (sum_{k = 0}^n (-1)^k weight(k) (J^T)^k v)^T dJ v

    Args:
        jacobian: a `Jacobian`.
        probes: v, [N, H, W, C].
        num_terms: n >= 1, Python `int` or scalar int32 tensor.
        weight: function of a float tensor k; default: 1.

    Returns:
        [N].
    """
    dtype = probes.dtype
    constant_jacobian = jacobian.without_gradients()

    def add_term(k, powers, value, neumann):
        powers = constant_jacobian.transposed_product(powers)
        number = tf.cast(k, dtype)
        sign = tf.cast(1 - 2 * (k % 2), dtype)
        factor = sign if weight is None else sign * weight(number)
        value -= factor / number * sum_over_event(powers * probes)
        return k + 1, powers, value, neumann + factor * powers

    start = (tf.constant(1), probes, tf.zeros(tf.shape(probes)[:1], dtype), probes)
    *_, value, neumann = tf.while_loop(lambda k, *_: k <= num_terms, add_term, start)
    value, neumann = tf.stop_gradient(value), tf.stop_gradient(neumann)
    gradient_of = sum_over_event(jacobian.transposed_product(neumann) * probes)
    return value + (gradient_of - tf.stop_gradient(gradient_of))


def exact_log_det(jacobian, event_shape):
    """log|det(I + J)| of all entries of J, in nats: [N].

    Args:
        jacobian: a `Jacobian`.
        event_shape: (H, W, C).
    """
    size, dtype = math.prod(event_shape), jacobian.slopes[0].dtype
    units = tf.reshape(tf.eye(size, dtype=dtype), [size, *event_shape])
    units = tf.tile(units, [tf.shape(jacobian.slopes[0])[0], 1, 1, 1])
    rows = jacobian.repeated(size).transposed_product(units)
    matrices = tf.eye(size, dtype=dtype) + tf.reshape(rows, [-1, size, size])
    # XLA has no determinants, but triangles with the same one.
    _, triangles = tf.linalg.qr(matrices)
    return tf.reduce_sum(tf.math.log(tf.abs(tf.linalg.diag_part(triangles))), axis=-1)


def series_error_bound(constant, num_dimensions, num_terms):
    """The most by which the series of n terms can be off, in nats.

        |sum_{k > n} (-1)^(k + 1) / k tr(J^k)| <= D c^(n + 1) / ((n + 1) (1 - c))

    since |tr(J^k)| <= D ||J||^k, and ||J|| <= c. What the traces' own estimates are off by is not
    in it.

    Args:
        constant: c < 1, a scalar tensor.
        num_dimensions: D.
        num_terms: n.
    """
    return num_dimensions * constant ** (num_terms + 1) / ((num_terms + 1) * (1.0 - constant))
