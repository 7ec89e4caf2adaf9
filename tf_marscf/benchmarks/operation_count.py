"""Floating-point operations of a density, counted as if every convolution were a plain one.

A product and its sum are two operations; taps beyond the border count, element-wise functions do
not. The count says how much the model asks for: an algorithm that needs fewer operations, such as
the ConvLSTM's products of Fourier transforms, can exceed the rate of a plain convolution.
"""

import math

from tf_marscf.bijectors.residual_block import MAX_EXACT_DIMENSIONS
from tf_marscf.networks.mar_prior_network import CODE_KERNEL_SIZE, OUTPUT_KERNEL_SIZE


def log_prob_operations(config, batch_size):
    """Operations of `log_prob` of `batch_size` images, an `int`; `config` is a `MarScfConfig`."""
    return flow_operations(config, batch_size) + prior_operations(config, batch_size)


def flow_operations(config, batch_size):
    """The part of `log_prob_operations` that is the bijectors': latents and log-dets."""
    operations = 0
    for level in range(config.num_levels):
        height, width, _ = config.latent_shape(level)
        channels = config.num_squeezed_channels(level)
        if config.coupling == "affine":
            network = _affine_network(config, channels)
        elif config.coupling == "residual":
            network = _residual_network(config, channels, height * width)
        else:
            network = _mix_log_cdf_network(config, channels, height * width)
        step = network + _convolutions((1, channels, channels))
        operations += batch_size * height * width * config.num_steps * step
    return operations


def prior_operations(config, batch_size):
    """The part of `log_prob_operations` that is the priors': log p(l_i | r_i) of all levels."""
    operations = 0
    for level in range(config.num_levels):
        height, width, channels = config.latent_shape(level)
        conditional_channels = 0 if level == config.num_levels - 1 else channels
        if config.prior == "gaussian":
            prior = _convolutions((3, conditional_channels, 2 * channels))
        elif config.prior_network == "causal":
            prior = _causal_prior(config, level, channels, conditional_channels)
        else:
            prior = _mar_prior(config, level, channels, conditional_channels)
        operations += batch_size * height * width * prior
    return operations


def dequantization_operations(config, image_shape, batch_size):
    """Operations of the noise of `batch_size` images, of a `DequantizationConfig`; 0 if uniform."""
    if config.dequantization == "uniform":
        return 0
    height, width, num_channels = image_shape
    channels, hidden = 4 * num_channels, config.dequantizer_hidden_channels
    step = _convolutions(
        (1, channels, channels),
        (3, channels // 2 + channels, hidden),
        (1, hidden, hidden),
        (3, hidden, channels),
    )
    return batch_size * (height // 2) * (width // 2) * config.dequantizer_num_steps * step


def convolution_operations(maps_shape, kernel_shape):
    """Operations of one plain convolution of [N, H, W, C_in] by [k, k, C_in, C_out]."""
    return 2 * math.prod(maps_shape[:3]) * math.prod(kernel_shape)


def _convolutions(*convolutions):
    """Operations a pixel of convolutions: triples of kernel size, input and output channels."""
    return sum(2 * size**2 * inputs * outputs for size, inputs, outputs in convolutions)


def _affine_network(config, channels):
    hidden = config.hidden_channels
    return _convolutions((3, channels // 2, hidden), (1, hidden, hidden), (3, hidden, channels))


def _residual_network(config, channels, num_pixels):
    """Of the network, and of as many products with its Jacobian as a log-det needs."""
    hidden = config.hidden_channels
    network = _convolutions((3, channels, hidden), (1, hidden, hidden), (3, hidden, channels))
    num_dimensions = channels * num_pixels
    is_exact = num_dimensions <= MAX_EXACT_DIMENSIONS
    num_series_products = config.residual_num_terms * config.residual_num_probes
    return (1 + (num_dimensions if is_exact else num_series_products)) * network


def _mix_log_cdf_network(config, channels, num_pixels):
    hidden = config.hidden_channels
    block = _convolutions(
        (3, 2 * hidden, hidden),
        (1, 2 * hidden, 2 * hidden),
        (1, hidden, 3 * hidden),
        # Each pixel with each other: queries by keys, then weights by values.
        (1, num_pixels, hidden),
        (1, num_pixels, hidden),
        (1, hidden, 2 * hidden),
    )
    num_outputs = channels // 2 * (2 + 3 * config.num_components)
    ends = _convolutions((3, channels // 2, hidden), (3, hidden, num_outputs))
    return ends + config.num_blocks * block


def _causal_prior(config, level, channels, conditional_channels):
    """Of the whole kernels: half of their entries are masked, and computed all the same."""
    size, inputs = config.prior_kernel_sizes[level], conditional_channels + channels
    features = channels // config.prior_channels_per_step * config.prior_hidden_channels
    widths = [inputs] + [features] * config.prior_num_layers
    layers = [(size, width, features) for width in widths[:-1]]
    outputs = [(min(size, 3), inputs + (features if layers else 0), 2 * channels)]
    if size == 1:
        outputs += [(3, conditional_channels, 2 * channels)]
    return _convolutions(*layers, *outputs, *_group_regression(config, channels))


def _group_regression(config, channels):
    """One product of all channels, most of whose entries are zero."""
    return [(1, channels, channels)] if config.prior_channels_per_step > 1 else []


def _mar_prior(config, level, channels, conditional_channels):
    hidden = config.prior_hidden_channels
    size = config.prior_kernel_sizes[level]
    layer = _convolutions((size, 2 * hidden, 4 * hidden))
    group_size = config.prior_channels_per_step
    ends = _convolutions((size, group_size, hidden), (OUTPUT_KERNEL_SIZE, hidden, 2 * group_size))
    operations = channels // group_size * (ends + config.prior_num_layers * layer)
    operations += _convolutions(*_group_regression(config, channels))
    if config.prior_start == "gaussian":
        operations += _convolutions((3, conditional_channels, 2 * channels))
    if conditional_channels:
        code_hidden, code = config.prior_code_hidden_channels, config.prior_code_channels
        operations += _convolutions(
            (CODE_KERNEL_SIZE, conditional_channels, code_hidden),
            (CODE_KERNEL_SIZE, code_hidden, code),
            (size, code, hidden),
        )
    return operations
