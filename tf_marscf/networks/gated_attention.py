"""The gated self-attention of Flow++."""

import keras
import numpy as np
import tensorflow as tf

from tf_marscf.kernels.dot_product_attention import dot_product_attention
from tf_marscf.networks.dropout import dropout_mask
from tf_marscf.networks.gated_conv import gated_linear
from tf_marscf.networks.initializers import spawn_seeds
from tf_marscf.networks.weight_norm import WeightNormDense

_MAX_TIMESCALE = 1e4


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
            tf.reshape(part, [-1, num_heads, head_channels, length])
            for part in tf.split(projected, 3, axis=1)
        )
        attended = dot_product_attention(query, key, value, kept, self.dropout_rate)
        outputs = gated_linear(
            lambda attended, kernel: tf.matmul(attended, kernel[tf.newaxis], transpose_a=True),
            self.gate.normalized_kernel(),
            tf.convert_to_tensor(self.gate.bias),
            tf.reshape(attended, [-1, channels, length]),
        )
        return tf.reshape(outputs, [-1, height, width, channels])
