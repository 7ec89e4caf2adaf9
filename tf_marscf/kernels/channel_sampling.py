"""Samples of the mAR prior: one step of the ConvLSTM a channel, in a loop that XLA compiles."""

import functools

import tensorflow as tf

from tf_marscf.kernels.batch_parts import in_batch_parts, size_of_first_part
from tf_marscf.kernels.channel_convolutions import channel_convolutions
from tf_marscf.kernels.compiled_by_xla import compiled_by_xla
from tf_marscf.kernels.conv_lstm_recurrence import (
    conv_lstm_step,
    prepared_biases,
    prepared_kernels,
)


def sample_channels(noise, input_weights, layers, output_weights, convolution, log_scale_of):
    """Samples channel after channel.

        x_j = conv(l^(j-1), input_kernel) + offset,    l^0 = 0
        (mean_j, raw_j) = conv(ConvLSTM(x_1 ... x_j), output_kernel) + output_bias
        l^j = mean_j + exp(log_scale_of(raw_j)) * noise^j

    Args:
        noise: [N, H, W, T]; all but N are static.
        input_weights: `(input_kernel, offset)`, [k, k, 1, C], and [N, H, W, C] or [C].
        layers: as of `conv_lstm_recurrence`.
        output_weights: `(output_kernel, output_bias)`, [k', k', C, 2] and [2].
        convolution: of the ConvLSTM, as from `fastest_convolution`.
        log_scale_of: a function of a tensor of any shape.

    Returns:
        The latents, [N, H, W, T].
    """
    num_images, *image_size, _ = noise.shape
    convolution = convolution.for_steps(size_of_first_part(num_images))
    (input_kernel, offset), (output_kernel, _) = input_weights, output_weights
    channels = channel_convolutions(
        image_size, convolution, input_kernel.shape[0], output_kernel.shape[0]
    )
    # Once for all parts of the batch: it takes as long as some steps do.
    kernels = prepared_kernels(layers, convolution)
    run = compiled_by_xla(functools.partial(_sampling_loop, channels, convolution, log_scale_of))

    def latents_of(noise, offset_maps):
        num_images = tf.shape(noise)[0] if noise.shape[0] is None else noise.shape[0]
        zeros = convolution.zeros(num_images, input_kernel.shape[-1], noise.dtype)
        latents = run(
            channels.from_images(noise),
            channels.prepare(
                input_kernel, offset if offset_maps is None else offset_maps, *output_weights
            ),
            kernels,
            prepared_biases(layers, convolution, zeros),
            zeros,
        )
        return channels.to_images(latents)

    return in_batch_parts(latents_of, noise, None if offset.shape.rank == 1 else offset)


def _sampling_loop(
    channels, convolution, log_scale_of, noise, channel_weights, kernels, biases, zeros
):
    """The loop, in the layouts of `channels` and `convolution`."""
    input_weights, output_weights = channel_weights
    latents = tf.TensorArray(noise.dtype, size=noise.shape[0], element_shape=noise.shape[1:])

    def body(step, channel, states, latents):
        maps = channels.embed(channel, input_weights)
        maps, states = conv_lstm_step(maps, states, kernels, biases, convolution)
        mean, raw = channels.output(maps, output_weights)
        channel = mean + tf.exp(log_scale_of(raw)) * noise[step]
        return step + 1, channel, states, latents.write(step, channel)

    first_state = ((zeros, zeros),) * len(kernels)
    *_, latents = tf.while_loop(
        lambda step, *_: step < noise.shape[0],
        body,
        (tf.constant(0), tf.zeros_like(noise[0]), first_state, latents),
        maximum_iterations=noise.shape[0],
    )
    return latents.stack()
