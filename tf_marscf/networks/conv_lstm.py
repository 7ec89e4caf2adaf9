"""A stack of convolutional LSTM layers."""

import keras
import tensorflow as tf

from tf_marscf.kernels.conv_lstm_recurrence import conv_lstm_recurrence
from tf_marscf.kernels.step_convolution import fastest_convolution
from tf_marscf.networks.initializers import spawn_seeds, symmetric_uniform


class ConvLSTM(keras.layers.Layer):
    """ConvLSTM layers run over the first axis, as in Section 3.2 of the mAR-SCF paper.

    Every layer has `num_channels` input and hidden channels:

        (i, f, g, o) = conv(x_t) + conv(h_(t-1)) + bias
        c_t = sigmoid(f) * c_(t-1) + sigmoid(i) * tanh(g)
        h_t = sigmoid(o) * tanh(c_t)

    Both kernels have one size and dilation, 'same' padding. There are no peepholes. The code that
    runs, with its gradient, is `kernels/conv_lstm_recurrence.py`.

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

    def layer_weights(self):
        """`(input_kernel, recurrent_kernel, bias)` of each layer, as tensors."""
        weights = zip(self.input_kernels, self.recurrent_kernels, self.biases, strict=True)
        return [tuple(tf.convert_to_tensor(weight) for weight in layer) for layer in weights]

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
        return conv_lstm_recurrence(
            inputs, self.layer_weights(), convolution, recompute=self.recompute
        )
