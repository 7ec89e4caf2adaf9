"""The convolution of a recurrent layer, in the layout in which it is fastest.

The classes here apply one 'same' convolution of stride 1, step after step, and have its gradients
as methods. Maps are kept in a layout of the class's own, so that a recurrence converts its maps
once, outside of its loop. Kernels are prepared once, too.
"""

import math

import numpy as np
import tensorflow as tf

from tf_marscf.kernels import choices
from tf_marscf.kernels.convolution import convolve, kernel_gradient, transposed_kernel
from tf_marscf.kernels.spectral_matrices import num_frequencies, spectral_matrices


class StepConvolution:
    """What all have in common: the geometry of the maps, and their layout.

    Args:
        height: H of the maps.
        width: W of the maps.
        kernel_size: odd `int` k.
        dilation: `int` d >= 1. Where d divides H and W, the d * d phases of the maps (see
            `convolution.py`) lie in the batch.
        dtype: of the maps.
    """

    # The name of the choice, as of `choices.py`.
    choice = None
    # The order of the axes [N, H / d, d, W / d, d, C] in the layout, and the axis of the channels.
    _axes = ()
    channel_axis = None

    def __init__(self, height, width, kernel_size, dilation=1, dtype=tf.float32):
        self._geometry = (height, width, kernel_size, dilation, dtype)
        self._image_size = (height, width)
        self.num_phases = _num_phases(height, width, dilation)  # d, of d * d in an image.
        self._phase_size = (height // self.num_phases, width // self.num_phases)
        self.num_pixels = math.prod(self._phase_size)  # P, of a phase.
        self._kernel_size = kernel_size
        self._dilation = dilation // self.num_phases

    def _maps_shape(self, num_channels):
        """The shape of maps in this layout, -1 where the images are."""
        raise NotImplementedError

    def _split_shape(self, num_channels):
        """[N, H / d, d, W / d, d, C]."""
        (height, width), phases = self._phase_size, self.num_phases
        return [-1, height, phases, width, phases, num_channels]

    def from_images(self, images):
        """[..., N, H, W, C] -> maps in this class's layout, with the same further leading axes."""
        leading, num_channels = images.shape[:-4], images.shape[-1]
        maps = tf.reshape(images, [*leading, *self._split_shape(num_channels)])
        maps = tf.transpose(maps, _permutation(leading, self._axes))
        return tf.reshape(maps, [*leading, *self._maps_shape(num_channels)])

    def to_images(self, maps):
        """The inverse of `from_images`."""
        num_channels = maps.shape[self.channel_axis]
        leading = maps.shape[: -len(self._maps_shape(num_channels))]
        split_shape = self._split_shape(num_channels)
        maps = tf.reshape(maps, [*leading, *(split_shape[axis] for axis in self._axes)])
        maps = tf.transpose(maps, _permutation(leading, np.argsort(self._axes)))
        return tf.reshape(maps, [*leading, -1, *self._image_size, num_channels])

    def zeros(self, num_images, num_channels, dtype):
        """Zeros, the maps of so many images in this class's layout."""
        num_maps = num_images * self.num_phases**2
        shape = [num_maps if size == -1 else size for size in self._maps_shape(num_channels)]
        return tf.zeros(shape, dtype)

    def for_steps(self, num_images):
        """The convolution that is fastest for single steps of so many images (None: any number).

        XLA compiles such steps and fuses what is between products.
        """
        *_, dtype = self._geometry
        num_maps = num_images and num_images * self.num_phases**2
        kernel_fits = self._dilation * (self._kernel_size - 1) < min(self._phase_size)
        choice = choices.single_step_convolution(self.choice, num_maps, dtype, kernel_fits)
        return self if choice == self.choice else _convolution_of_choice(choice, self._geometry)


class DirectConvolution(StepConvolution):
    """Sums of products, by TensorFlow's convolution; layout [N * d * d, H / d, W / d, C]."""

    choice = "direct"
    _axes = (0, 2, 4, 1, 3, 5)
    channel_axis = -1

    def _maps_shape(self, num_channels):
        return [-1, *self._phase_size, num_channels]

    def prepare(self, kernel):
        """[k, k, C_in, C_out] -> the kernel as the other methods take it."""
        return kernel

    def prepare_bias(self, bias, maps):
        """[C_out] -> the bias as `sigmoid` takes it, for maps like these."""
        del maps
        return bias

    def sigmoid(self, maps, kernel, bias):
        """The sigmoid of convolution and bias, [..., C_in] -> [..., C_out]; weights prepared."""
        return tf.sigmoid(tf.nn.bias_add(convolve(maps, kernel, self._dilation), bias))

    def input_gradient(self, output_gradient, kernel):
        """The gradient of the convolution to its maps."""
        return convolve(output_gradient, transposed_kernel(kernel), self._dilation)

    def kernel_gradient(self, maps, output_gradients):
        """The gradient of the convolution to its prepared kernel, from all steps [T, ...]."""
        size = self._kernel_size
        return kernel_gradient(
            tf.reshape(maps, [-1, *maps.shape[2:]]),
            tf.reshape(output_gradients, [-1, *output_gradients.shape[2:]]),
            [size, size, maps.shape[-1], output_gradients.shape[-1]],
            self._dilation,
        )


class _SpectralLayout(StepConvolution):
    """Base: products of Fourier transforms; layout [P, C, d * d * N].

    All of it is matrix products: see `spectral_matrices.py`. With the images last, channels are
    split and concatenated in long runs.
    """

    _axes = (1, 3, 5, 2, 4, 0)
    channel_axis = -2

    def __init__(self, height, width, kernel_size, dilation=1, dtype=tf.float32):
        super().__init__(height, width, kernel_size, dilation, dtype)
        matrices = spectral_matrices(*self._phase_size, kernel_size, self._dilation)
        self._analysis, self._kernel_analysis, self._synthesis = (
            tf.constant(matrix, dtype) for matrix in matrices
        )

    def _maps_shape(self, num_channels):
        return [self.num_pixels, num_channels, -1]

    def prepare_bias(self, bias, maps):
        """As of `DirectConvolution`."""
        # One bias a column of the last matrix product: so TensorFlow computes bias and sigmoid in
        # that product's epilogue.
        return tf.repeat(bias, tf.shape(maps)[-1])

    def sigmoid(self, maps, kernel, bias):
        """The sigmoid of convolution and bias, [P, C_in, N] -> [P, C_out, N]; weights prepared."""
        products = tf.reshape(self._products(maps, kernel), [self._synthesis.shape[1], -1])
        outputs = tf.sigmoid(tf.nn.bias_add(tf.matmul(self._synthesis, products), bias))
        return tf.reshape(outputs, [self.num_pixels, kernel.shape[1] // 2, -1])

    def _products(self, maps, kernel):
        """The products of all frequencies, real above imaginary parts, [F, 2 C_out, N]."""
        raise NotImplementedError


class SpectralConvolution(_SpectralLayout):
    """For all steps; a prepared kernel has a real 2 x 2 block a frequency, [F, 2 C_out, 2 C_in]."""

    choice = "spectral"

    def prepare(self, kernel):
        """[k, k, C_in, C_out] -> [F, 2 C_out, 2 C_in]."""
        inputs, outputs = kernel.shape[2:]
        blocks = _transformed_kernel(self._kernel_analysis, kernel)
        blocks = tf.transpose(tf.reshape(blocks, [-1, 2, 2, outputs, inputs]), [0, 1, 3, 2, 4])
        return tf.reshape(blocks, [-1, 2 * outputs, 2 * inputs])

    def _products(self, maps, kernel):
        return tf.matmul(kernel, self._features(self._analysis, maps))

    def input_gradient(self, output_gradient, kernel):
        """The gradient of the convolution to its maps."""
        products = self._features(self._synthesis, output_gradient, transpose=True)
        products = tf.matmul(kernel, products, transpose_a=True)
        products = tf.reshape(products, [self._analysis.shape[0], kernel.shape[2] // 2, -1])
        return _over_first_axis(self._analysis, products, transpose=True)

    def kernel_gradient(self, maps, output_gradients):
        """The gradient of the convolution to its prepared kernel, from all steps [T, P, C, N]."""
        inputs = self._features(self._analysis, _fold_steps(maps))
        outputs = self._features(self._synthesis, _fold_steps(output_gradients), transpose=True)
        return tf.matmul(outputs, inputs, transpose_b=True)

    @staticmethod
    def _features(matrix, maps, transpose=False):
        """[P, C, N] -> [F, 2 C, N], real above imaginary parts."""
        features = _over_first_axis(matrix, maps, transpose)
        return tf.reshape(features, [features.shape[0] // 2, 2 * maps.shape[1], -1])


class CompactSpectralConvolution(_SpectralLayout):
    """For single steps of few maps: kernels, [F, 2 C_out, C_in], take half as long to read.

    They have real and imaginary parts once. Both multiply both parts of the maps:

        [c; d] (a, b) = [c a, c b; d a, d b],    (re, im) = (c a - d b, d a + c b)
    """

    choice = "compact"

    def prepare(self, kernel):
        """[k, k, C_in, C_out] -> [F, 2 C_out, C_in], the first columns of the blocks."""
        inputs, outputs = kernel.shape[2:]
        columns = _transformed_kernel(self._kernel_analysis[::2], kernel)
        return tf.reshape(columns, [-1, 2 * outputs, inputs])

    def _products(self, maps, kernel):
        num_frequencies, outputs, inputs = kernel.shape[0], kernel.shape[1] // 2, kernel.shape[2]
        features = _over_first_axis(self._analysis, maps)
        features = tf.reshape(features, [num_frequencies, 2, inputs, -1])
        features = tf.transpose(features, [0, 2, 1, 3])
        products = tf.matmul(kernel, tf.reshape(features, [num_frequencies, inputs, -1]))
        products = tf.reshape(products, [num_frequencies, 2, outputs, 2, -1])
        of_real, of_imaginary = tf.unstack(products, axis=1)
        real = of_real[:, :, 0] - of_imaginary[:, :, 1]
        imaginary = of_imaginary[:, :, 0] + of_real[:, :, 1]
        return tf.concat([real, imaginary], axis=1)


def fastest_convolution(height, width, kernel_size, dilation, channels, dtype):
    """The convolution with the least work for maps of one size, by `choices.step_convolution`.

    Args:
        height: H of the maps.
        width: W of the maps.
        kernel_size: odd `int`.
        dilation: `int` >= 1.
        channels: C of a ConvLSTM: 2 C channels are mapped to 4 C.
        dtype: of the maps. Half precision and TensorFloat-32 are too coarse for Fourier transforms.

    Returns:
        A `DirectConvolution` or a `SpectralConvolution`.
    """
    phases = _num_phases(height, width, dilation)
    size = (height // phases, width // phases)
    num_pixels, inputs, outputs = math.prod(size), 2 * channels, 4 * channels
    direct = num_pixels * kernel_size**2 * inputs * outputs
    frequencies = num_frequencies(*size, kernel_size, dilation // phases)
    transforms = 2 * frequencies * num_pixels * (inputs + outputs)
    spectral = transforms + 4 * frequencies * inputs * outputs
    dtype = tf.as_dtype(dtype)
    choice = choices.step_convolution(direct, spectral, dtype)
    return _convolution_of_choice(choice, (height, width, kernel_size, dilation, dtype))


def _convolution_of_choice(choice, geometry):
    kinds = (DirectConvolution, SpectralConvolution, CompactSpectralConvolution)
    (kind,) = (kind for kind in kinds if kind.choice == choice)
    return kind(*geometry)


def _num_phases(height, width, dilation):
    """The dilation that can be undone once for all maps: all of it, or none."""
    return dilation if height % dilation == 0 and width % dilation == 0 else 1


def _permutation(leading, axes):
    """A permutation of the last axes that leaves the leading ones in place."""
    return [*range(len(leading)), *(len(leading) + axis for axis in axes)]


def _fold_steps(sequence):
    """[T, P, C, N] -> [P, C, T * N]."""
    _, num_pixels, channels, _ = sequence.shape
    return tf.reshape(tf.transpose(sequence, [1, 2, 0, 3]), [num_pixels, channels, -1])


def _transformed_kernel(matrix, kernel):
    """[k, k, C_in, C_out] -> [R, C_out, C_in], by a matrix [R, k * k]."""
    inputs, outputs = kernel.shape[2:]
    taps = tf.reshape(tf.transpose(kernel, [0, 1, 3, 2]), [-1, outputs, inputs])
    return _over_first_axis(matrix, taps)


def _over_first_axis(matrix, maps, transpose=False):
    """Multiplies the first axis of [P, C, N] by a matrix [R, P], or by the transpose of [P, R]."""
    num_outputs = matrix.shape[1 if transpose else 0]
    products = tf.matmul(matrix, tf.reshape(maps, [maps.shape[0], -1]), transpose_a=transpose)
    return tf.reshape(products, [num_outputs, maps.shape[1], -1])
