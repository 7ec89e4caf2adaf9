"""Gated convolution, gated self-attention (both of Flow++), and the dropout in them.

Dropout is a pure function of a seed: a bijector's value and log-det must see one mask, and a
resumed run must see the masks of the run that it continues. So there is no hidden random state: a
seed turns dropout on, None turns it off.
"""

import keras
import numpy as np
import tensorflow as tf

from tf_marscf.kernels.dot_product_attention import dot_product_attention
from tf_marscf.networks.initializers import spawn_seeds
from tf_marscf.networks.normalization import WeightNormConv2D, WeightNormDense
from tf_marscf.stateless_seed import batch_mask

_MAX_TIMESCALE = 1e4  # Of the codes of positions.


def dropout_mask(shape, rate, seed):
    """Which entries dropout keeps, `bool`; None where it is off: without a seed, or at rate 0.

    Args:
        shape: of the mask, the batch first: a list, its last entry a Python `int`.
        rate: Python `float` in [0, 1), the share that is dropped.
        seed: as of `batch_mask`, or None.
    """
    return None if seed is None or rate == 0.0 else batch_mask(shape, seed, rate)


def spatial_dropout(maps, rate, seed):
    """Zeroes whole channels of [N, H, W, C] maps and scales the others by `1 / (1 - rate)`.

    `rate` and `seed` are as of `dropout_mask`.
    """
    kept = dropout_mask([tf.shape(maps)[0], 1, 1, maps.shape[-1]], rate, seed)
    return maps if kept is None else maps * (tf.cast(kept, maps.dtype) / (1.0 - rate))


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


def position_codes(length, num_channels):
    """Sine and cosine codes of positions, as in "Attention Is All You Need".

    Args:
        length: number of positions.
        num_channels: C; an odd last channel is zero.

    Returns:
        [length, C] NumPy array in float64: the sines, then the cosines, of position / timescale
        with timescales from 1 to 1e4 in geometric steps.
    """
    num_timescales = num_channels // 2
    exponents = np.arange(num_timescales) / max(num_timescales - 1, 1)
    angles = np.arange(length)[:, np.newaxis] * _MAX_TIMESCALE**-exponents
    codes = np.concatenate([np.sin(angles), np.cos(angles)], axis=1)
    return np.pad(codes, [[0, 0], [0, num_channels % 2]])


class GatedAttention(keras.layers.Layer):
    """Position codes -> multi-head self-attention over all pixels -> gate.

    Args:
        num_channels: C, channels of input and output, a multiple of `num_heads`.
        num_heads: number of attention heads.
        dropout_rate: share of attention weights dropped where dropout is on.
        seed: `int` or None, seed of the initial weights.
    """

    def __init__(
        self, num_channels, num_heads=4, dropout_rate=0.2, *, seed=None, dtype=None, name=None
    ):
        super().__init__(dtype=dtype, name=name)
        if num_channels % num_heads:
            raise ValueError(
                "`num_channels` must be a multiple of `num_heads`; got "
                f"num_channels={num_channels}, num_heads={num_heads}."
            )
        self.num_heads = num_heads
        self.dropout_rate = dropout_rate
        projection_seed, gate_seed = spawn_seeds(seed, 2)
        self.projection = WeightNormDense(
            3 * num_channels,
            use_bias=False,
            seed=projection_seed,
            dtype=self.dtype_policy,
            name="projection",
        )
        self.gate = WeightNormDense(
            2 * num_channels, seed=gate_seed, dtype=self.dtype_policy, name="gate"
        )

    def build(self, input_shape):
        """Creates the weights for [N, H, W, C] inputs."""
        self.projection.build(input_shape)
        self.gate.build(input_shape)
        self.built = True

    def call(self, maps, dropout_seed=None):
        """[N, H, W, C] -> [N, H, W, C], H and W static; `dropout_seed` turns dropout on."""
        height, width, channels = maps.shape[1:]
        length, num_heads = height * width, self.num_heads
        head_channels = channels // num_heads
        codes = tf.constant(position_codes(length, channels), dtype=maps.dtype)
        # Queries are scaled by way of the kernel, which is smaller.
        factors = tf.repeat(tf.constant([1.0, 1.0, head_channels**-0.5], maps.dtype), channels)
        kernel = (self.projection.normalized_kernel() * factors)[tf.newaxis]
        kept = dropout_mask(
            [tf.shape(maps)[0], num_heads, length, length], self.dropout_rate, dropout_seed
        )
        sequence = tf.reshape(maps, [-1, length, channels]) + codes
        projected = tf.matmul(kernel, sequence, transpose_a=True, transpose_b=True)
        key, value, query = (
            tf.reshape(maps, [-1, num_heads, head_channels, length])
            for maps in tf.split(projected, 3, axis=1)
        )
        attended = dot_product_attention(query, key, value, kept, self.dropout_rate)
        outputs = gated_linear(
            lambda attended, kernel: tf.matmul(attended, kernel[tf.newaxis], transpose_a=True),
            self.gate.normalized_kernel(),
            tf.convert_to_tensor(self.gate.bias),
            tf.reshape(attended, [-1, channels, length]),
        )
        return tf.reshape(outputs, [-1, height, width, channels])
