"""Two-dimensional convolutions with 'same' zero padding and stride 1, dilated ones included.

A convolution with dilation d never mixes pixels whose coordinates differ modulo d: it is the same
plain convolution on each of the d * d *phases* of the image. Every dilated convolution here runs as
a plain one over phases, because TensorFlow has no gradient of a dilated convolution on CPUs in
float64, and because a recurrence can split its maps once, outside its loop.
"""

import tensorflow as tf


def split_phases(maps, dilation):
    """Moves the d * d phases of each map into the batch.

    Args:
        maps: [N, H, W, C], H and W multiples of `dilation`.
        dilation: Python `int` d >= 1.

    Returns:
        [N * d * d, H / d, W / d, C].
    """
    if dilation == 1:
        return maps
    height, width, channels = maps.shape[1:]
    maps = tf.reshape(
        maps, [-1, height // dilation, dilation, width // dilation, dilation, channels]
    )
    maps = tf.transpose(maps, [0, 2, 4, 1, 3, 5])
    return tf.reshape(maps, [-1, height // dilation, width // dilation, channels])


def merge_phases(maps, dilation):
    """The inverse of `split_phases`."""
    if dilation == 1:
        return maps
    height, width, channels = maps.shape[1:]
    maps = tf.reshape(maps, [-1, dilation, dilation, height, width, channels])
    maps = tf.transpose(maps, [0, 3, 1, 4, 2, 5])
    return tf.reshape(maps, [-1, height * dilation, width * dilation, channels])


def _over_phases(function, maps, dilation):
    """Applies a plain convolution to each phase; pads with zeros to a multiple of the dilation."""
    height, width = maps.shape[1:3]
    padding = [[0, 0], [0, -height % dilation], [0, -width % dilation], [0, 0]]
    outputs = function(split_phases(tf.pad(maps, padding), dilation))
    return merge_phases(outputs, dilation)[:, :height, :width, :]


def convolve(maps, kernel, dilation=1):
    """Cross-correlation with 'same' zero padding.

    Args:
        maps: [N, H, W, C_in]; H, W and C_in are known statically where `dilation` > 1.
        kernel: [k, k, C_in, C_out], k odd.
        dilation: Python `int` >= 1.

    Returns:
        [N, H, W, C_out].
    """
    if dilation == 1:
        return tf.nn.conv2d(maps, kernel, strides=1, padding="SAME")
    return _over_phases(lambda phases: convolve(phases, kernel), maps, dilation)


def transposed_kernel(kernel):
    """The kernel whose convolution is the gradient of `convolve` to its input (odd sizes)."""
    return tf.transpose(tf.reverse(kernel, axis=[0, 1]), [0, 1, 3, 2])


def kernel_gradient(maps, output_gradient, kernel_shape, dilation=1):
    """The gradient of `convolve` to its kernel.

    Args:
        maps: [N, H, W, C_in], the input of the convolution.
        output_gradient: [N, H, W, C_out].
        kernel_shape: [k, k, C_in, C_out].
        dilation: Python `int` >= 1.

    Returns:
        [k, k, C_in, C_out].
    """
    if dilation > 1:
        padding = [[0, 0], [0, -maps.shape[1] % dilation], [0, -maps.shape[2] % dilation], [0, 0]]
        maps = split_phases(tf.pad(maps, padding), dilation)
        output_gradient = split_phases(tf.pad(output_gradient, padding), dilation)
    return tf.raw_ops.Conv2DBackpropFilter(
        input=maps,
        filter_sizes=kernel_shape,
        out_backprop=output_gradient,
        strides=[1, 1, 1, 1],
        padding="SAME",
    )
