"""How large a model is, by arithmetic: nothing is built."""

import math

from tf_marscf.errors import InputError
from tf_marscf.files import input_files

MAX_LEVELS = 14  # Of images with `MAX_IMAGE_VALUES`.
MAX_IMAGE_VALUES = 2**28  # 1 GiB an image, in float32.
MAX_LAYERS = 10_000
MAX_WEIGHT_BYTES = 64 * 1024**3
BYTES = {"float32": 4, "float64": 8}


def num_parameters(config):
    """The number of trainable parameters of the model of a `MarScfConfig`."""
    return sum(
        _bijector_parameters(config, level)
        + _prior_parameters(config, level)
        + _class_parameters(config, level)
        for level in range(config.num_levels)
    )


def weight_bytes(config):
    """The bytes of all weights, those that are not trained included."""
    # The permutation of a 1x1 convolution, and the signs.
    fixed = sum(
        config.num_steps * (channels**2 + channels)
        for channels in map(config.num_squeezed_channels, range(config.num_levels))
    )
    return BYTES[config.dtype] * (num_parameters(config) + fixed)


def check_model_size(config):
    """Raises `InputError` if an image, the number of layers or the weights are too large."""
    height, width, channels = config.image_shape
    if height * width * channels > MAX_IMAGE_VALUES:
        raise InputError(
            f"`image_shape` must have at most 2^28 values; got {config.image_shape}, "
            f"{height * width * channels} values."
        )
    blocks = config.num_blocks if config.coupling == "mixlogcdf" else 0
    prior_layers = config.prior_num_layers if config.prior == "mar" else 0
    num_layers = config.num_levels * (config.num_steps * (1 + blocks) + prior_layers)
    if num_layers > MAX_LAYERS:
        raise InputError(
            f"a model must have at most {MAX_LAYERS} steps, blocks and layers; got {num_layers}: "
            f"num_levels={config.num_levels}, num_steps={config.num_steps}, "
            f"num_blocks={config.num_blocks}, prior_num_layers={config.prior_num_layers}."
        )
    limit, size = min(MAX_WEIGHT_BYTES, input_files.memory_bytes()), weight_bytes(config)
    if size > limit:
        raise InputError(
            f"a model must have at most {_gib(limit)} GiB of weights, the lesser of "
            f"{_gib(MAX_WEIGHT_BYTES)} GiB and the memory; got {num_parameters(config):,} "
            f"parameters, {_gib(size)} GiB: image_shape={config.image_shape}, "
            f"num_levels={config.num_levels}, num_steps={config.num_steps}, "
            f"hidden_channels={config.hidden_channels}, "
            f"prior_hidden_channels={config.prior_hidden_channels}, "
            f"num_classes={config.num_classes}."
        )


