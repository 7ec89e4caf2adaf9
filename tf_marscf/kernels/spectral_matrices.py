"""A 'same' convolution of small maps as matrix products.

Maps of H x W pixels are extended with zeros to (H + r) x (W + r), r the reach of the kernel, so
that a circular convolution never mixes the two ends. There the discrete Fourier transform turns the
convolution into one complex product a frequency. With x = a + i b and k = c + i d it is the real
product

    (re, im) = [[c, -d], [d, c]] (a, b)

Real maps have conjugate frequencies in pairs, one of which is enough: F remain. All else is linear,
so that with matrices A (analysis), G and S (synthesis)

    y = S ((G k) (A x)),      F real 2 x 2 blocks a pair of channels

An 8 x 8 map and a 5 x 5 kernel take 208 products instead of 1,600. The transforms are orthogonal up
to a scale, so that no digits are lost. (Toom, Cook and Winograd wrote convolutions in this form.)
"""

import functools

import numpy as np

_MAX_KEPT = 32  # Geometries: a model has one or two a level.


@functools.lru_cache(maxsize=_MAX_KEPT)
def spectral_matrices(height, width, kernel_size, dilation=1):
    """The matrices of one geometry, kept for the next call: eager ones would wait for them.

    Args:
        height: H of the maps.
        width: W of the maps.
        kernel_size: odd `int` k.
        dilation: `int` >= 1, of the kernel.

    Returns:
        float64 arrays `(analysis, kernel_analysis, synthesis)`, read-only: [2 F, H * W], the real
        and the imaginary part of each frequency; [4 F, k * k], the rows of each block;
        [H * W, 2 F].
    """
    reach = kernel_size // 2 * dilation
    num_rows, num_columns = height + reach, width + reach
    rows, columns = _coordinates(np.arange(height), np.arange(width))
    taps = (np.arange(kernel_size) - kernel_size // 2) * dilation
    tap_rows, tap_columns = _coordinates(taps, taps)
    analysis, kernel_analysis, synthesis = [], [], []
    for row in range(num_rows):
        for column in range(num_columns):
            conjugate = (-row % num_rows, -column % num_columns)
            if conjugate < (row, column):
                continue
            turns = np.array([row / num_rows, column / num_columns]) * 2.0 * np.pi
            angle = turns[0] * rows + turns[1] * columns
            tap_angle = turns[0] * tap_rows + turns[1] * tap_columns
            cosine, sine = np.cos(angle), np.sin(angle)
            real, imaginary = np.cos(tap_angle), np.sin(tap_angle)
            analysis += [cosine, -sine]
            kernel_analysis += [real, -imaginary, imaginary, real]
            # Twice where it stands for its conjugate too.
            weight = 1.0 if conjugate == (row, column) else 2.0
            synthesis += [weight * cosine, -weight * sine]
    matrices = (
        np.array(analysis),
        np.array(kernel_analysis),
        np.array(synthesis).T / (num_rows * num_columns),
    )
    for matrix in matrices:
        matrix.flags.writeable = False
    return matrices


def num_frequencies(height, width, kernel_size, dilation=1):
    """F of `spectral_matrices` with the same arguments."""
    reach = kernel_size // 2 * dilation
    sizes = (height + reach, width + reach)
    num_self_conjugate = np.prod([2 - size % 2 for size in sizes])
    return int(np.prod(sizes) + num_self_conjugate) // 2


def _coordinates(rows, columns):
    """The two coordinates of each point of a grid, flattened."""
    return tuple(grid.ravel() for grid in np.meshgrid(rows, columns, indexing="ij"))
