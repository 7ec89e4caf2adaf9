"""A bound of how much a convolution can lengthen maps.

On the whole plane, a convolution multiplies each frequency w of the maps by a matrix, its symbol

    K(w) = sum_p K_p exp(i <w, p>),      p the taps,  [C_in, C_out]

so that ||conv|| = max_w ||K(w)||. Maps of H x W pixels with zeros around them are maps on the
plane, and what is cut off of the output makes it no longer: the bound holds for all of them.

A power iteration of a vector approaches ||K(w)|| from below, and a flow that relies on it may lose
its inverse. A power iteration of the whole matrix, by repeated squaring, approaches it from above:

    ||K(w)|| <= ||G^(2^t)||_F^(1 / 2^(t + 1)),      G = K(w)^H K(w)

which is (sum_i s_i^(4 * 2^t))^(1 / (4 * 2^t)), s the singular values (Delattre et al., 2023). The
excess is at most a factor of rank^(1 / (4 * 2^t)), 1.03 for 48 channels and t = 5.

K(w) is a trigonometric polynomial of degree d = (k - 1) / 2 along each axis. Between N frequencies
it is at most 1 / cos(pi d / N) times what it is at one of them (Ehlich and Zeller, 1964).
"""

import functools
import math

import numpy as np
import tensorflow as tf

NUM_FREQUENCIES = 12  # N, along each axis. A factor of 1.072 for both, of 3x3 kernels.
NUM_SQUARINGS = 5  # t
# Scaled to norm 1, powers keep their logarithms apart. Of a matrix of norm 1 and n rows the eighth
# power has a norm of n^-4 at least, which is far from the end of float32.
_SCALED_BEFORE = (0, 3)


@functools.partial(
    # One function of a graph for all kernels of a shape, instead of its operations for each.
    tf.function,
    autograph=False,
    experimental_attributes={"_noinline": True},
)
def spectral_norm_bound(kernel):
    """An upper bound of ||conv||, differentiable almost everywhere.

    Args:
        kernel: [k, k, C_in, C_out], k = 1, or odd and at most 5.

    Returns:
        A scalar of the kernel's dtype, at most 1.11 times ||conv|| for up to 48 input or output
        channels and k <= 3.
    """
    # Of entries up to 1: powers of large ones would leave the dtype's range.
    scale = tf.stop_gradient(tf.reduce_max(tf.abs(kernel)))
    scale = tf.maximum(scale, np.finfo(kernel.dtype.as_numpy_dtype).tiny)
    kernel /= scale
    if kernel.shape[0] == 1:  # One tap: the same matrix at all frequencies.
        return scale * _norm_bounds(kernel[0])[0]
    cosines, sines, factor = _waves(kernel.shape[0], kernel.dtype)
    # The gradient of a maximum is that of the greatest alone: the others need none.
    bounds = _norm_bounds(_symbols(tf.stop_gradient(kernel), cosines, sines))
    # Gathered: where a slice begins XLA asks for at compile time.
    worst = tf.argmax(bounds)[tf.newaxis]
    symbol = _symbols(kernel, tf.gather(cosines, worst), tf.gather(sines, worst))
    # Each singular value was counted twice.
    return scale * factor * _norm_bounds(symbol)[0] / 2.0 ** (0.5 ** (NUM_SQUARINGS + 2))


def _waves(size, dtype):
    """cos<w, p> and sin<w, p>, [frequencies, taps], and the factor of what is between them."""
    taps = np.arange(size) - size // 2
    angles = 2.0 * math.pi / NUM_FREQUENCIES * np.arange(NUM_FREQUENCIES)
    # A real kernel has complex conjugates at w and -w: half of one axis is enough.
    first, second = (np.outer(part, taps) for part in (angles, angles[: NUM_FREQUENCIES // 2 + 1]))
    phases = first[:, np.newaxis, :, np.newaxis] + second[:, np.newaxis]
    phases = phases.reshape([-1, size * size])
    factor = 1.0 / math.cos(math.pi * (size // 2) / NUM_FREQUENCIES) ** 2
    return tf.constant(np.cos(phases), dtype), tf.constant(np.sin(phases), dtype), factor


def _symbols(kernel, cosines, sines):
    """K(w) = A + i B as the real matrix [[A, B], [-B, A]]: [frequencies, 2 C_in, 2 C_out].

    It has the singular values of K(w), each twice.
    """
    taps = tf.reshape(kernel, [-1, kernel.shape[2] * kernel.shape[3]])
    real, imaginary = (
        tf.reshape(tf.matmul(waves, taps), [-1, *kernel.shape[2:]]) for waves in (cosines, sines)
    )
    # Stacked and not joined: an axis of `tf.concat` would be a result of this function, for its
    # gradient. XLA asks for an axis, and then for all that the function is called with.
    rows = tf.stack([real, imaginary], axis=2), tf.stack([-imaginary, real], axis=2)
    return tf.reshape(tf.stack(rows, axis=1), [-1, 2 * kernel.shape[2], 2 * kernel.shape[3]])


def _norm_bounds(matrices):
    """The power iteration above: of matrices [..., n, m], or one [n, m], a vector of bounds."""
    matrices = tf.reshape(matrices, [-1, *matrices.shape[-2:]])
    is_wide = matrices.shape[1] <= matrices.shape[2]
    gram = tf.matmul(matrices, matrices, transpose_a=not is_wide, transpose_b=is_wide)
    log_norm = 0.0
    for number in range(NUM_SQUARINGS):
        if number in _SCALED_BEFORE:
            gram, log_factor = _normalized(gram)
            log_norm += log_factor
        gram = tf.matmul(gram, gram)
        log_norm *= 2.0
    _, log_factor = _normalized(gram)
    return tf.exp((log_norm + log_factor) / 2.0 ** (NUM_SQUARINGS + 1))


def _normalized(matrices):
    """`(matrices / norms, log(norms))`, the Frobenius norms of matrices [N, n, n]."""
    squares = tf.reduce_sum(tf.square(matrices), axis=[1, 2], keepdims=True)
    # Logarithms stay finite: a kernel of zeros gets a bound next to 0.
    squares = tf.maximum(squares, np.finfo(matrices.dtype.as_numpy_dtype).tiny)
    return matrices / tf.sqrt(squares), 0.5 * tf.math.log(squares[:, 0, 0])
