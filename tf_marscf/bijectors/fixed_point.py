"""Fixed points of contractions of maps, to the precision of their dtype."""

import math

import numpy as np
import tensorflow as tf

_SURPLUS = 50  # Iterations beyond those that the contraction's constant asks for.
_ROUNDING = 64.0  # Units of the last place by which the steps at the fixed point may go on.


def fixed_point(contraction, start, coefficient, name):
    """The x with `contraction(x) = x`, of each image of a batch.

    x <- contraction(x) until no image's step is more than two units of the last place of its
    greatest value, or steps of a few such units do not become shorter. No gradient flows through.

    Args:
        contraction: function of [N, H, W, C] with a Lipschitz constant of at most `coefficient`.
        start: where to start, [N, H, W, C].
        coefficient: Python `float` below 1.
        name: what is computed, for the error.

    Returns:
        [N, H, W, C]. Images whose start is not finite are not finite.

    Raises:
        tf.errors.InvalidArgumentError: if an image does not converge in the number of iterations
            that the coefficient asks for. Where nothing can be raised, in what XLA compiles, such
            images are NaN.
    """
    epsilon = np.finfo(start.dtype.as_numpy_dtype).eps
    num_iterations = math.ceil(math.log(epsilon) / math.log(coefficient)) + _SURPLUS

    def size(maps):
        return tf.reduce_max(tf.abs(maps), axis=[1, 2, 3])

    def go_on(x, step, is_found):
        return ~tf.reduce_all(is_found)

    def body(x, last_step, is_found):
        following = contraction(x)
        step, unit = size(following - x), epsilon * size(following)
        # Found is found: rounded steps may grow again, and not all images' end at once.
        is_found |= step <= 2.0 * unit
        is_found |= (step <= _ROUNDING * unit) & (step >= last_step)
        is_found |= ~tf.math.is_finite(unit)
        return following, step, is_found

    infinite = tf.fill(tf.shape(start)[:1], tf.constant(np.inf, start.dtype))
    x, step, is_found = tf.while_loop(
        go_on,
        body,
        (start, infinite, tf.zeros_like(infinite, tf.bool)),
        maximum_iterations=num_iterations,
    )
    # Also what was at the last step, but would not have ended with it.
    is_found |= step <= _ROUNDING * epsilon * size(x)
    check = tf.debugging.Assert(
        tf.reduce_all(is_found),
        [
            f"{name} must converge in {num_iterations} iterations, as contractions by "
            f"{coefficient} do; a step was still of size",
            tf.reduce_max(step),
        ],
    )
    with tf.control_dependencies([] if check is None else [check]):
        x = tf.where(is_found[:, tf.newaxis, tf.newaxis, tf.newaxis], x, np.nan)
    return tf.stop_gradient(x)
