"""A bound for the logarithms of scales."""

import tensorflow as tf


def bounded_log_scale(log_scale, max_log_scale=None):
    """`M tanh(log_scale / M)`, M = `max_log_scale`; without M `log_scale` itself.

    Near zero it is the identity, of slope 1; its absolute value is at most M. So it is for M -> inf
    what it is without M.

    A network that reads latents has outputs without a bound. Where they are logarithms of scales, a
    sample has `exp` of them once a layer, and the next network reads what comes out: a few standard
    deviations too many become more than any float, within three layers. With a bound a layer
    multiplies by `exp(M)` at most.

    Args:
        log_scale: a float tensor.
        max_log_scale: M > 0, or None.

    Returns:
        A tensor of the shape and dtype of `log_scale`.
    """
    if max_log_scale is None:
        return log_scale
    return max_log_scale * tf.tanh(log_scale / max_log_scale)
