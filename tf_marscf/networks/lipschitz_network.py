"""The network inside a residual block."""

import math
from typing import NamedTuple

import tensorflow as tf

from tf_marscf.kernels.convolution import convolve, transposed_kernel
from tf_marscf.networks.initializers import fan_in_uniform, spawn_seeds
from tf_marscf.networks.spectral_norm import spectral_norm_bound

_KERNEL_SIZES = (3, 1, 3)
_GREATEST_SLOPE = 1.1  # Of x sigmoid(beta x), whatever beta: 1.0998.
_INITIAL_SHARPNESS = 0.5  # The published code's, before the softplus.


class LipschitzNetwork(tf.Module):
    """Three convolutions of maps, each after a LipSwish, with a Lipschitz constant of at most c.

        g = conv_3x3 . lip_swish . conv_1x1 . lip_swish . conv_3x3 . lip_swish
        lip_swish(x) = x sigmoid(softplus(b) x) / 1.1,      b learned, |slope| < 1

    (Residual Flows: Chen et al., 2019, Sections 3.3 and 4.) Each kernel is its weights K times

        min(1, c^(1/3) / bound(K)),     bound(K) >= ||conv||: see `spectral_norm_bound`

    Args:
        num_channels: C of the maps.
        hidden_channels: channels between the convolutions.
        coefficient: c, above 0 and below 1.
        seed: Python `int` or None, seed of the initial weights.
        dtype: float dtype.
        name: Python `str`.
    """

    def __init__(
        self, num_channels, hidden_channels, coefficient, seed=None, dtype=tf.float32, name=None
    ):
        super().__init__(name=name)
        self.coefficient = coefficient
        widths = (num_channels, hidden_channels, hidden_channels, num_channels)
        seeds = spawn_seeds(seed, len(_KERNEL_SIZES))
        self.weights = []
        self.biases = []
        layers = zip(_KERNEL_SIZES, widths[:-1], widths[1:], seeds, strict=True)
        for number, (size, inputs, outputs, layer_seed) in enumerate(layers, start=1):
            initial = fan_in_uniform(layer_seed)([size, size, inputs, outputs], dtype=dtype)
            self.weights.append(tf.Variable(initial, name=f"kernel_{number}"))
            self.biases.append(tf.Variable(tf.zeros([outputs], dtype), name=f"bias_{number}"))
        initial = tf.fill([len(_KERNEL_SIZES)], tf.constant(_INITIAL_SHARPNESS, dtype))
        self.sharpness = tf.Variable(initial, name="sharpness")

    def function(self):
        """The `LipschitzFunction` of the weights as they are: they are read, and bounded, here."""
        limit = self.coefficient ** (1.0 / len(_KERNEL_SIZES))
        kernels, constants = [], []
        for weights in self.weights:
            kernel = tf.convert_to_tensor(weights)
            bound = spectral_norm_bound(kernel)
            # At least the limit: no division by what may be zero.
            kernels.append(kernel * (limit / tf.maximum(bound, limit)))
            constants.append(tf.minimum(bound, limit))
        return LipschitzFunction(
            tuple(kernels),
            tuple(tf.convert_to_tensor(bias) for bias in self.biases),
            tuple(tf.unstack(tf.nn.softplus(tf.convert_to_tensor(self.sharpness)))),
            math.prod(constants[1:], start=constants[0]),
        )


class LipschitzFunction(NamedTuple):
    """What a `LipschitzNetwork` computes, with its weights as tensors.

    Attributes:
        kernels, biases: of each convolution.
        sharpness: softplus(b) of each LipSwish.
        constant: a Lipschitz constant of the function, a scalar of at most c.
    """

    kernels: tuple
    biases: tuple
    sharpness: tuple
    constant: tf.Tensor

    def value_and_jacobian(self, maps):
        """`(g(maps), Jacobian)` of maps [N, H, W, C]: the `Jacobian` there."""
        slopes = []
        for kernel, bias, sharpness in zip(self.kernels, self.biases, self.sharpness, strict=True):
            gate = tf.sigmoid(sharpness * maps)
            swish = maps * gate
            slopes.append((gate + sharpness * swish * (1.0 - gate)) / _GREATEST_SLOPE)
            maps = tf.nn.bias_add(convolve(swish / _GREATEST_SLOPE, kernel), bias)
        return maps, Jacobian(self.kernels, tuple(slopes))

    def __call__(self, maps):
        """[N, H, W, C] -> [N, H, W, C]."""
        return self.value_and_jacobian(maps)[0]

    def without_gradients(self):
        """The same function; no gradient flows to its weights."""
        return LipschitzFunction(*tf.nest.map_structure(tf.stop_gradient, tuple(self)))


class Jacobian(NamedTuple):
    """J = dg/dx at each image of a batch, as the product of what each layer does there.

    Attributes:
        kernels: of each convolution.
        slopes: of each LipSwish where the maps met it, [N, H, W, its channels].
    """

    kernels: tuple
    slopes: tuple

    def transposed_product(self, maps):
        """J^T v for maps v, [N, H, W, C]."""
        for kernel, slope in zip(reversed(self.kernels), reversed(self.slopes), strict=True):
            maps = slope * convolve(maps, transposed_kernel(kernel))
        return maps

    def repeated(self, count):
        """That of a batch which holds each image `count` times, one image after another."""
        return Jacobian(self.kernels, tuple(tf.repeat(one, count, axis=0) for one in self.slopes))

    def without_gradients(self):
        """The same matrices; no gradient flows to what they depend on."""
        return Jacobian(*tf.nest.map_structure(tf.stop_gradient, tuple(self)))
