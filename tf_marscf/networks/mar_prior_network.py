"""The network inside the multi-scale autoregressive prior."""

import functools

import keras
import tensorflow as tf

from tf_marscf.kernels.channel_sampling import sample_channels
from tf_marscf.kernels.convolution import convolve
from tf_marscf.networks.bounded_log_scale import bounded_log_scale
from tf_marscf.networks.conv_lstm import ConvLSTM
from tf_marscf.networks.initializers import fan_in_uniform, spawn_seeds, symmetric_uniform

CODE_KERNEL_SIZE = 5
OUTPUT_KERNEL_SIZE = 3


class MarPriorNetwork(keras.layers.Layer):
    """Mean and log-scale of each channel given those before it (mAR-SCF, Section 3.2).

    The channels l^1 ... l^T of a latent map are the steps of a ConvLSTM:

        code = conv5x5(relu(conv5x5(r)))                      (none without a conditional input)
        x_j = conv(concat(l^(j-1), code)) + bias              (l^0 = 0, no activation)
        (mean_j, log_scale_j) = conv3x3(ConvLSTM(x_1 ... x_j))

    With a `max_log_scale` M, log-scales become `M tanh(log_scale_j / M)`.

    Args:
        num_channels: T, channels of the latent map.
        num_conditional_channels: channels of r, or 0 for none.
        hidden_channels: C, channels of the ConvLSTM.
        num_layers: layers of the ConvLSTM.
        kernel_size: odd `int`, of the input convolution and of the ConvLSTM.
        dilation: `int` >= 1, of the ConvLSTM only.
        code_channels: channels of the code.
        code_hidden_channels: channels between the code's two convolutions.
        max_log_scale: M > 0, or None.
        recompute: of the ConvLSTM.
        seed: `int` or None, seed of the initial weights.
    """

    def __init__(
        self,
        num_channels,
        num_conditional_channels=0,
        *,
        hidden_channels=32,
        num_layers=3,
        kernel_size=5,
        dilation=1,
        code_channels=4,
        code_hidden_channels=32,
        max_log_scale=None,
        recompute=False,
        seed=None,
        dtype=None,
        name=None,
    ):
        super().__init__(dtype=dtype, name=name)
        policy = self.dtype_policy
        self.num_channels = num_channels
        self.num_conditional_channels = num_conditional_channels
        self.hidden_channels = hidden_channels
        self.kernel_size = kernel_size
        self.code_channels = code_channels if num_conditional_channels else 0
        self.max_log_scale = max_log_scale
        self._seeds = spawn_seeds(seed, 9)
        # Eager calls sample in a graph too: else their samples would differ in the last digit.
        self._latents_in_graph = tf.function(
            self._latents_from_noise, autograph=False, reduce_retracing=True
        )
        self.conv_lstm = ConvLSTM(
            hidden_channels,
            num_layers,
            kernel_size,
            dilation,
            recompute=recompute,
            seed=self._seeds[0],
            dtype=policy,
            name="conv_lstm",
        )
        self.code_convolutions = []
        if num_conditional_channels:
            first, second = self._seeds[1:3], self._seeds[3:5]
            self.code_convolutions = [
                _code_convolution(
                    0, num_conditional_channels, code_hidden_channels, "relu", first, policy
                ),
                _code_convolution(1, code_hidden_channels, code_channels, None, second, policy),
            ]

    def build(self, input_shape=None):
        """Creates the weights; their shapes follow from the constructor's arguments."""
        self.conv_lstm.build()
        shape = (None, None, None, self.num_conditional_channels)
        for convolution in self.code_convolutions:
            convolution.build(shape)
            shape = (*shape[:-1], convolution.filters)
        self.input_kernel, self.input_bias = self._add_convolution(
            "input",
            self.kernel_size,
            1 + self.code_channels,
            self.hidden_channels,
            self._seeds[5:7],
        )
        self.output_kernel, self.output_bias = self._add_convolution(
            "output", OUTPUT_KERNEL_SIZE, self.hidden_channels, 2, self._seeds[7:9]
        )
        self.built = True

    def _add_convolution(self, name, size, input_channels, output_channels, seeds):
        kernel = self.add_weight(
            shape=(size, size, input_channels, output_channels),
            initializer=fan_in_uniform(seeds[0]),
            name=f"{name}_kernel",
        )
        bias = self.add_weight(
            shape=(output_channels,),
            initializer=symmetric_uniform((size**2 * input_channels) ** -0.5, seeds[1]),
            name=f"{name}_bias",
        )
        return kernel, bias

    def _input_kernel_of_channel(self):
        """The part of the input convolution that reads l^(j-1)."""
        return tf.convert_to_tensor(self.input_kernel)[:, :, :1]

    def _input_offset(self, conditional_input):
        """The part of x_j that no channel changes: the bias and the code's convolution."""
        bias = tf.convert_to_tensor(self.input_bias)
        if conditional_input is None:
            return bias
        code = conditional_input
        for convolution in self.code_convolutions:
            code = convolution(code)
        code = tf.cast(code, conditional_input.dtype)
        return convolve(code, tf.convert_to_tensor(self.input_kernel)[:, :, 1:]) + bias

    def _output_weights(self):
        return tf.convert_to_tensor(self.output_kernel), tf.convert_to_tensor(self.output_bias)

    def call(self, latents, conditional_input=None):
        """All channels at once, for a density.

        Args:
            latents: [N, H, W, T]; H and W static.
            conditional_input: r [N, H, W, num_conditional_channels], or None.

        Returns:
            `(mean, log_scale)`, each [N, H, W, T]; channel j depends on the latents before j only.
        """
        height, width, num_steps = latents.shape[1:]
        image_shape = [-1, height, width]
        previous = tf.pad(latents[..., :-1], [[0, 0], [0, 0], [0, 0], [1, 0]])
        steps = tf.reshape(tf.transpose(previous, [3, 0, 1, 2]), [*image_shape, 1])
        embedded = convolve(steps, self._input_kernel_of_channel())
        embedded = tf.reshape(embedded, [num_steps, *image_shape, self.hidden_channels])
        hiddens = self.conv_lstm(embedded + self._input_offset(conditional_input))
        kernel, bias = self._output_weights()
        outputs = convolve(tf.reshape(hiddens, [*image_shape, self.hidden_channels]), kernel) + bias
        outputs = tf.reshape(outputs, [num_steps, *image_shape, 2])
        mean, log_scale = tf.unstack(tf.transpose(outputs, [4, 1, 2, 3, 0]))
        return mean, bounded_log_scale(log_scale, self.max_log_scale)

    def latents_from_noise(self, noise, conditional_input=None):
        """Channel after channel, for sampling: `l^j = mean_j + exp(log_scale_j) * noise^j`.

        Args:
            noise: [N, H, W, T]; H and W static.
            conditional_input: r [N, H, W, num_conditional_channels], or None.

        Returns:
            The latents, [N, H, W, T].
        """
        if tf.executing_eagerly():
            return self._latents_in_graph(noise, conditional_input)
        return self._latents_from_noise(noise, conditional_input)

    def _latents_from_noise(self, noise, conditional_input):
        return sample_channels(
            noise,
            (self._input_kernel_of_channel(), self._input_offset(conditional_input)),
            self.conv_lstm.layer_weights(),
            self._output_weights(),
            self.conv_lstm.convolution(*noise.shape[1:3], noise.dtype),
            functools.partial(bounded_log_scale, max_log_scale=self.max_log_scale),
        )


def _code_convolution(index, input_channels, filters, activation, seeds, policy):
    return keras.layers.Conv2D(
        filters,
        CODE_KERNEL_SIZE,
        padding="same",
        data_format="channels_last",
        activation=activation,
        kernel_initializer=fan_in_uniform(seeds[0]),
        bias_initializer=symmetric_uniform(
            (CODE_KERNEL_SIZE**2 * input_channels) ** -0.5, seeds[1]
        ),
        dtype=policy,
        name=f"code_convolution_{index}",
    )
