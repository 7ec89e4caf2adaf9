"""Samples of the mAR prior: one step of the ConvLSTM a group of channels, in a loop of XLA's."""

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


def sample_channels(
    noise,
    input_weights,
    layers,
    output_weights,
    convolution,
    log_scale_of,
    start=(),
    regression=None,
):
    """Samples the channels, g in each step: a group.

        x_j = conv(l^(j-1), input_kernel) + offset,    l^0 = 0
        (mean_j, raw_j) = conv(ConvLSTM(x_1 ... x_j), output_kernel) + output_bias + start_j
        l^j = mean_j + exp(log_scale_of(raw_j)) * noise^j + regression_j l^j

    Args:
        noise: [N, H, W, T * g]; all but N are static.
        input_weights: `(input_kernel, offset)`, [k, k, g, C], and [N, H, W, C] or [C].
        layers: as of `conv_lstm_recurrence`.
        output_weights: `(output_kernel, output_bias)`, [k', k', C, 2 g] and [2 g]: means first.
        convolution: of the ConvLSTM, as from `fastest_convolution`.
        log_scale_of: a function of a tensor of any shape.
        start: `(mean, raw)` that are added, each [N, H, W, T * g]; or empty.
        regression: [T, g, g], strictly lower triangular, as of `solve_regression`; or None.

    Returns:
        The latents, [N, H, W, T * g].
    """
    num_images, *image_size, _ = noise.shape
    convolution = convolution.for_steps(size_of_first_part(num_images))
    (input_kernel, offset), (output_kernel, _) = input_weights, output_weights
    *_, group_size, num_hidden = input_kernel.shape
    channels = channel_convolutions(
        image_size, convolution, input_kernel.shape[0], output_kernel.shape[0], group_size
    )
    # Once for all parts of the batch: it takes as long as some steps do.
    kernels = prepared_kernels(layers, convolution)
    regressions = [] if regression is None else [regression]
    run = compiled_by_xla(functools.partial(_sampling_loop, channels, convolution, log_scale_of))

    def latents_of(noise, offset_maps, *start):
        num_images = tf.shape(noise)[0] if noise.shape[0] is None else noise.shape[0]
        zeros = convolution.zeros(num_images, num_hidden, noise.dtype)
        latents = run(
            channels.from_images(noise),
            channels.prepare(
                input_kernel, offset if offset_maps is None else offset_maps, *output_weights
            ),
            kernels,
            prepared_biases(layers, convolution, zeros),
            zeros,
            [channels.from_images(maps) for maps in start],
            regressions,
        )
        return channels.to_images(latents)

    return in_batch_parts(latents_of, noise, None if offset.shape.rank == 1 else offset, *start)


def solve_regression(values, coefficients, axis):
    """The latents of a group, of which each depends on those before it.

        l_j = values_j + sum_{k < j} coefficients_jk l_k

    Args:
        values: g entries, or g blocks of equally many, along an axis.
        coefficients: [g, g], strictly lower triangular.
        axis: of the entries.

    Returns:
        The latents, in the shape of `values`.
    """
    latents = []
    for j, latent in enumerate(tf.split(values, coefficients.shape[0], axis=axis)):
        for k, before in enumerate(latents):
            latent += coefficients[j, k] * before
        latents.append(latent)
    return tf.concat(latents, axis=axis)


def _sampling_loop(
    channels,
    convolution,
    log_scale_of,
    noise,
    channel_weights,
    kernels,
    biases,
    zeros,
    start,
    regressions,
):
    """The loop, in the layouts of `channels` and `convolution`."""
    input_weights, output_weights = channel_weights
    latents = tf.TensorArray(noise.dtype, size=noise.shape[0], element_shape=noise.shape[1:])

    def body(step, group, states, latents):
        maps = channels.embed(group, input_weights)
        maps, states = conv_lstm_step(maps, states, kernels, biases, convolution)
        mean, raw = channels.output(maps, output_weights)
        if start:
            mean, raw = mean + start[0][step], raw + start[1][step]
        group = mean + tf.exp(log_scale_of(raw)) * noise[step]
        for regression in regressions:
            group = solve_regression(group, regression[step], channels.channel_axis)
        return step + 1, group, states, latents.write(step, group)

    first_state = ((zeros, zeros),) * len(kernels)
    *_, latents = tf.while_loop(
        lambda step, *_: step < noise.shape[0],
        body,
        (tf.constant(0), tf.zeros_like(noise[0]), first_state, latents),
        maximum_iterations=noise.shape[0],
    )
    return latents.stack()
