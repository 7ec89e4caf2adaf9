"""The network inside the multi-scale autoregressive prior."""

import functools

import keras
import tensorflow as tf

from tf_marscf.kernels.channel_sampling import sample_channels
from tf_marscf.kernels.convolution import convolve
from tf_marscf.networks.bounded_log_scale import bounded_log_scale
from tf_marscf.networks.conv_lstm import ConvLSTM
from tf_marscf.networks.gaussian_start import GaussianStart
from tf_marscf.networks.group_regression import GroupRegression
from tf_marscf.networks.initializers import fan_in_uniform, spawn_seeds, symmetric_uniform

CODE_KERNEL_SIZE = 5
OUTPUT_KERNEL_SIZE = 3


class MarPriorNetwork(keras.layers.Layer):
    """Mean and log-scale of each channel given those before it (mAR-SCF, Section 3.2).

    The channels l^1 ... l^T of a latent map are the steps of a ConvLSTM:

        code = conv5x5(relu(conv5x5(r)))                      (none without a conditional input)
        x_j = conv(concat(l^(j-1), code)) + bias              (l^0 = 0, no activation)
        (mean_j, log_scale_j) = conv3x3(ConvLSTM(x_1 ... x_j))

    With g > 1 channels a step, l^j is the group of g channels of step j, T / g in all, and means
    depend on the channels before in the group by `GroupRegression`. With a Gaussian start, what the
    last convolution gives is zero at first, and added to `GaussianStart`. With a `max_log_scale` M,
    log-scales become `M tanh(log_scale_j / M)`.

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
        channels_per_step: g, a divisor of `num_channels`.
        start: "random", or "gaussian" for a prior that starts as Glow's.
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
        channels_per_step=1,
        start="random",
        recompute=False,
        seed=None,
        dtype=None,
        name=None,
    ):
        super().__init__(dtype=dtype, name=name)
        policy = self.dtype_policy
        self.num_channels = num_channels
        self.channels_per_step = channels_per_step
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
        self.group_regression = self.gaussian_start = None
        if channels_per_step > 1:
            self.group_regression = GroupRegression(
                num_channels // channels_per_step,
                channels_per_step,
                dtype=policy,
                name="group_regression",
            )
        if start == "gaussian":
            self.gaussian_start = GaussianStart(
                num_channels, num_conditional_channels, dtype=policy, name="gaussian_start"
            )

    def build(self, input_shape=None):
        """Creates the weights; their shapes follow from the constructor's arguments."""
        self.conv_lstm.build()
        shape = (None, None, None, self.num_conditional_channels)
        for convolution in self.code_convolutions:
            convolution.build(shape)
            shape = (*shape[:-1], convolution.filters)
        for layer in filter(None, (self.group_regression, self.gaussian_start)):
            layer.build()
        self.input_kernel, self.input_bias = self._add_convolution(
            "input",
            self.kernel_size,
            self.channels_per_step + self.code_channels,
            self.hidden_channels,
            self._seeds[5:7],
        )
        self.output_kernel, self.output_bias = self._add_convolution(
            "output",
            OUTPUT_KERNEL_SIZE,
            self.hidden_channels,
            2 * self.channels_per_step,
            self._seeds[7:9] if self.gaussian_start is None else None,
        )
        self.built = True

    def _add_convolution(self, name, size, input_channels, output_channels, seeds):
        """Kernel and bias, zeros without seeds."""
        initializers = ["zeros", "zeros"]
        if seeds is not None:
            limit = (size**2 * input_channels) ** -0.5
            initializers = [fan_in_uniform(seeds[0]), symmetric_uniform(limit, seeds[1])]
        shapes = (size, size, input_channels, output_channels), (output_channels,)
        return [
            self.add_weight(shape=shape, initializer=initializer, name=f"{name}_{part}")
            for part, shape, initializer in zip(
                ("kernel", "bias"), shapes, initializers, strict=True
            )
        ]

    def _input_kernel_of_group(self):
        """The part of the input convolution that reads l^(j-1)."""
        return tf.convert_to_tensor(self.input_kernel)[:, :, : self.channels_per_step]

    def _input_offset(self, conditional_input):
        """The part of x_j that no channel changes: the bias and the code's convolution."""
        bias = tf.convert_to_tensor(self.input_bias)
        if conditional_input is None:
            return bias
        code = conditional_input
        for convolution in self.code_convolutions:
            code = convolution(code)
        code = tf.cast(code, conditional_input.dtype)
        kernel = tf.convert_to_tensor(self.input_kernel)[:, :, self.channels_per_step :]
        return convolve(code, kernel) + bias

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
        height, width, num_channels = latents.shape[1:]
        group_size, num_steps = self.channels_per_step, num_channels // self.channels_per_step
        image_shape = [-1, height, width]
        previous = tf.pad(latents[..., :-group_size], [[0, 0], [0, 0], [0, 0], [group_size, 0]])
        previous = tf.reshape(previous, [*image_shape, num_steps, group_size])
        steps = tf.reshape(tf.transpose(previous, [3, 0, 1, 2, 4]), [*image_shape, group_size])
        embedded = convolve(steps, self._input_kernel_of_group())
        embedded = tf.reshape(embedded, [num_steps, *image_shape, self.hidden_channels])
        hiddens = self.conv_lstm(embedded + self._input_offset(conditional_input))
        kernel, bias = self._output_weights()
        outputs = convolve(tf.reshape(hiddens, [*image_shape, self.hidden_channels]), kernel) + bias
        outputs = tf.reshape(outputs, [num_steps, *image_shape, 2, group_size])
        outputs = tf.transpose(outputs, [4, 1, 2, 3, 0, 5])
        mean, log_scale = tf.unstack(tf.reshape(outputs, [2, *image_shape, num_channels]))
        if self.gaussian_start is not None:
            start = self.gaussian_start(latents, conditional_input)
            mean, log_scale = mean + start[0], log_scale + start[1]
        if self.group_regression is not None:
            mean += self.group_regression(latents)
        return mean, bounded_log_scale(log_scale, self.max_log_scale)

    def start(self, latents, conditional_input=None):
        """`(mean, log_scale)` of the Gaussian start alone; arguments and shapes of a call."""
        mean, log_scale = self.gaussian_start.call(latents, conditional_input)
        return mean, bounded_log_scale(log_scale, self.max_log_scale)

    def latents_from_noise(self, noise, conditional_input=None):
        """Group after group, for sampling: `l^j = mean_j + exp(log_scale_j) * noise^j`.

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
        start, regression = (), None
        if self.gaussian_start is not None:
            start = self.gaussian_start.call(noise, conditional_input)  # In the noise's dtype.
        if self.group_regression is not None:
            regression = self.group_regression.coefficients()
        return sample_channels(
            noise,
            (self._input_kernel_of_group(), self._input_offset(conditional_input)),
            self.conv_lstm.layer_weights(),
            self._output_weights(),
            self.conv_lstm.convolution(*noise.shape[1:3], noise.dtype),
            functools.partial(bounded_log_scale, max_log_scale=self.max_log_scale),
            start,
            regression,
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
