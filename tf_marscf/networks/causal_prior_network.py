"""A mAR prior's network of masked convolutions, in the place of the ConvLSTM."""

import keras
import numpy as np
import tensorflow as tf

from tf_marscf.kernels.batch_parts import in_batch_parts
from tf_marscf.kernels.channel_sampling import solve_regression
from tf_marscf.kernels.convolution import convolve
from tf_marscf.networks.bounded_log_scale import bounded_log_scale
from tf_marscf.networks.glow_layers import ZeroInitConv2D
from tf_marscf.networks.group_regression import GroupRegression
from tf_marscf.networks.initializers import fan_in_uniform, spawn_seeds

_MAX_LOG_SCALE = 4.0
_OUTPUT_KERNEL_SIZE = 3  # At most.


class CausalPriorNetwork(keras.layers.Layer):
    """Mean and log-scale of each channel given those before it, without a recurrence.

    Each step has features of its own, which read the conditional input r and the channels of the
    steps before it; so do its mean and log-scale (MADE, Germain et al. 2015, over the channels of
    maps). A step j is one channel l^j:

        f_j = relu(conv(concat(r, l^1 ... l^(j-1))) + bias)
        f_j = relu(conv(concat(f_1 ... f_j)) + bias)                        (each further layer)
        (mean_j, raw_j) = conv3x3(concat(r, l^1 ... l^(j-1), f_1 ... f_j)) + bias
        log_scale_j = M tanh(raw_j / M),   M = 4

    The last convolution starts at zero, as Glow's: a new prior is a standard normal. Log-scales are
    bounded, because they depend on channels without a bound, of which a sample has one after
    another: it could leave the dtype's range. A density takes `num_layers + 1` convolutions of all
    channels, whose kernels are masked; a sample takes one step after another.

    Without layers there are no features, and mean_j and raw_j are linear in r and the channels
    before: Glow's prior, and a regression of each pixel on its neighbourhood in what is known.
    This costs hardly more than Glow's prior.

    With kernels of 1, means and log-scales read channels and features at their own pixel only, and
    r around it:

        (mean_j, raw_j) = conv1x1(concat(r, l^1 ... l^(j-1), f_1 ... f_j)) + conv3x3(r) + bias

    With g > 1 channels a step, l^j is the group of g channels of step j, T / g in all, and means
    depend on the channels before in the group by `GroupRegression`.

    Args:
        num_channels: T, channels of the latent map.
        num_conditional_channels: channels of r, or 0 for none.
        hidden_channels: features of each step.
        num_layers: layers of features, or 0 for none.
        kernel_size: odd `int`, of the features' convolutions.
        dilation: `int` >= 1, of the features' convolutions.
        max_log_scale: M > 0; None: 4.
        channels_per_step: g, a divisor of `num_channels`.
        seed: `int` or None, seed of the initial weights.
    """

    def __init__(
        self,
        num_channels,
        num_conditional_channels=0,
        *,
        hidden_channels=8,
        num_layers=1,
        kernel_size=3,
        dilation=1,
        max_log_scale=None,
        channels_per_step=1,
        seed=None,
        dtype=None,
        name=None,
    ):
        super().__init__(dtype=dtype, name=name)
        self.num_channels = num_channels
        self.num_conditional_channels = num_conditional_channels
        self.hidden_channels = hidden_channels
        self.dilation = dilation
        self.max_log_scale = _MAX_LOG_SCALE if max_log_scale is None else max_log_scale
        self.channels_per_step = channels_per_step
        self.num_steps = num_channels // channels_per_step
        self.convolutions = [
            keras.layers.Conv2D(
                self.num_steps * hidden_channels,
                kernel_size,
                padding="same",
                data_format="channels_last",
                kernel_initializer=fan_in_uniform(layer_seed),
                dtype=self.dtype_policy,
                name=f"convolution_{index}",
            )
            for index, layer_seed in enumerate(spawn_seeds(seed, num_layers))
        ]
        self.output_convolution = ZeroInitConv2D(
            2 * num_channels,
            min(kernel_size, _OUTPUT_KERNEL_SIZE),
            dtype=self.dtype_policy,
            name="output_convolution",
        )
        self.conditional_convolution = None
        if kernel_size == 1 and num_conditional_channels:
            self.conditional_convolution = ZeroInitConv2D(
                2 * num_channels, dtype=self.dtype_policy, name="conditional_convolution"
            )
        self.group_regression = None
        if channels_per_step > 1:
            self.group_regression = GroupRegression(
                self.num_steps, channels_per_step, dtype=self.dtype_policy, name="group_regression"
            )

    def build(self, input_shape=None):
        """Creates the weights; their shapes follow from the constructor's arguments."""
        # How many steps an entry may know. What is to know b may read what knows a <= b.
        channels = np.repeat(np.arange(self.num_steps), self.channels_per_step)
        inputs = np.concatenate([np.zeros(self.num_conditional_channels, int), channels + 1])
        features = np.repeat(np.arange(self.num_steps), self.hidden_channels)
        read, self._masks = inputs, []
        for convolution in self.convolutions:
            convolution.build((None, None, None, len(read)))
            self._masks.append(np.less_equal.outer(read, features))
            read = features
        if self.convolutions:
            read = np.concatenate([inputs, features])
        self.output_convolution.build((None, None, None, len(read)))
        self._masks.append(np.less_equal.outer(read, np.tile(channels, 2)))
        if self.conditional_convolution is not None:
            self.conditional_convolution.build((None, None, None, self.num_conditional_channels))
        if self.group_regression is not None:
            self.group_regression.build()
        self.built = True

    def masked_weights(self):
        """`(kernel, bias)` of each convolution, the output's last."""
        weights = [(layer.kernel, layer.bias) for layer in self.convolutions]
        weights.append(self.output_convolution.scaled_weights())
        return [
            (tf.convert_to_tensor(kernel) * tf.cast(mask, kernel.dtype), tf.convert_to_tensor(bias))
            for (kernel, bias), mask in zip(weights, self._masks, strict=True)
        ]

    def call(self, latents, conditional_input=None):
        """All channels at once, for a density.

        Args:
            latents: [N, H, W, T].
            conditional_input: r [N, H, W, num_conditional_channels], or None.

        Returns:
            `(mean, log_scale)`, each [N, H, W, T]; channel j depends on the latents before j only.
        """
        weights = self.masked_weights()  # Once for all parts of the batch.
        mean, log_scale = in_batch_parts(
            lambda *maps: self._mean_and_log_scale(*maps, weights), latents, conditional_input
        )
        if self.group_regression is not None:
            mean += self.group_regression(latents)
        return mean, log_scale

    def start(self, latents, conditional_input=None):
        """`(mean, log_scale)` by r alone, Glow's prior; arguments and shapes of a call."""
        kernel, bias = self.masked_weights()[-1]
        if conditional_input is None:
            mean, log_scale = self._bounded(bias)
        else:
            kernel = kernel[:, :, : self.num_conditional_channels]
            offset = self._offset(conditional_input, bias)
            mean, log_scale = self._output(conditional_input, kernel, offset)
        return tuple(tf.broadcast_to(part, tf.shape(latents)) for part in (mean, log_scale))

    def _offset(self, conditional_input, bias):
        """What is added to the last convolution: its bias, and with kernels of 1 conv3x3(r)."""
        if self.conditional_convolution is None:
            return bias
        # Not `__call__`, which would compute samples in the dtype of the policy.
        return bias + self.conditional_convolution.call(conditional_input)

    def _mean_and_log_scale(self, latents, conditional_input, weights):
        *hidden_weights, (output_kernel, output_bias) = weights
        maps = inputs = _side_by_side(conditional_input, latents)
        features = None
        for kernel, bias in hidden_weights:
            maps = features = self._features(maps, kernel, bias)
        offset = self._offset(conditional_input, output_bias)
        return self._output(_side_by_side(inputs, features), output_kernel, offset)

    def _features(self, maps, kernel, bias):
        return tf.nn.relu(tf.nn.bias_add(convolve(maps, kernel, self.dilation), bias))

    def _output(self, maps, kernel, offset):
        return self._bounded(convolve(maps, kernel) + offset)

    def _bounded(self, outputs):
        """`(mean, log_scale)` of the last convolution's outputs, means first."""
        mean, raw = tf.split(outputs, 2, axis=-1)
        return mean, bounded_log_scale(raw, self.max_log_scale)

    def latents_from_noise(self, noise, conditional_input=None):
        """Step after step, for sampling: `l^j = mean_j + exp(log_scale_j) * noise^j`.

        Args:
            noise: [N, H, W, T].
            conditional_input: r [N, H, W, num_conditional_channels], or None.

        Returns:
            The latents, [N, H, W, T].
        """
        *hidden_weights, output_weights = self.masked_weights()
        weights = [tuple(map(self._by_step, layer)) for layer in hidden_weights]
        output_kernel, output_bias = output_weights
        weights.append((self._by_step(output_kernel, num_parts=2), output_bias))
        regressions = []
        if self.group_regression is not None:
            regressions = [self.group_regression.coefficients()]
        return in_batch_parts(
            lambda *maps: self._latents_from_noise(*maps, weights, regressions),
            noise,
            conditional_input,
        )

    def _by_step(self, values, num_parts=1):
        """[..., parts * T * s] -> [T, ..., parts * s]: s entries of each part belong to a step."""
        leading, size = values.shape[:-1], values.shape[-1] // (num_parts * self.num_steps)
        leading = [-1 if length is None else length for length in leading]
        values = tf.reshape(values, [*leading, num_parts, self.num_steps, size])
        *others, last = range(len(leading) + 3)
        values = tf.transpose(values, [others.pop(), *others, last])
        return tf.reshape(values, [self.num_steps, *leading, num_parts * size])

    def _latents_from_noise(self, noise, conditional_input, weights, regressions):
        """Each step computes its entries only, from maps whose later entries are zero."""
        *hidden_weights, (output_kernels, output_bias) = weights
        offset = self._offset(conditional_input, output_bias)
        offsets, noise_by_step = self._by_step(offset, num_parts=2), self._by_step(noise)
        zeros = tf.zeros_like(noise)
        feature_zeros = tf.tile(zeros[..., :1], [1, 1, 1, self.num_steps * self.hidden_channels])

        def body(step, latents, features):
            maps = inputs = _side_by_side(conditional_input, latents)
            known = []
            for feature_maps, (kernels, biases) in zip(features, hidden_weights, strict=True):
                own_features = self._features(maps, kernels[step], biases[step])
                maps = _with_step(feature_maps, step, own_features)
                known.append(maps)
            inputs = _side_by_side(inputs, *known[-1:])
            mean, log_scale = self._output(inputs, output_kernels[step], offsets[step])
            group = mean + tf.exp(log_scale) * noise_by_step[step]
            for coefficients in regressions:
                group = solve_regression(group, coefficients[step], axis=-1)
            return step + 1, _with_step(latents, step, group), known

        _, latents, _ = tf.while_loop(
            lambda step, *_: step < self.num_steps,
            body,
            (tf.constant(0), zeros, [feature_zeros] * len(hidden_weights)),
            maximum_iterations=self.num_steps,
        )
        return latents


def _side_by_side(*maps):
    """Maps side by side along the channels, without those that are None."""
    known = [part for part in maps if part is not None]
    return tf.concat(known, axis=-1) if len(known) > 1 else known[0]


def _with_step(maps, step, entries):
    """Maps with the entries of one step in their place; the others stay."""
    *_, size = entries.shape
    repeated = tf.tile(entries, [1, 1, 1, maps.shape[-1] // size])
    step_of_entry = np.arange(maps.shape[-1], dtype=np.int32) // size
    return tf.where(tf.equal(step_of_entry, step), repeated, maps)
