"""The network inside a MixLogCDF coupling (Flow++, Section 3.3)."""

import keras
import tensorflow as tf

from tf_marscf.kernels.layer_stack import LayerStack
from tf_marscf.networks.gated_layers import GatedAttention, GatedConv
from tf_marscf.networks.initializers import spawn_seeds
from tf_marscf.networks.normalization import LayerNorm, WeightNormConv2D
from tf_marscf.stateless_seed import split_seed

_LAYER_NORM_EPSILON = 1e-5
_MIN_LOG_SCALE = -7.0  # As in the code of Flow++ and of mAR-SCF.


class GatedBlock(keras.layers.Layer):
    """`x = LayerNorm(x + GatedConv(x))`, then `x = LayerNorm(x + GatedAttention(x))`.

    Args:
        num_channels: C, channels of input and output.
        num_heads: attention heads.
        dropout_rate: of both layers.
        seed: `int` or None, seed of the initial weights.
    """

    def __init__(self, num_channels, num_heads, dropout_rate, *, seed=None, dtype=None, name=None):
        super().__init__(dtype=dtype, name=name)
        policy = self.dtype_policy
        convolution_seed, attention_seed = spawn_seeds(seed, 2)
        self.convolution = GatedConv(
            num_channels, dropout_rate, seed=convolution_seed, dtype=policy, name="convolution"
        )
        self.attention = GatedAttention(
            num_channels, num_heads, dropout_rate, seed=attention_seed, dtype=policy,
            name="attention",
        )  # fmt: skip
        self.norms = [
            LayerNorm(epsilon=_LAYER_NORM_EPSILON, dtype=policy, name=f"norm_{index}")
            for index in range(2)
        ]

    def build(self, input_shape):
        """Creates the weights for [N, H, W, C] inputs."""
        for layer in (self.convolution, self.attention, *self.norms):
            layer.build(input_shape)
        self.built = True

    def call(self, maps, dropout_seed=None):
        """[N, H, W, C] -> [N, H, W, C]; `dropout_seed` turns dropout on."""
        seeds = split_seed(dropout_seed, 2)
        for layer, norm, seed in zip(
            (self.convolution, self.attention), self.norms, seeds, strict=True
        ):
            maps = norm(maps + layer(maps, dropout_seed=seed))
        return maps


class MixLogCdfNetwork(keras.layers.Layer):
    """conv 3x3 -> gated blocks -> conv 3x3 -> parameters of a MixLogCDF coupling.

    Args:
        hidden_channels: C, channels of the blocks.
        output_channels: c, channels that the coupling transforms.
        num_blocks: number of gated blocks.
        num_components: M, components of each mixture.
        num_heads: attention heads.
        dropout_rate: of every block.
        output_initial_scale: factor of the output convolution's initial weights.
        recompute: `bool`: gradients run each block once more, instead of keeping what it computed.
        seed: `int` or None, seed of the initial weights.
    """

    def __init__(
        self,
        hidden_channels,
        output_channels,
        *,
        num_blocks=10,
        num_components=32,
        num_heads=4,
        dropout_rate=0.2,
        output_initial_scale=1.0,
        recompute=True,
        seed=None,
        dtype=None,
        name=None,
    ):
        super().__init__(dtype=dtype, name=name)
        policy = self.dtype_policy
        self.output_channels = output_channels
        self.num_components = num_components
        input_seed, output_seed, *block_seeds = spawn_seeds(seed, 2 + num_blocks)
        self.input_convolution = WeightNormConv2D(
            hidden_channels, 3, seed=input_seed, dtype=policy, name="input_convolution"
        )
        self.blocks = LayerStack(
            [
                GatedBlock(hidden_channels, num_heads, dropout_rate, seed=block_seed, dtype=policy)
                for block_seed in block_seeds
            ],
            recompute=recompute,
            dtype=policy,
            name="blocks",
        )
        self.output_convolution = WeightNormConv2D(
            output_channels * (2 + 3 * num_components),
            3,
            initial_scale=output_initial_scale,
            seed=output_seed,
            dtype=policy,
            name="output_convolution",
        )

    def build(self, input_shape):
        """Creates the weights for [N, H, W, C] inputs."""
        self.input_convolution.build(input_shape)
        hidden_shape = (*input_shape[:-1], self.input_convolution.units)
        self.blocks.build(hidden_shape)
        self.output_convolution.build(hidden_shape)
        self.rescale = self.add_weight(
            shape=(self.output_channels,), initializer="ones", name="rescale"
        )
        self.built = True

    def call(self, maps, dropout_seed=None):
        """Computes the parameters of the coupling.

        Args:
            maps: [N, H, W, C_in], the half that stays.
            dropout_seed: as of `batch_mask`, turns dropout on; or None.

        Returns:
            `(log_scale, shift, logits, means, component_log_scales)`: the first two [N, H, W, c],
            the others [N, H, W, c, M], component log-scales at least -7.
        """
        maps = self.blocks(self.input_convolution(maps), dropout_seed=dropout_seed)
        outputs = self.output_convolution(maps)
        num_components = self.num_components
        outputs = tf.reshape(
            outputs, [-1, *outputs.shape[1:3], 2 + 3 * num_components, self.output_channels]
        )
        # The parameter is the outer axis in the published layout; mixtures reduce over the last.
        log_scale, shift, mixture = tf.split(outputs, [1, 1, 3 * num_components], axis=-2)
        log_scale, shift = log_scale[..., 0, :], shift[..., 0, :]
        mixture = tf.transpose(mixture, [0, 1, 2, 4, 3])
        logits, means, component_log_scales = tf.split(mixture, 3, axis=-1)
        return (
            tf.convert_to_tensor(self.rescale) * tf.tanh(log_scale),
            shift,
            logits,
            means,
            tf.maximum(component_log_scales, tf.cast(_MIN_LOG_SCALE, component_log_scales.dtype)),
        )
