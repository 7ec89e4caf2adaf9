"""The gated self-attention of Flow++."""

import keras
import numpy as np
import tensorflow as tf

from tf_marscf.networks.dropout import dropout
from tf_marscf.networks.gated_conv import gate
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
        """[N, H, W, C] -> [N, H, W, C], H and W static; `dropout_seed` [2] turns dropout on."""
        height, width, channels = maps.shape[1:]
        head_channels = channels // self.num_heads
        codes = tf.constant(position_codes(height * width, channels), dtype=maps.dtype)
        sequence = tf.reshape(maps, [-1, height * width, channels]) + codes
        projected = tf.reshape(
            self.projection(sequence), [-1, height * width, 3, self.num_heads, head_channels]
        )
        key, value, query = tf.unstack(tf.transpose(projected, [2, 0, 3, 1, 4]))
        logits = tf.matmul(query * head_channels**-0.5, key, transpose_b=True)
        weights = dropout(tf.nn.softmax(logits), self.dropout_rate, dropout_seed)
        attended = tf.transpose(tf.matmul(weights, value), [0, 2, 1, 3])
        attended = tf.reshape(attended, [-1, height, width, channels])
        return gate(self.gate(attended))
