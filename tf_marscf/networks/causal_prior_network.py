"""A mAR prior's network of masked convolutions, in the place of the ConvLSTM."""

import keras
import numpy as np
import tensorflow as tf

from tf_marscf.kernels.batch_parts import in_batch_parts
from tf_marscf.kernels.convolution import convolve
from tf_marscf.networks.bounded_log_scale import bounded_log_scale
from tf_marscf.networks.glow_layers import ZeroInitConv2D
from tf_marscf.networks.initializers import fan_in_uniform, spawn_seeds

_MAX_LOG_SCALE = 4.0


class CausalPriorNetwork(keras.layers.Layer):
    """Mean and log-scale of each channel given those before it, without a recurrence.

    Each channel has features of its own, which read the conditional input r and the channels before
    it; so do its mean and log-scale (MADE, Germain et al. 2015, over the channels of maps):

        f_j = relu(conv(concat(r, l^1 ... l^(j-1))) + bias)
        f_j = relu(conv(concat(f_1 ... f_j)) + bias)                        (each further layer)
        (mean_j, raw_j) = conv3x3(concat(r, l^1 ... l^(j-1), f_1 ... f_j)) + bias
        log_scale_j = M tanh(raw_j / M),   M = 4

    The last convolution starts at zero, as Glow's: a new prior is a standard normal. Log-scales are
    bounded, because they depend on channels without a bound, of which a sample has one after
    another: it could leave the dtype's range. A density takes `num_layers + 1` convolutions of all
    channels, whose kernels are masked; a sample takes one step a channel.

    Args:
        num_channels: T, channels of the latent map.
        num_conditional_channels: channels of r, or 0 for none.
        hidden_channels: features of each channel.
        num_layers: layers of features.
        kernel_size: odd `int`, of the features' convolutions.
        dilation: `int` >= 1, of the features' convolutions.
        max_log_scale: M > 0; None: 4.
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
        self.convolutions = [
            keras.layers.Conv2D(
                num_channels * hidden_channels,
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
            2 * num_channels, dtype=self.dtype_policy, name="output_convolution"
        )

    def build(self, input_shape=None):
        """Creates the weights; their shapes follow from the constructor's arguments."""
        # How many channels of l an entry may know. What is to know b may read what knows a <= b.
        channels = np.arange(self.num_channels)
        inputs = np.concatenate([np.zeros(self.num_conditional_channels, int), channels + 1])
        features = np.repeat(channels, self.hidden_channels)
        read, self._masks = inputs, []
        for convolution in self.convolutions:
            convolution.build((None, None, None, len(read)))
            self._masks.append(np.less_equal.outer(read, features))
            read = features
        read = np.concatenate([inputs, features])
        self.output_convolution.build((None, None, None, len(read)))
        self._masks.append(np.less_equal.outer(read, np.tile(channels, 2)))
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
        return in_batch_parts(
            lambda *maps: self._mean_and_log_scale(*maps, weights), latents, conditional_input
        )

    def _mean_and_log_scale(self, latents, conditional_input, weights):
        *hidden_weights, output_weights = weights
        maps = inputs = _side_by_side(conditional_input, latents)
        for kernel, bias in hidden_weights:
            maps = self._features(maps, kernel, bias)
        return self._output(_side_by_side(inputs, maps), *output_weights)

    def _features(self, maps, kernel, bias):
        return tf.nn.relu(tf.nn.bias_add(convolve(maps, kernel, self.dilation), bias))

    def _output(self, maps, kernel, bias):
        mean, raw = tf.split(tf.nn.bias_add(convolve(maps, kernel), bias), 2, axis=-1)
        return mean, bounded_log_scale(raw, self.max_log_scale)

    def latents_from_noise(self, noise, conditional_input=None):
        """Channel after channel, for sampling: `l^j = mean_j + exp(log_scale_j) * noise^j`.

        Args:
            noise: [N, H, W, T].
            conditional_input: r [N, H, W, num_conditional_channels], or None.

        Returns:
            The latents, [N, H, W, T].
        """
        weights = self.masked_weights()
        return in_batch_parts(
            lambda *maps: self._latents_from_noise(*maps, weights), noise, conditional_input
        )

    def _latents_from_noise(self, noise, conditional_input, weights):
        """Each step computes one channel's entries only, from maps whose later entries are zero."""
        *hidden_weights, (output_kernel, output_bias) = weights
        num_channels, num_features = self.num_channels, self.hidden_channels
        latents, features = tf.zeros_like(noise), [0.0] * len(hidden_weights)
        for channel in range(num_channels):
            maps = inputs = _side_by_side(conditional_input, latents)
            own = slice(channel * num_features, (channel + 1) * num_features)
            for layer, (kernel, bias) in enumerate(hidden_weights):
                own_features = self._features(maps, kernel[..., own], bias[own])
                features[layer] += _at(channel, own_features, num_channels)
                maps = features[layer]
            own = slice(channel, None, num_channels)
            mean, log_scale = self._output(
                _side_by_side(inputs, maps), output_kernel[..., own], output_bias[own]
            )
            own_noise = noise[..., channel : channel + 1]
            latents += _at(channel, mean + tf.exp(log_scale) * own_noise, num_channels)
        return latents


def _side_by_side(first, second):
    """Maps side by side along the channels; the first may be None."""
    return second if first is None else tf.concat([first, second], axis=-1)


def _at(position, maps, num_positions):
    """Maps in their place among `num_positions` of as many channels, all others zero."""
    size = maps.shape[-1]
    before, after = position * size, (num_positions - 1 - position) * size
    return tf.pad(maps, [[0, 0], [0, 0], [0, 0], [before, after]])
