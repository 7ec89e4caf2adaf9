"""A stack of convolutional LSTM layers."""

import keras
import tensorflow as tf

from tf_marscf.kernels.conv_lstm_cell import GATE_FACTORS, conv_lstm_cell
from tf_marscf.kernels.conv_lstm_recurrence import conv_lstm_recurrence
from tf_marscf.kernels.step_convolution import fastest_convolution
from tf_marscf.networks.initializers import spawn_seeds, symmetric_uniform


class ConvLSTM(keras.layers.Layer):
    """ConvLSTM layers run over the first axis, as in Section 3.2 of the mAR-SCF paper.

    Every layer has `num_channels` input and hidden channels:
    `gates = conv(x_t) + conv(h_(t-1)) + bias`, both kernels of one size and dilation, 'same'
    padding, gates in the order i, f, g, o. There are no peepholes.

    Args:
        num_channels: C, input and hidden channels of every layer.
        num_layers: number of layers.
        kernel_size: odd `int`.
        dilation: `int` >= 1, of both convolutions.
        recompute: `bool`: keep nothing for the gradient, which runs the layers once more.
        seed: `int` or None, seed of the initial weights: uniform in +-1/sqrt(C).
    """

    def __init__(
        self,
        num_channels,
        num_layers,
        kernel_size,
        dilation=1,
        *,
        recompute=False,
        seed=None,
        dtype=None,
        name=None,
    ):
        super().__init__(dtype=dtype, name=name)
        self.num_channels = num_channels
        self.num_layers = num_layers
        self.kernel_size = kernel_size
        self.dilation = dilation
        self.recompute = recompute
        self._seed = seed
        self.input_kernels = []
        self.recurrent_kernels = []
        self.biases = []

    def build(self, input_shape=None):
        """Creates the weights; they do not depend on the input's shape."""
        channels, size = self.num_channels, self.kernel_size
        seeds = iter(spawn_seeds(self._seed, 3 * self.num_layers))
        for layer in range(self.num_layers):
            for kind, weights, shape in (
                ("input_kernel", self.input_kernels, (size, size, channels, 4 * channels)),
                ("recurrent_kernel", self.recurrent_kernels, (size, size, channels, 4 * channels)),
                ("bias", self.biases, (4 * channels,)),
            ):
                initializer = symmetric_uniform(channels**-0.5, next(seeds))
                weights.append(
                    self.add_weight(shape=shape, initializer=initializer, name=f"{kind}_{layer}")
                )
        self.built = True

    def convolution(self, height, width, dtype):
        """The convolution of this layer's kernels over maps of one size, the fastest there is."""
        return fastest_convolution(
            height, width, self.kernel_size, self.dilation, self.num_channels, dtype
        )

    def call(self, inputs):
        """Runs all steps.

        Args:
            inputs: [T, N, H, W, C]; all but N known statically.

        Returns:
            [T, N, H, W, C], the last layer's hidden states.
        """
        convolution = self.convolution(*inputs.shape[2:4], inputs.dtype)
        hiddens = conv_lstm_recurrence(
            convolution.from_images(inputs),
            self.prepared_kernels(convolution),
            [self._with_gate_factors(bias) for bias in self.biases],
            convolution,
            recompute=self.recompute,
        )
        return convolution.to_images(hiddens)

    def _with_gate_factors(self, weights):
        """Weights [..., 4 C] of pre-activations as `conv_lstm_cell` takes them."""
        weights = tf.convert_to_tensor(weights)
        return weights * tf.repeat(tf.constant(GATE_FACTORS, weights.dtype), self.num_channels)

    def prepared_kernels(self, convolution):
        """One kernel a layer, for input and hidden state side by side."""
        return [
            convolution.prepare(
                self._with_gate_factors(tf.concat([input_kernel, recurrent_kernel], axis=2))
            )
            for input_kernel, recurrent_kernel in zip(
                self.input_kernels, self.recurrent_kernels, strict=True
            )
        ]

    def step_weights(self, prepared_kernels, convolution, like):
        """The weights as `step` takes them, for maps like these.

        They are the same at every step: make them once, outside of a sampling loop.
        """
        biases = [
            convolution.prepare_bias(self._with_gate_factors(bias), like) for bias in self.biases
        ]
        return tuple(zip(prepared_kernels, biases, strict=True))

    def initial_state(self, zeros):
        """The state before the first step, from maps of zeros."""
        return ((zeros, zeros),) * self.num_layers

    def step(self, inputs, state, step_weights, convolution):
        """Runs one step, for sampling.

        Args:
            inputs: maps in the layout of `convolution`.
            state: the state after the step before, a tuple of `(hidden, cell)` a layer.
            step_weights: as from `step_weights`.
            convolution: as from `convolution`.

        Returns:
            `(outputs, state)`: maps of the same shape, and the state after the step.
        """
        maps, next_state, axis = inputs, [], convolution.channel_axis
        for (kernel, bias), (hidden, cell) in zip(step_weights, state, strict=True):
            gates = convolution.sigmoid(tf.concat([maps, hidden], axis=axis), kernel, bias)
            maps, cell = conv_lstm_cell(gates, cell, axis)
            next_state.append((maps, cell))
        return maps, tuple(next_state)
