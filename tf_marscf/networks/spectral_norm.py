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

import math

import numpy as np
import tensorflow as tf

NUM_FREQUENCIES = 12  # N, along each axis. A factor of 1.072 for both, of 3x3 kernels.
NUM_SQUARINGS = 5  # t


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
    symbols, factor = _symbols(kernel / scale)
    is_wide = kernel.shape[2] <= kernel.shape[3]
    gram = tf.matmul(symbols, symbols, adjoint_a=not is_wide, adjoint_b=is_wide)
    # All powers are scaled to norm 1, and the logarithms of their norms are kept.
    gram, log_norm = _normalized(gram)
    for _ in range(NUM_SQUARINGS):
        gram, log_factor = _normalized(tf.matmul(gram, gram))
        log_norm = 2.0 * log_norm + log_factor
    norms = tf.exp(log_norm / 2.0 ** (NUM_SQUARINGS + 1))
    return scale * factor * tf.reduce_max(norms)


def _symbols(kernel):
    """`(K(w), factor)`: [frequencies, C_in, C_out], and that of the maximum between them."""
    size, num_inputs, num_outputs = kernel.shape[0], *kernel.shape[2:]
    if size == 1:  # One tap: the same matrix at all frequencies.
        return kernel[0], 1.0
    taps = np.arange(size) - size // 2
    angles = 2.0 * math.pi / NUM_FREQUENCIES * np.arange(NUM_FREQUENCIES)
    # A real kernel has complex conjugates at w and -w: half of one axis is enough.
    first, second = (
        np.exp(1j * np.outer(some, taps)) for some in (angles, angles[: NUM_FREQUENCIES // 2 + 1])
    )
    waves = np.einsum("ap,bq->abpq", first, second).reshape([-1, size * size])
    flat = tf.reshape(kernel, [size * size, num_inputs * num_outputs])
    real, imaginary = (
        tf.matmul(tf.constant(part, kernel.dtype), flat) for part in (waves.real, waves.imag)
    )
    symbols = tf.reshape(tf.complex(real, imaginary), [-1, num_inputs, num_outputs])
    return symbols, 1.0 / math.cos(math.pi * (size // 2) / NUM_FREQUENCIES) ** 2


def _normalized(matrices):
    """`(matrices / norms, log(norms))`, Frobenius norms [...] of matrices [..., n, n]."""
    parts = [matrices]
    if matrices.dtype.is_complex:
        parts = [tf.math.real(matrices), tf.math.imag(matrices)]
    # Logarithms stay finite: a kernel of zeros gets a bound next to 0.
    least = np.finfo(parts[0].dtype.as_numpy_dtype).tiny
    squares = tf.add_n([tf.reduce_sum(tf.square(part), axis=[-2, -1]) for part in parts])
    squares = tf.maximum(squares, least)
    norms = tf.sqrt(squares)[..., tf.newaxis, tf.newaxis]
    parts = [part / norms for part in parts]
    return tf.complex(*parts) if len(parts) == 2 else parts[0], 0.5 * tf.math.log(squares)
