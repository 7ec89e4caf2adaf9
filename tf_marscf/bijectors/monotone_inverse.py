"""Inversion of increasing functions, element by element."""

import numpy as np
import tensorflow as tf

# Halley steps triple the correct digits; bisections, where they are needed, halve the bracket.
# The bound is a guard against endless loops: bisection alone converges within it.
_MAX_ITERATIONS = {tf.float32: 200, tf.float64: 1200}


def invert_increasing(derivatives, y, low, high, start, greatest_rate):
    """Finds x with f(x) = y by Halley steps inside a shrinking bracket.

    With error e = f(x) - y and Newton step h = -e / f'(x), Halley's step is

        h / (1 + h f''(x) / (2 f'(x)))

    Each iteration evaluates f and its derivatives once, at all elements, and shrinks the bracket of
    each by the sign of e. The next point is the Halley step if it falls inside the bracket and e
    has halved since the iteration before; else the middle of the bracket. The step leaves an error
    of the order of e (rate h)^2; where that is within the rounding of f (four units of the last
    place), an element is done without being evaluated once more. It is done, too, when e is within
    that rounding or h within two units of x: after that step, if it falls inside the bracket. The
    loop ends when all elements are done.

    Args:
        derivatives: x -> `(f(x), log f'(x), f''(x) / f'(x))`, f increasing, shapes as `x`.
        y: values to invert.
        low: x below or at the root, shape of `y`.
        high: x above or at the root, shape of `y`.
        start: the first guess, shape of `y`.
        greatest_rate: the inverse of the least length over which f bends, shape of `y`.

    Returns:
        `(x, low, high)`, shapes as `y`: the root and what became of its bracket. No gradient flows
        through them.
    """
    epsilon = np.finfo(y.dtype.as_numpy_dtype).eps
    rounding = 4.0 * epsilon * (1.0 + tf.abs(y))

    def body(iteration, x, low, high, last_error, done):
        value, log_slope, log_slope_derivative = derivatives(x)
        error = value - y
        low = tf.where(error <= 0.0, x, low)
        high = tf.where(error >= 0.0, x, high)
        newton = -error * tf.exp(-log_slope)
        # Where the parabola differs this much from the tangent, neither says much.
        halley = newton / tf.clip_by_value(1.0 + 0.5 * newton * log_slope_derivative, 0.5, 2.0)
        error = tf.abs(error)
        is_inside = (x + halley > low) & (x + halley < high)
        is_found = (error <= rounding) | (tf.abs(newton) <= 2.0 * epsilon * tf.abs(x))
        is_safe = is_inside & (is_found | (error <= 0.5 * last_error))
        following = tf.where(is_safe, x + halley, low + 0.5 * (high - low))
        # A bracket without a number inside cannot shrink further.
        is_root = (is_found & ~is_inside) | (following <= low) | (following >= high)
        is_root |= tf.math.is_nan(value)
        is_last = is_safe & (error * tf.square(greatest_rate * newton) <= rounding)
        x = tf.where(done | is_root, x, following)
        return iteration + 1, x, low, high, error, done | is_root | is_found | is_last

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
    return tuple(tf.stop_gradient(tensor) for tensor in (x, low, high))


def implicit_inverse(derivatives, y, x, low, high, greatest_rate):
    """Makes a root of f(x) = y differentiable, by one Newton step where it stays in the bracket.

    By the implicit function theorem dx/dy = 1 / f'(x), dx/dparameter = -(df/dparameter) / f'(x).
    All is evaluated once, at the root as it is given; the slope at the root that is returned
    follows from its derivative. A step for which that would not be exact, to rounding, is not made.

    Args:
        derivatives: x -> `(f(x), log f'(x), f''(x) / f'(x))`, shapes as `x`, the first two
            differentiable.
        y: values to invert.
        x: roots, shape of `y`, without gradients.
        low: x below or at the root, shape of `y`.
        high: x above or at the root, shape of `y`.
        greatest_rate: the inverse of the least length over which f bends, shape of `y`.

    Returns:
        `(x, log f'(x))`, shapes as `y`. First derivatives of both are exact to `y` and to
        whatever `derivatives` depends on.
    """
    value, log_slope, log_slope_derivative = derivatives(x)
    step = (y - value) * tf.exp(-tf.stop_gradient(log_slope))
    size = tf.stop_gradient(step)
    # Where f is flat, an error of its rounding is a step across the whole plateau.
    is_inside = (x + size > low) & (x + size < high)
    epsilon = np.finfo(y.dtype.as_numpy_dtype).eps
    is_linear = tf.square(greatest_rate * size) <= epsilon
    root = x + (step + tf.where(is_inside & is_linear, tf.zeros_like(size), -size))
    # The difference of rounded numbers: the slope is that at the root as it is returned.
    return root, log_slope + tf.stop_gradient(log_slope_derivative) * (root - x)
