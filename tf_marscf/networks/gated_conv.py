"""The gated convolution of Flow++."""

import keras
import tensorflow as tf

from tf_marscf.networks.dropout import spatial_dropout
from tf_marscf.networks.initializers import spawn_seeds
from tf_marscf.networks.weight_norm import WeightNormConv2D


def concat_elu(inputs):
    """ELU of x and -x, side by side along the last axis."""
    return tf.nn.elu(tf.concat([inputs, -inputs], axis=-1))


def gated_linear(multiply, kernel, bias, inputs):
    """`p * sigmoid(q)` of the two halves (p, q) of a linear map's outputs.

    Each half is a product of its own, so that no product is split. TensorFlow computes bias and
    sigmoid in the epilogue of a product of two matrices.

    Args:
        multiply: of `inputs` and one half of the kernel, [C_in, C]: their product, [..., C].
        kernel: [C_in, 2 C].
        bias: [2 C].
        inputs: [..., C_in].

    Returns:
        [..., C].
    """
    values, gates = (
        tf.nn.bias_add(multiply(inputs, kernel_half), bias_half)
        for kernel_half, bias_half in zip(
            tf.split(kernel, 2, axis=-1), tf.split(bias, 2), strict=True
        )
    )
    return values * tf.sigmoid(gates)


class GatedConv(keras.layers.Layer):
    """concat-ELU -> conv 3x3 -> concat-ELU -> spatial dropout -> conv 1x1 -> gate.

    Args:
        num_channels: C, channels of input and output.
        dropout_rate: share of channels dropped where dropout is on.
        seed: `int` or None, seed of the initial weights.
    """

    def __init__(self, num_channels, dropout_rate=0.2, *, seed=None, dtype=None, name=None):
        super().__init__(dtype=dtype, name=name)
        self.dropout_rate = dropout_rate
        convolution_seed, gate_seed = spawn_seeds(seed, 2)
        self.convolution = WeightNormConv2D(
            num_channels, 3, seed=convolution_seed, dtype=self.dtype_policy, name="convolution"
        )
        self.gate = WeightNormConv2D(
            2 * num_channels, 1, seed=gate_seed, dtype=self.dtype_policy, name="gate"
        )

    def build(self, input_shape):
        """Creates the weights for [N, H, W, C] inputs."""
        doubled = (*input_shape[:-1], 2 * input_shape[-1])
        self.convolution.build(doubled)
        self.gate.build(doubled)
        self.built = True

    def call(self, maps, dropout_seed=None):
        """[N, H, W, C] -> [N, H, W, C]; `dropout_seed` turns dropout on."""
        maps = concat_elu(self.convolution(concat_elu(maps)))
        maps = spatial_dropout(maps, self.dropout_rate, dropout_seed)
        outputs = gated_linear(
            tf.matmul,
            self.gate.normalized_kernel()[0, 0],
            tf.convert_to_tensor(self.gate.bias),
            tf.reshape(maps, [-1, maps.shape[-1]]),
        )
        return tf.reshape(outputs, [-1, *maps.shape[1:3], outputs.shape[-1]])