def num_dequantizer_parameters(config, image_shape):
    """The number of trainable parameters of the dequantizer of a `DequantizationConfig`."""
    if config.dequantization == "uniform":
        return 0
    channels, hidden = 4 * image_shape[2], config.dequantizer_hidden_channels
    act_norm = 2 * channels
    convolution = 2 * channels**2 + channels
    # Half of the noise's channels go into a network, and all of the image's.
    network = 9 * (channels // 2 + channels) * hidden + hidden**2 + 2 * 2 * hidden
    network += (9 * hidden + 2) * channels
    return config.dequantizer_num_steps * (act_norm + convolution + network)


def check_dequantizer_size(config, image_shape, dtype):
    """Raises `InputError` if the steps or the weights of a dequantizer are too many."""
    if config.dequantization == "uniform":
        return
    num_steps, channels = config.dequantizer_num_steps, 4 * image_shape[2]
    num_values = num_dequantizer_parameters(config, image_shape)
    num_values += num_steps * (channels**2 + channels)  # Permutations and signs.
    limit, size = min(MAX_WEIGHT_BYTES, input_files.memory_bytes()), BYTES[dtype] * num_values
    if num_steps > MAX_LAYERS or size > limit:
        raise InputError(
            f"a dequantizer must have at most {MAX_LAYERS} steps and {_gib(limit)} GiB of weights, "
            f"the lesser of {_gib(MAX_WEIGHT_BYTES)} GiB and the memory; got {_gib(size)} GiB: "
            f"dequantizer_num_steps={num_steps}, "
            f"dequantizer_hidden_channels={config.dequantizer_hidden_channels}."
        )


def _gib(num_bytes):
    return f"{num_bytes / 1024**3:,.1f}"


def _bijector_parameters(config, level):
    """Of all steps of a level."""
    channels = config.num_squeezed_channels(level)
    coupling = _COUPLING_PARAMETERS[config.coupling]
    act_norm = 2 * channels
    convolution = 2 * channels**2 + channels
    return config.num_steps * (act_norm + convolution + coupling(config, channels))


def _affine_parameters(config, channels):
    hidden = config.hidden_channels
    convolutions = 9 * (channels // 2) * hidden + hidden**2
    act_norms = 2 * 2 * hidden
    return convolutions + act_norms + (9 * hidden + 2) * channels


def _mix_log_cdf_parameters(config, channels):
    hidden, changed = config.hidden_channels, channels // 2
    gated_convolution = _weight_norm(2 * hidden, hidden, 9) + _weight_norm(2 * hidden, 2 * hidden)
    attention = 3 * hidden * (hidden + 1) + _weight_norm(hidden, 2 * hidden)
    block = gated_convolution + attention + 2 * 2 * hidden  # Two layer norms.
    outputs = changed * (2 + 3 * config.num_components)
    ends = _weight_norm(changed, hidden, 9) + _weight_norm(hidden, outputs, 9)
    return ends + config.num_blocks * block + changed


def _residual_parameters(config, channels):
    hidden = config.hidden_channels
    kernels = 9 * channels * hidden + hidden**2 + 9 * hidden * channels
    return kernels + 2 * hidden + channels + 3  # Biases, and the sharpness of each LipSwish.


_COUPLING_PARAMETERS = {
    "affine": _affine_parameters,
    "mixlogcdf": _mix_log_cdf_parameters,
    "residual": _residual_parameters,
}


def _weight_norm(inputs, outputs, num_taps=1):
    """Direction, gain and bias."""
    return num_taps * inputs * outputs + 2 * outputs


def _prior_parameters(config, level):
    channels = config.channels_per_level[level]
    is_last = level == config.num_levels - 1
    if config.prior == "gaussian":
        return _gaussian_prior_parameters(channels, is_last)
    if config.prior_network == "causal":
        return _causal_prior_parameters(config, level, channels, 0 if is_last else channels)
    hidden, num_taps = config.prior_hidden_channels, config.prior_kernel_sizes[level] ** 2
    group_size = config.prior_channels_per_step
    layers = config.prior_num_layers * (8 * num_taps * hidden + 4) * hidden
    code = 0 if is_last else config.prior_code_channels
    inputs = (num_taps * (group_size + code) + 1) * hidden
    outputs = 2 * group_size * (9 * hidden + 1) + _group_regression_parameters(config, channels)
    if config.prior_start == "gaussian":
        outputs += _gaussian_prior_parameters(channels, is_last)
    if is_last:
        return layers + inputs + outputs
    code_hidden = config.prior_code_hidden_channels
    coding = (25 * channels + 1) * code_hidden + (25 * code_hidden + 1) * code
    return layers + inputs + outputs + coding


def _class_parameters(config, level):
    """A shift and a log-scale for each element and class."""
    return 2 * (config.num_classes or 0) * math.prod(config.latent_shape(level))


def _gaussian_prior_parameters(channels, is_last):
    return 2 * channels if is_last else (9 * channels + 2) * 2 * channels


def _group_regression_parameters(config, channels):
    group_size = config.prior_channels_per_step
    return channels * group_size if group_size > 1 else 0


def _causal_prior_parameters(config, level, channels, conditional_channels):
    num_taps = config.prior_kernel_sizes[level] ** 2
    num_steps = channels // config.prior_channels_per_step
    inputs, features = conditional_channels + channels, num_steps * config.prior_hidden_channels
    widths = [inputs] + [features] * config.prior_num_layers
    layers = sum((num_taps * width + 1) * features for width in widths[:-1])
    inputs += features if config.prior_num_layers else 0
    outputs = (min(num_taps, 9) * inputs + 2) * 2 * channels
    if num_taps == 1 and conditional_channels:
        outputs += _gaussian_prior_parameters(channels, is_last=False)
    return layers + outputs + _group_regression_parameters(config, channels)
