"""The convolution of a recurrent layer, in the layout in which it is fastest.

The classes here apply one 'same' convolution of stride 1, step after step, and have its gradients
as methods. Maps are kept in a layout of the class's own, so that a recurrence converts its maps
once, outside of its loop. Kernels are prepared once, too.
"""

import math

import tensorflow as tf

from tf_marscf.kernels.convolution import convolve, kernel_gradient, transposed_kernel
from tf_marscf.kernels.spectral_matrices import num_frequencies, spectral_matrices
from tf_marscf.kernels.tensor_float_32 import uses_tensor_float_32

# An operation of many small matrix products takes longer than one of a large convolution.
_SPECTRAL_COST = 1.5
# So few maps take less time to multiply than their kernel takes to read.
_MAX_COMPACT_MAPS = 8


class StepConvolution:
    """What all have in common: the geometry of the maps.

    Args:
        height: H of the maps.
        width: W of the maps.
        kernel_size: odd `int` k.
        dilation: `int` d >= 1. Where d divides H and W, the d * d phases of the maps (see
            `convolution.py`) lie in the batch.
    """

    def __init__(self, height, width, kernel_size, dilation=1):
        self._image_size = (height, width)
        self._num_phases = _num_phases(height, width, dilation)
        self._phase_size = (height // self._num_phases, width // self._num_phases)
        self._kernel_size = kernel_size
        self._dilation = dilation // self._num_phases

    def _split_phases(self, images, axes):
        """[..., N, H, W, C] -> [..., N, H / d, d, W / d, d, C], these axes in another order."""
        leading, (height, width) = images.shape[:-4], self._phase_size
        phases = self._num_phases
        sizes = [-1, height, phases, width, phases, images.shape[-1]]
        return tf.transpose(tf.reshape(images, [*leading, *sizes]), _behind(leading, axes))

    def _merge_phases(self, maps, leading, axes):
        """Axes of any order, as of `_split_phases`, -> [..., N, H, W, C]."""
        maps = tf.transpose(maps, _behind(leading, axes))
        return tf.reshape(maps, [*leading, -1, *self._image_size, maps.shape[-1]])


class DirectConvolution(StepConvolution):
    """Sums of products, by TensorFlow's convolution; layout [N * d * d, H / d, W / d, C]."""

    channel_axis = -1

    def from_images(self, images):
        """[..., N, H, W, C] -> maps in this class's layout, with the same further leading axes."""
        maps = self._split_phases(images, [0, 2, 4, 1, 3, 5])
        return tf.reshape(maps, [*images.shape[:-4], -1, *self._phase_size, images.shape[-1]])

    def to_images(self, maps):
        """The inverse of `from_images`."""
        leading, phases = maps.shape[:-4], self._num_phases
        sizes = [-1, phases, phases, *self._phase_size, maps.shape[-1]]
        return self._merge_phases(tf.reshape(maps, [*leading, *sizes]), leading, [0, 3, 1, 4, 2, 5])

    def for_steps(self, num_images):
        """The convolution that is fastest for single steps of so many images: this one."""
        del num_images
        return self

    def zeros(self, num_images, num_channels, dtype):
        """Zeros, the maps of so many images in this class's layout."""
        num_maps = num_images * self._num_phases**2
        return tf.zeros([num_maps, *self._phase_size, num_channels], dtype)

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


class SpectralConvolution(StepConvolution):
    """Products of Fourier transforms; layout [P, C, d * d * N] with P = H * W / (d * d) pixels.

    All of it is matrix products: see `spectral_matrices.py`. A prepared kernel has a block of real
    and imaginary parts a frequency, [F, 2 C_out, 2 C_in]. With the images last, channels are split
    and concatenated in long runs.

    Args:
        height: H of the maps.
        width: W of the maps.
        kernel_size: odd `int`.
        dilation: `int` >= 1.
        dtype: of the maps.
    """

    channel_axis = -2

    def __init__(self, height, width, kernel_size, dilation=1, dtype=tf.float32):
        super().__init__(height, width, kernel_size, dilation)
        self._geometry = (height, width, kernel_size, dilation, dtype)
        matrices = spectral_matrices(*self._phase_size, kernel_size, self._dilation)
        self._analysis, self._kernel_analysis, self._synthesis = (
            tf.constant(matrix, dtype) for matrix in matrices
        )

    @property
    def num_pixels(self):
        """P."""
        return math.prod(self._phase_size)

    @property
    def num_phases(self):
        """d, of which d * d phases of each image lie beside each other."""
        return self._num_phases

    def from_images(self, images):
        """[..., N, H, W, C] -> maps in this class's layout, with the same further leading axes."""
        maps = self._split_phases(images, [1, 3, 5, 2, 4, 0])
        return tf.reshape(maps, [*images.shape[:-4], self.num_pixels, images.shape[-1], -1])

    def to_images(self, maps):
        """The inverse of `from_images`."""
        leading, phases = maps.shape[:-3], self._num_phases
        sizes = [*self._phase_size, maps.shape[-2], phases, phases, -1]
        return self._merge_phases(tf.reshape(maps, [*leading, *sizes]), leading, [5, 0, 3, 1, 4, 2])

    def zeros(self, num_images, num_channels, dtype):
        """Zeros, the maps of so many images in this class's layout."""
        num_maps = num_images * self._num_phases**2
        return tf.zeros([self.num_pixels, num_channels, num_maps], dtype)

    def prepare(self, kernel):
        """[k, k, C_in, C_out] -> [F, 2 C_out, 2 C_in]."""
        inputs, outputs = kernel.shape[2:]
        kernel = tf.reshape(tf.transpose(kernel, [0, 1, 3, 2]), [-1, outputs, inputs])
        blocks = _over_first_axis(self._kernel_analysis, kernel)
        blocks = tf.transpose(tf.reshape(blocks, [-1, 2, 2, outputs, inputs]), [0, 1, 3, 2, 4])
        return tf.reshape(blocks, [-1, 2 * outputs, 2 * inputs])

    def for_steps(self, num_images):
        """The convolution that is fastest for single steps of so many images (None: any number).

        XLA, which compiles such steps, joins what lies between the products.
        """
        is_compact = num_images and num_images * self._num_phases**2 <= _MAX_COMPACT_MAPS
        return CompactSpectralConvolution(*self._geometry) if is_compact else self

    def prepare_bias(self, bias, maps):
        """[C_out] -> the bias as `sigmoid` takes it, for maps like these."""
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


class CompactSpectralConvolution(SpectralConvolution):
    """A `SpectralConvolution` for few maps, whose kernels take half as long to read.

    A prepared kernel, [F, 2 C_out, C_in], has real and imaginary parts once. Both multiply both
    parts of the maps, which lie side by side:

        [c; d] (a, b) = [c a, c b; d a, d b],    (re, im) = (c a - d b, d a + c b)
    """

    def prepare(self, kernel):
        """[k, k, C_in, C_out] -> [F, 2 C_out, C_in]."""
        inputs, outputs = kernel.shape[2:]
        kernel = tf.reshape(tf.transpose(kernel, [0, 1, 3, 2]), [-1, outputs, inputs])
        # The first columns of the blocks.
        kernel = _over_first_axis(self._kernel_analysis[::2], kernel)
        return tf.reshape(kernel, [-1, 2 * outputs, inputs])

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

    def input_gradient(self, output_gradient, kernel):
        """Not there: autodiff takes the gradients of single steps."""
        raise NotImplementedError

    def kernel_gradient(self, maps, output_gradients):
        """Not there: autodiff takes the gradients of single steps."""
        raise NotImplementedError


def fastest_convolution(height, width, kernel_size, dilation, channels, dtype):
    """The convolution with the least work for maps of one size.

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
    is_coarse = dtype.size < 4 or (dtype == tf.float32 and uses_tensor_float_32())
    if not is_coarse and _SPECTRAL_COST * spectral < direct:
        return SpectralConvolution(height, width, kernel_size, dilation, dtype)
    return DirectConvolution(height, width, kernel_size, dilation)


def _num_phases(height, width, dilation):
    """The dilation that can be undone once for all maps: all of it, or none."""
    return dilation if height % dilation == 0 and width % dilation == 0 else 1


def _behind(leading, axes):
    """A permutation of the last axes that leaves the leading ones in place."""
    return [*range(len(leading)), *(len(leading) + axis for axis in axes)]


def _fold_steps(sequence):
    """[T, P, C, N] -> [P, C, T * N]."""
    _, num_pixels, channels, _ = sequence.shape
    return tf.reshape(tf.transpose(sequence, [1, 2, 0, 3]), [num_pixels, channels, -1])


def _over_first_axis(matrix, maps, transpose=False):
    """Multiplies the first axis of [P, C, N] by a matrix [R, P], or by the transpose of [P, R]."""
    num_outputs = matrix.shape[1 if transpose else 0]
    products = tf.matmul(matrix, tf.reshape(maps, [maps.shape[0], -1]), transpose_a=transpose)
    return tf.reshape(products, [num_outputs, maps.shape[1], -1])
