"""Scaled dot-product attention with dropout, and its gradient."""

import tensorflow as tf


def dot_product_attention(query, key, value, kept=None, dropout_rate=0.0):
    """Attention of every query over all keys, positions last.

        weights = softmax over keys of (queries' transpose times keys)
        result = values times (kept weights / (1 - dropout_rate))' transpose

    With the positions last, the channels of a head are rows of its projections, so that nothing is
    transposed in memory. The gradient, written by hand, keeps the weights and the mask alone: the
    sum over keys that a soft-max's gradient needs is the product of result and its gradient.

    Args:
        query: [..., C, T_q], scaled already.
        key: [..., C, T].
        value: [..., C, T].
        kept: `bool`, [..., T_q, T], the mask of dropout, or None for none.
        dropout_rate: Python `float` in [0, 1), the share that `kept` drops.

    Returns:
        [..., C, T_q].
    """
    scale = 1.0 / (1.0 - dropout_rate) if kept is not None else 1.0

    def masked(values):
        return values if kept is None else tf.where(kept, values, tf.zeros([], values.dtype))

    @tf.custom_gradient
    def attention(query, key, value):
        weights = tf.nn.softmax(tf.matmul(query, key, transpose_a=True))
        result = scale * tf.matmul(value, masked(weights), transpose_b=True)

        def gradient(result_gradient):
            sums = tf.reduce_sum(result_gradient * result, axis=-2)[..., tf.newaxis]
            result_gradient *= scale
            value_gradient = tf.matmul(result_gradient, masked(weights))
            weights_gradient = masked(tf.matmul(result_gradient, value, transpose_a=True))
            logits_gradient = weights * (weights_gradient - sums)
            query_gradient = tf.matmul(key, logits_gradient, transpose_b=True)
            return query_gradient, tf.matmul(query, logits_gradient), value_gradient

        return result, gradient

    return attention(query, key, value)
