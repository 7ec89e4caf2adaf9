"""Log-probabilities in bits per dimension, and the bound over many draws of noise."""

import math

import tensorflow as tf


def bits_per_dim(log_prob, num_dimensions, num_grey_levels=1):
    """Bits per dimension of log-probabilities.

        bits/dim = (log n - log_prob / D) / log 2

    Args:
        log_prob: in nats; a log-density of continuous images whose grey levels have width 1 / n, or
            with n = 1 a log-probability of grey levels, or one term of either.
        num_dimensions: D = H * W * C.
        num_grey_levels: n.

    Returns:
        A number, array or tensor like `log_prob`.
    """
    bits = -log_prob / (num_dimensions * math.log(2.0))
    return bits if num_grey_levels == 1 else bits + math.log2(num_grey_levels)


def importance_weighted_bound(log_probs):
    """`log(1/S sum_s p_s)` of S log-densities, [S, ...] -> [...] (Burda et al. 2016).

    A lower bound of the log-probability in expectation, from S draws of dequantization noise; it
    becomes tighter as S grows.
    """
    return tf.reduce_logsumexp(log_probs, axis=0) - math.log(log_probs.shape[0])
