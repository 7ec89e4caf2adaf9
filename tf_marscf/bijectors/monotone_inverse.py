"""Inversion of increasing functions, element by element."""

import numpy as np
import tensorflow as tf

# Newton steps double the correct digits; bisections, where they are needed, halve the bracket.
# The bound is a guard against endless loops: bisection alone converges within it.
_MAX_ITERATIONS = {tf.float32: 200, tf.float64: 1200}


def invert_increasing(function_and_log_slope, y, low, high, start):
    """Finds x with f(x) = y by Newton steps inside a shrinking bracket.

    Each iteration evaluates f and its slope once, at all elements, and shrinks the bracket of each
    by the sign of the error. The next point is the Newton step if it falls inside the bracket and
    the error has halved since the iteration before; else the middle of the bracket. An element is
    done when its Newton step is within two units of the last place, or its error within the
    rounding of f (four units); the loop ends when all are. One further Newton step, taken where it
    stays inside the bracket, carries the gradients, by the implicit function theorem:
    dx/dy = 1 / f'(x), dx/dparameter = -(df/dparameter) / f'(x).

    Args:
        function_and_log_slope: x -> `(f(x), log f'(x))`, f increasing, shapes as `x`.
        y: values to invert.
        low: x below or at the root, shape of `y`.
        high: x above or at the root, shape of `y`.
        start: the first guess, shape of `y`.

    Returns:
        `(x, log f'(x))`, shapes as `y`. First derivatives of both are exact to `y` and to
        whatever `function_and_log_slope` depends on.
    """
    epsilon = np.finfo(y.dtype.as_numpy_dtype).eps
    target = tf.stop_gradient(y)

    def body(iteration, x, low, high, last_error, done):
        value, log_slope = function_and_log_slope(x)
        error = value - target
        low = tf.where(error <= 0.0, x, low)
        high = tf.where(error >= 0.0, x, high)
        step = -error * tf.exp(-log_slope)
        newton = x + step
        done |= (
            (tf.abs(step) <= 2.0 * epsilon * tf.abs(x))
            | (tf.abs(error) <= 4.0 * epsilon * (1.0 + tf.abs(target)))
            | tf.math.is_nan(error)
        )
        is_safe = (newton > low) & (newton < high) & (tf.abs(error) <= 0.5 * last_error)
        following = tf.where(is_safe, newton, low + 0.5 * (high - low))
        # A bracket without a number inside cannot shrink further.
        done |= (following <= low) | (following >= high)
        x = tf.where(done, x, following)
        return iteration + 1, x, low, high, tf.abs(error), done

    start = tf.clip_by_value(start, low, high)
    _, x, low, high, *_ = tf.while_loop(
        lambda iteration, x, low, high, last_error, done: ~tf.reduce_all(done),
        body,
        (
            tf.constant(0),
            start,
            low,
            high,
            tf.fill(tf.shape(start), start.dtype.max),
            tf.zeros_like(start, dtype=tf.bool),
        ),
        maximum_iterations=_MAX_ITERATIONS[y.dtype],
    )
    x = tf.stop_gradient(x)
    value, log_slope = function_and_log_slope(x)
    step = (y - value) * tf.exp(-tf.stop_gradient(log_slope))
    # Where f is flat, an error of its rounding is a step across the whole plateau.
    newton = tf.stop_gradient(x + step)
    is_safe = (newton > tf.stop_gradient(low)) & (newton < tf.stop_gradient(high))
    x = tf.where(is_safe, newton, x) + (step - tf.stop_gradient(step))
    # The slope is taken at the returned x, so that its own gradients flow through x.
    return x, function_and_log_slope(x)[1]
