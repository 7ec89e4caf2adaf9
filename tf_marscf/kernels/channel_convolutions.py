"""The two convolutions before and after the ConvLSTM, when it runs one step at a time.

    embed:   x = conv(group) + offset,            g channels -> C
    output:  (mean, log_scale) = conv(h) + bias,  C channels -> 2 g

A group is the g channels of l that belong to a step. Both have so few channels on one side that
preparing a convolution takes longer than computing it.
On small maps they are products with dense matrices instead, in the layout of the ConvLSTM, so that
nothing is transposed from step to step.
"""

import numpy as np
import tensorflow as tf

from tf_marscf.kernels import choices
from tf_marscf.kernels.convolution import convolve
from tf_marscf.kernels.step_convolution import DirectConvolution


class ImageChannels:
    """Convolutions of images; a group is [N, H, W, g].

    Args:
        convolution: of the ConvLSTM.
        group_size: g.
    """

    channel_axis = -1  # Of a group.

    def __init__(self, convolution, group_size=1):
        self._convolution = convolution
        self._group_size = group_size

    def prepare(self, input_kernel, offset, output_kernel, output_bias):
        """The weights as the other methods take them.

        Args:
            input_kernel: [k, k, g, C].
            offset: [N, H, W, C], or [C].
            output_kernel: [k, k, C, 2 g], means first.
            output_bias: [2 g].
        """
        return (input_kernel, offset), (output_kernel, output_bias)

    def from_images(self, maps):
        """[N, H, W, T * g] -> T groups, stacked along the first axis."""
        groups = tf.reshape(
            maps, [-1, *maps.shape[1:3], maps.shape[3] // self._group_size, self._group_size]
        )
        return tf.transpose(groups, [3, 0, 1, 2, 4])

    def to_images(self, groups):
        """The inverse of `from_images`."""
        maps = tf.transpose(groups, [1, 2, 3, 0, 4])
        return tf.reshape(maps, [-1, *maps.shape[1:3], maps.shape[3] * self._group_size])

    def embed(self, group, weights):
        """A group -> x, in the layout of the ConvLSTM; the first of the prepared weights."""
        kernel, offset = weights
        return self._convolution.from_images(convolve(group, kernel) + offset)

    def output(self, maps, weights):
        """The ConvLSTM's output -> `(mean, log_scale)`, shaped as a group; the second of them."""
        kernel, bias = weights
        return tf.split(convolve(self._convolution.to_images(maps), kernel) + bias, 2, axis=-1)


class _SpectralChannels:
    """Base: a group is [g * P * d * d, N], as in the layout of a `SpectralConvolution`.

    Its rows are in the order (channel, pixel of a phase, phase), so that no step transposes
    anything.

    Args:
        image_size: (H, W).
        convolution: of the ConvLSTM, with the layout [P, C, d * d * N].
        group_size: g.
    """

    channel_axis = 0  # Of a group: its channels lie one after another.

    def __init__(self, image_size, convolution, group_size=1):
        self._image_size = image_size
        self._convolution = convolution
        self._group_size = group_size
        self._num_pixels = image_size[0] * image_size[1]

    def from_images(self, maps):
        """[N, H, W, T * g] -> T groups, stacked along the first axis."""
        channels = tf.transpose(self._convolution.from_images(maps), [1, 0, 2])
        num_groups = maps.shape[-1] // self._group_size
        return tf.reshape(channels, [num_groups, self._group_size * self._num_pixels, -1])

    def to_images(self, groups):
        """The inverse of `from_images`."""
        num_channels = groups.shape[0] * self._group_size
        maps = tf.reshape(groups, [num_channels, self._convolution.num_pixels, -1])
        return self._convolution.to_images(tf.transpose(maps, [1, 0, 2]))

    def _offset_maps(self, offset):
        """[N, H, W, C], or [C] -> what broadcasts in the layout of the ConvLSTM."""
        is_bias = offset.shape.rank == 1
        return offset[:, tf.newaxis] if is_bias else self._convolution.from_images(offset)


class DenseChannels(_SpectralChannels):
    """Products with dense matrices, for small maps without phases."""

    def prepare(self, input_kernel, offset, output_kernel, output_bias):
        """As of `ImageChannels`."""
        matrix = tf.transpose(_dense(input_kernel, self._image_size), [0, 3, 2, 1])
        input_matrix = tf.reshape(matrix, [-1, self._group_size * self._num_pixels])
        matrix = tf.transpose(_dense(output_kernel, self._image_size), [3, 0, 1, 2])
        output_matrix = tf.reshape(matrix, [2 * self._group_size * self._num_pixels, -1])
        bias = tf.repeat(output_bias, self._num_pixels)[:, tf.newaxis]
        return (input_matrix, self._offset_maps(offset)), (output_matrix, bias)

    def embed(self, group, weights):
        """As of `ImageChannels`."""
        matrix, offset = weights
        maps = tf.matmul(matrix, group)
        return tf.reshape(maps, [self._num_pixels, offset.shape[-2], -1]) + offset

    def output(self, maps, weights):
        """As of `ImageChannels`."""
        matrix, bias = weights
        flat = tf.reshape(maps, [matrix.shape[1], -1])
        return tf.split(tf.matmul(matrix, flat) + bias, 2, axis=0)


class GatheredChannels(_SpectralChannels):
    """Gathers neighbours, for maps with phases and for large ones.

    Args:
        image_size: (H, W).
        convolution: of the ConvLSTM.
        input_size: odd `int`, of the input kernel.
        output_size: odd `int`, of the output kernel.
        group_size: g.
    """

    def __init__(self, image_size, convolution, input_size, output_size, group_size=1):
        super().__init__(image_size, convolution, group_size)
        self._num_phases = convolution.num_phases
        num_parts = self._num_phases**2
        # [pixel of a phase, (tap, channel), phase]: the row of the group that is read.
        sources = _sources(image_size, self._num_phases, input_size)[..., np.newaxis]
        rows = sources + np.arange(group_size) * self._num_pixels
        rows = np.where(sources == self._num_pixels, group_size * self._num_pixels, rows)
        rows = rows.reshape(-1, num_parts, rows.shape[1] * group_size)
        self._input_index = rows.swapaxes(1, 2)
        sources = _sources(image_size, self._num_phases, output_size)
        num_taps, num_outputs = sources.shape[1], 2 * group_size
        # Products are rows (pixel of a phase, tap, output, phase), and a row of zeros.
        pixel, phase = np.divmod(sources, num_parts)
        index = ((pixel * num_taps + np.arange(num_taps)) * num_outputs * num_parts + phase) + (
            np.arange(num_outputs)[:, np.newaxis, np.newaxis] * num_parts
        )
        num_rows = self._num_pixels * num_taps * num_outputs
        self._output_index = np.where(sources == self._num_pixels, num_rows, index)

    def prepare(self, input_kernel, offset, output_kernel, output_bias):
        """As of `ImageChannels`."""
        num_hidden = input_kernel.shape[-1]
        input_matrix = tf.transpose(tf.reshape(input_kernel, [-1, num_hidden]))[tf.newaxis]
        matrix = tf.transpose(output_kernel, [0, 1, 3, 2])
        output_matrix = tf.reshape(matrix, [1, -1, num_hidden])
        bias = output_bias[:, tf.newaxis, tf.newaxis]
        return (input_matrix, self._offset_maps(offset)), (output_matrix, bias)

    def embed(self, group, weights):
        """As of `ImageChannels`."""
        matrix, offset = weights
        neighbours = tf.gather(_with_zeros(group), self._input_index)
        neighbours = tf.reshape(neighbours, [*self._input_index.shape[:2], -1])
        return tf.matmul(matrix, neighbours) + offset

    def output(self, maps, weights):
        """As of `ImageChannels`."""
        matrix, bias = weights
        products = tf.matmul(matrix, maps)
        num_rows = products.shape[0] * products.shape[1] * self._num_phases**2
        rows = _with_zeros(tf.reshape(products, [num_rows, -1]))
        outputs = tf.reduce_sum(tf.gather(rows, self._output_index), axis=2) + bias
        return tf.unstack(tf.reshape(outputs, [2, self._group_size * self._num_pixels, -1]))


def channel_convolutions(image_size, convolution, input_size, output_size, group_size=1):
    """Whichever is fastest, by `choices.channel_convolutions`.

    Args:
        image_size: (H, W).
        convolution: of the ConvLSTM.
        input_size: odd `int`, of the kernel from a group to the ConvLSTM.
        output_size: odd `int`, of the kernel from the ConvLSTM to `(mean, log_scale)`.
        group_size: g, channels of a step.
    """
    choice = choices.channel_convolutions(
        image_size[0] * image_size[1],
        convolution.num_phases,
        isinstance(convolution, DirectConvolution),
    )
    if choice == "image":
        return ImageChannels(convolution, group_size)
    if choice == "dense":
        return DenseChannels(image_size, convolution, group_size)
    return GatheredChannels(image_size, convolution, input_size, output_size, group_size)


def _with_zeros(rows):
    """Appends a row of zeros."""
    return tf.concat([rows, tf.zeros_like(rows[:1])], axis=0)


def _sources(image_size, num_phases, kernel_size):
    """The pixels that each tap of a 'same' convolution reads, [H * W, k * k]; H * W is outside.

    Both pixels are numbered in the order (pixel of a phase, phase).
    """
    height, width = image_size
    order = np.arange(height * width).reshape(
        height // num_phases, num_phases, width // num_phases, num_phases
    )
    order = order.transpose(0, 2, 1, 3).ravel()
    number = np.empty(height * width + 1, np.int64)
    number[order] = np.arange(height * width)
    number[-1] = height * width
    reach = kernel_size // 2
    taps = np.arange(kernel_size) - reach
    row = order[:, np.newaxis, np.newaxis] // width + taps[:, np.newaxis]
    column = order[:, np.newaxis, np.newaxis] % width + taps
    inside = (0 <= row) & (row < height) & (0 <= column) & (column < width)
    pixels = np.where(inside, row * width + column, height * width)
    return number[pixels.reshape(height * width, -1)]


def _dense(kernel, image_size):
    """A 'same' convolution as a matrix: [k, k, C_in, C_out] -> [P, P, C_in, C_out].

    Entry (p, q) is the tap through which pixel q of the input reaches pixel p of the output.
    """
    sources = _sources(image_size, 1, kernel.shape[0])
    num_pixels, num_taps = sources.shape
    taps = _with_zeros(tf.reshape(kernel, [num_taps, *kernel.shape[2:]]))
    index = np.full([num_pixels, num_pixels + 1], num_taps)
    index[np.arange(num_pixels)[:, np.newaxis], sources] = np.arange(num_taps)
    return tf.gather(taps, index[:, :num_pixels])
