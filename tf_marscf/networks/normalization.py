"""Weight-normalised layers and layer normalisation, with gradients written by hand."""

import keras
import tensorflow as tf

from tf_marscf.kernels.convolution import convolve
from tf_marscf.networks.initializers import fan_in_uniform, spawn_seeds, symmetric_uniform


class _WeightNormLayer(keras.layers.Layer):
    """Base: `kernel = gain * direction / |direction|`, the norm over all axes but the last."""

    def __init__(
        self, units, *, use_bias=True, initial_scale=1.0, seed=None, dtype=None, name=None
    ):
        super().__init__(dtype=dtype, name=name)
        self.units = units
        self.use_bias = use_bias
        self._initial_scale = initial_scale
        self._seed = seed

    def _kernel_shape(self, input_channels):
        raise NotImplementedError

    def build(self, input_shape):
        """Creates the weights for [..., C] inputs.

        `gain` starts as the norm of `direction` times `initial_scale`.
        """
        shape = self._kernel_shape(input_shape[-1])
        fan_in = tf.TensorShape(shape[:-1]).num_elements()
        direction_seed, bias_seed = spawn_seeds(self._seed, 2)
        self.direction = self.add_weight(
            shape=shape, initializer=fan_in_uniform(direction_seed), name="direction"
        )
        self.gain = self.add_weight(
            shape=(self.units,),
            initializer=lambda *_, **__: (
                self._initial_scale * _norm(tf.convert_to_tensor(self.direction))
            ),
            name="gain",
        )
        if self.use_bias:
            self.bias = self.add_weight(
                shape=(self.units,),
                initializer=symmetric_uniform(self._initial_scale * fan_in**-0.5, bias_seed),
                name="bias",
            )
        self.built = True

    def normalized_kernel(self):
        """The kernel that the layer applies."""
        return normalized(tf.convert_to_tensor(self.direction), tf.convert_to_tensor(self.gain))

    def _add_bias(self, outputs):
        return outputs + tf.convert_to_tensor(self.bias) if self.use_bias else outputs


class WeightNormConv2D(_WeightNormLayer):
    """A weight-normalised convolution, 'same' padding.

    Args:
        units: number of output channels.
        kernel_size: odd `int`.
        use_bias: whether a bias is added.
        initial_scale: factor of the initial gain and bias.
        seed: `int` or None, seed of the initial weights (PyTorch's defaults).
    """

    def __init__(self, units, kernel_size, **kwargs):
        super().__init__(units, **kwargs)
        self.kernel_size = kernel_size

    def _kernel_shape(self, input_channels):
        return (self.kernel_size, self.kernel_size, input_channels, self.units)

    def call(self, maps):
        """[N, H, W, C] -> [N, H, W, units]."""
        return self._add_bias(convolve(maps, self.normalized_kernel()))


class WeightNormDense(_WeightNormLayer):
    """A weight-normalised linear map of the last axis; arguments as of `WeightNormConv2D`."""

    def _kernel_shape(self, input_channels):
        return (input_channels, self.units)

    def call(self, inputs):
        """[..., C] -> [..., units]."""
        return self._add_bias(tf.tensordot(inputs, self.normalized_kernel(), axes=1))


def _norm(direction):
    # `tf.math.reduce_euclidean_norm` is faster, but XLA does not have it.
    return tf.sqrt(_sum_over_inputs(tf.square(direction)))


def _sum_over_inputs(values):
    return tf.reduce_sum(values, axis=list(range(values.shape.rank - 1)))


@tf.custom_gradient
def normalized(direction, gain):
    """`gain * direction / |direction|`, with fewer passes through memory in its gradient.

    Args:
        direction: [..., C_out].
        gain: [C_out].
    """
    norm = _norm(direction)
    scale = gain / norm

    def gradient(kernel_gradient):
        products = _sum_over_inputs(kernel_gradient * direction)
        direction_gradient = kernel_gradient * scale - direction * (scale * products / norm**2)
        return direction_gradient, products / norm

    return direction * scale, gradient


class LayerNorm(keras.layers.Layer):
    """Layer normalisation over the last axis (Ba et al., 2016).

        gamma * (maps - mean) / sqrt(variance + epsilon) + beta

    As `keras.layers.LayerNormalization`, with fewer passes through memory, above all in the
    gradient. Half precision is computed in float32.

    Args:
        epsilon: Python `float` > 0.
    """

    def __init__(self, epsilon, *, dtype=None, name=None):
        super().__init__(dtype=dtype, name=name)
        self.epsilon = epsilon

    def build(self, input_shape):
        """Creates the weights for [..., C] inputs."""
        shape = (input_shape[-1],)
        # Not cast to half precision.
        self.gamma = self.add_weight(shape=shape, initializer="ones", autocast=False, name="gamma")
        self.beta = self.add_weight(shape=shape, initializer="zeros", autocast=False, name="beta")
        self.built = True

    def call(self, maps):
        """[..., C] -> [..., C]."""
        gamma, beta = tf.convert_to_tensor(self.gamma), tf.convert_to_tensor(self.beta)
        outputs = _layer_norm(tf.cast(maps, gamma.dtype), gamma, beta, self.epsilon)
        return tf.cast(outputs, maps.dtype)


def _layer_norm(maps, scale, offset, epsilon):
    @tf.custom_gradient
    def layer_norm(maps, scale, offset):
        centred = maps - _mean(maps)
        inverse_deviation = tf.math.rsqrt(_mean(tf.square(centred)) + epsilon)
        normalized = centred * inverse_deviation

        def gradient(output_gradient):
            axes = list(range(maps.shape.rank - 1))
            products = output_gradient * normalized
            gradients = output_gradient * scale
            maps_gradient = inverse_deviation * (
                gradients - _mean(gradients) - normalized * _mean(gradients * normalized)
            )
            return (
                maps_gradient,
                tf.reduce_sum(products, axis=axes),
                tf.reduce_sum(output_gradient, axis=axes),
            )

        return normalized * scale + offset, gradient

    return layer_norm(maps, scale, offset)


def _mean(maps):
    return tf.reduce_mean(maps, axis=-1, keepdims=True)
