"""A stack of convolutional LSTM layers."""

import keras
import tensorflow as tf

from tf_marscf.networks import convolution
from tf_marscf.networks.conv_lstm_recurrence import conv_lstm_cell, conv_lstm_recurrence
from tf_marscf.networks.initializers import spawn_seeds, symmetric_uniform


class ConvLSTM(keras.layers.Layer):
    """ConvLSTM layers run over the first axis, as in Section 3.2 of the mAR-SCF paper.

    Every layer has `num_channels` input and hidden channels:
    `gates = conv(x_t) + conv(h_(t-1)) + bias`, both kernels of one size and dilation, 'same'
    padding, gates in the order i, f, g, o. There are no peepholes. The input's convolution does
    not depend on the recurrence, so it runs once, over all steps together.

    Args:
        num_channels: C, input and hidden channels of every layer.
        num_layers: number of layers.
        kernel_size: odd `int`.
        dilation: `int` >= 1, of both convolutions.
        seed: `int` or None, seed of the initial weights: uniform in +-1/sqrt(C).
    """

    def __init__(
        self, num_channels, num_layers, kernel_size, dilation=1, *, seed=None, dtype=None, name=None
    ):
        super().__init__(dtype=dtype, name=name)
        self.num_channels = num_channels
        self.num_layers = num_layers
        self.kernel_size = kernel_size
        self.dilation = dilation
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

    def _phases_outside_the_loop(self, height, width):
        """The dilation that can be undone once for all steps: all of it, or none."""
        fits = height % self.dilation == 0 and width % self.dilation == 0
        return self.dilation if fits else 1

    def call(self, inputs):
        """Runs all steps.

        Args:
            inputs: [T, N, H, W, C]; all but N known statically.

        Returns:
            [T, N, H, W, C], the last layer's hidden states.
        """
        num_steps, _, height, width, channels = inputs.shape
        phases = self._phases_outside_the_loop(height, width)
        dilation = self.dilation // phases
        maps = convolution.split_phases(tf.reshape(inputs, [-1, height, width, channels]), phases)
        first_kernel = tf.convert_to_tensor(self.input_kernels[0])
        gates = tf.nn.bias_add(convolution.convolve(maps, first_kernel, dilation), self.biases[0])
        hiddens = conv_lstm_recurrence(
            tf.reshape(gates, [num_steps, -1, *gates.shape[1:]]),
            [tf.convert_to_tensor(self.recurrent_kernels[0]), *self.step_kernels()[1:]],
            [tf.convert_to_tensor(bias) for bias in self.biases[1:]],
            dilation,
        )
        maps = convolution.merge_phases(tf.reshape(hiddens, [-1, *hiddens.shape[2:]]), phases)
        return tf.reshape(maps, [num_steps, -1, height, width, channels])

    def step_kernels(self):
        """One kernel a layer for input and hidden state side by side, [k, k, 2 C, 4 C].

        They are the same at every step: make them once, outside of a sampling loop.
        """
        return [
            tf.concat([input_kernel, recurrent_kernel], axis=2)
            for input_kernel, recurrent_kernel in zip(
                self.input_kernels, self.recurrent_kernels, strict=True
            )
        ]

    def step(self, inputs, state, step_kernels):
        """Runs one step, for sampling.

        Args:
            inputs: [N, H, W, C], H and W static.
            state: the state after the step before, or None at the first step.
            step_kernels: as from `step_kernels`.

        Returns:
            `(outputs, state)`: [N, H, W, C], and a tuple of `(hidden, cell)` a layer.
        """
        phases = self._phases_outside_the_loop(*inputs.shape[1:3])
        dilation = self.dilation // phases
        maps = convolution.split_phases(inputs, phases)
        next_state = []
        for layer, (kernel, bias) in enumerate(zip(step_kernels, self.biases, strict=True)):
            hidden, cell = (None, None) if state is None else state[layer]
            if hidden is None:
                kernel = kernel[:, :, : self.num_channels]
            else:
                maps = tf.concat([maps, hidden], axis=-1)
            gates = tf.nn.bias_add(convolution.convolve(maps, kernel, dilation), bias)
            maps, cell = conv_lstm_cell(gates, cell)
            next_state.append((maps, cell))
        return convolution.merge_phases(maps, phases), tuple(next_state)
