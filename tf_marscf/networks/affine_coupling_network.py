"""The network inside an affine coupling."""

import keras
import numpy as np
import tensorflow as tf

from tf_marscf.kernels.convolution import convolve
from tf_marscf.networks.glow_layers import ActNormLayer, ZeroInitConv2D
from tf_marscf.networks.initializers import spawn_seeds

_KERNEL_STDDEV = 0.05


class AffineCouplingNetwork(keras.layers.Layer):
    """conv 3x3 -> ActNorm -> ReLU -> conv 1x1 -> ActNorm -> ReLU -> zero-initialised conv 3x3.

    The first two convolutions have no bias and start from N(0, 0.05).

    Args:
        hidden_channels: channels between the convolutions.
        output_channels: channels of shift and raw scale together.
        seed: `int` or None, seed of the initial weights.
    """

    def __init__(self, hidden_channels, output_channels, *, seed=None, dtype=None, name=None):
        super().__init__(dtype=dtype, name=name)
        seeds = spawn_seeds(seed, 2)
        self.convolutions = [
            keras.layers.Conv2D(
                hidden_channels,
                kernel_size,
                padding="same",
                data_format="channels_last",
                use_bias=False,
                kernel_initializer=keras.initializers.RandomNormal(0.0, _KERNEL_STDDEV, seed=seed),
                dtype=self.dtype_policy,
                name=f"convolution_{index}",
            )
            for index, (kernel_size, seed) in enumerate(zip((3, 1), seeds, strict=True))
        ]
        self.act_norms = [
            ActNormLayer(dtype=self.dtype_policy, name=f"act_norm_{index}") for index in range(2)
        ]
        self.output_convolution = ZeroInitConv2D(
            output_channels, dtype=self.dtype_policy, name="output_convolution"
        )

    def build(self, input_shape):
        """Creates the weights for [..., C] inputs."""
        shape = tuple(input_shape)
        for convolution, act_norm in zip(self.convolutions, self.act_norms, strict=True):
            convolution.build(shape)
            shape = (*shape[:-1], convolution.filters)
            act_norm.build(shape)
        self.output_convolution.build(shape)
        self.built = True

    def call(self, maps, dropout_seed=None, initialize=False, report=None):
        """[N, H, W, C] -> `(shift, raw_scale)`, [N, H, W, output_channels / 2] each.

        They are the even and the odd channels of the last convolution. What follows a convolution
        and is linear is folded into its weights, so that TensorFlow runs convolution, bias and ReLU
        as one operation.

        Args:
            maps: the network's input.
            dropout_seed: accepted for a common interface; this network has no dropout.
            initialize: if True, each ActNorm is first set from what it sees: a whole batch.
            report: called for each ActNorm that is set, with its name and which of its channels are
                constant, `bool` [C]; or None.
        """
        del dropout_seed
        for convolution, act_norm in zip(self.convolutions, self.act_norms, strict=True):
            if initialize:
                is_constant = act_norm.initialize(convolution(maps))
                if report is not None:
                    report(act_norm.name, is_constant)
            scale = tf.exp(tf.convert_to_tensor(act_norm.log_scale))
            kernel, bias = convolution.kernel, act_norm.bias
            kernel, bias = (scale * tf.convert_to_tensor(weight) for weight in (kernel, bias))
            maps = tf.nn.relu(tf.nn.bias_add(convolve(maps, kernel), bias))
        kernel, bias = self.output_convolution.scaled_weights()
        kernel, bias = (_even_before_odd(weight) for weight in (kernel, bias))
        return tf.split(tf.nn.bias_add(convolve(maps, kernel), bias), 2, axis=-1)


def _even_before_odd(weights):
    """Moves the even entries of the last axis before the odd ones."""
    size = weights.shape[-1]
    # A product with a permutation is exact, and faster than slices of stride two.
    order = [*range(0, size, 2), *range(1, size, 2)]
    permutation = tf.constant(np.eye(size)[:, order], weights.dtype)
    return tf.reshape(tf.matmul(tf.reshape(weights, [-1, size]), permutation), weights.shape)
