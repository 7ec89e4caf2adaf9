"""Infers a model's architecture from the names and shapes of published weights."""

import numbers
import re

import numpy as np

from tf_marscf.config import MarScfConfig
from tf_marscf.data.image_dataset import check_image_shape
from tf_marscf.errors import InputError, InputTypeError
from tf_marscf.files.input_files import quoted, shortened

_INDEX = "(0|[1-9][0-9]{0,5})"
_STEP = re.compile(rf"flow\.layers\.{_INDEX}\.actnormlayer\.bias$")
_PRIOR = re.compile(rf"flow\.c_prior\.prior_list\.{_INDEX}\.")
_LSTM_LAYER = re.compile(rf"flow\.c_prior\.prior_list\.0\.prior_lstm\.lstm\.weight_ih_l{_INDEX}$")
_BLOCK = re.compile(rf"flow\.layers\.[0-9]+\.coupling\.nn\.mid_convs\.{_INDEX}\.")
_PIXELS_PER_SQUEEZE = 4


def published_step_layers(num_levels, num_steps):
    """For each level, which of the published layers are steps: all but a squeeze and a split."""
    return [
        [level * (num_steps + 2) + 1 + step for step in range(num_steps)]
        for level in range(num_levels)
    ]


def _check_weights(weights):
    """Checks that weights are a dict from names to NumPy arrays of floats, none of them empty."""
    if not isinstance(weights, dict):
        raise InputTypeError(f"`weights` must be a dict; got {type(weights).__name__}.")
    for name, value in weights.items():
        if not isinstance(name, str):
            raise InputTypeError(f"`weights` must have strings as keys; got {name!r}.")
        if not isinstance(value, np.ndarray):
            raise InputTypeError(
                f"`weights[{quoted(name)}]` must be a NumPy array; got {type(value).__name__}."
            )
        if value.dtype.kind != "f" or value.size == 0:
            raise InputError(
                f"`weights[{quoted(name)}]` must be an array of floats; got "
                f"{shortened(str(value.dtype))} of shape {shortened(str(value.shape))}."
            )


def infer_config(weights, image_size, num_heads=None, dropout_rate=None):
    """Infers L, K, C, coupling, image channels and the prior's sizes.

    Args:
        weights: dict from published names to arrays.
        image_size: height and width of the images, which no weight shows: an integer, or (height,
            width).
        num_heads: attention heads of MixLogCDF networks, not shown either; None: as published.
        dropout_rate: of MixLogCDF networks, for further training; None: as published.

    Returns:
        A `MarScfConfig`. Dilations are the published ones; no weight shows them.

    Raises:
        InputTypeError: if `weights` is no dict from names to NumPy arrays.
        InputError: if names or shapes are not those of a published model, `image_size` is not one
            or two integers of at least 1, or an option is none of the couplings'.
    """
    _check_weights(weights)
    height, width = _height_and_width(image_size)
    steps = sorted(int(match[1]) for match in map(_STEP.match, weights) if match)
    num_levels = _num_found(_PRIOR, weights, "priors")
    if not steps or not num_levels or len(steps) % num_levels:
        raise InputError(
            "`weights` must be those of a published mAR-SCF model, with as many steps of flow at "
            f"every level; found {len(steps)} steps of flow and {num_levels} priors."
        )
    num_steps = len(steps) // num_levels
    expected = sum(published_step_layers(num_levels, num_steps), [])
    if steps != expected:
        raise InputError(
            f"`weights` with {num_levels} levels of {num_steps} steps must have them at "
            f"flow.layers {shortened(str(expected))}; found {shortened(str(steps))}."
        )
    channels = _most_common(
        weights[f"flow.layers.{step}.actnormlayer.bias"].size
        // (_PIXELS_PER_SQUEEZE * 2 ** (index // num_steps))
        for index, step in enumerate(steps)
    )
    check_image_shape((height, width, channels), "`weights` and `image_size`")
    code_network = "flow.c_prior.prior_list.0.z1_cond_network."
    embeddings = [
        _shape(weights, f"flow.c_prior.prior_list.{level}.prior_lstm.conv_embed.weight")
        for level in range(num_levels)
    ]
    # One misshapen array must not decide: it would be every other one that does not fit.
    options = _most_common(
        _coupling_options(weights, f"flow.layers.{step}.coupling.") for step in steps
    )
    for name, value in (("num_heads", num_heads), ("dropout_rate", dropout_rate)):
        if value is None:
            continue
        if options["coupling"] != "mixlogcdf":
            raise InputError(
                f"`{name}` must be None for {options['coupling']} couplings; got {value!r}."
            )
        options[name] = value
    return MarScfConfig(
        image_shape=(height, width, channels),
        num_levels=num_levels,
        num_steps=num_steps,
        prior_hidden_channels=embeddings[0][0],
        prior_num_layers=_num_found(_LSTM_LAYER, weights, "layers of the prior's ConvLSTM"),
        prior_kernel_sizes=[shape[2] for shape in embeddings],
        prior_code_channels=_shape(weights, code_network + "2.weight")[0],
        prior_code_hidden_channels=_shape(weights, code_network + "0.weight")[0],
        **options,
    )


def _most_common(values):
    values = list(values)
    return max(values, key=values.count)


def _coupling_options(weights, prefix):
    if prefix + "NN_net.conv1.weight" in weights:
        return {
            "coupling": "affine",
            "hidden_channels": _most_common(
                _shape(weights, f"{prefix}NN_net.{name}.weight")[axis]
                for name, axis in (("conv1", 0), ("conv2", 0), ("conv3", 1))
            ),
        }
    changed_channels = _shape(weights, prefix + "nn.rescale.weight_v", rank=3)[0]
    outputs = _shape(weights, prefix + "nn.out_conv.conv.weight_v")[0]
    return {
        "coupling": "mixlogcdf",
        "hidden_channels": _most_common(
            _shape(weights, f"{prefix}nn.{name}", rank)[axis]
            for name, rank, axis in (
                ("in_conv.conv.weight_v", 4, 0),
                ("in_conv.conv.bias", 1, 0),
                ("out_conv.conv.weight_v", 4, 1),
            )
        ),
        "num_blocks": _num_found(_BLOCK, weights, "blocks of couplings"),
        "num_components": (outputs // changed_channels - 2) // 3,
    }


def _shape(weights, name, rank=4):
    """The shape of an array that must be there, and have `rank` axes."""
    if name not in weights:
        raise InputError(f"`weights` must hold {name!r}, which is missing.")
    shape = weights[name].shape
    if len(shape) != rank:
        raise InputError(f"`weights[{name!r}]` must have {rank} axes; got shape {shape}.")
    return shape


def _num_found(pattern, weights, what):
    """How many indices names have; they must be 0, 1, ..."""
    found = {int(match[1]) for match in map(pattern.match, weights) if match}
    if found != set(range(len(found))):
        raise InputError(
            f"`weights` must have {what} numbered from 0 on; found {shortened(str(sorted(found)))}."
        )
    return len(found)


def _height_and_width(image_size):
    """Two integers out of one or two."""
    sizes = image_size if isinstance(image_size, tuple | list) else (image_size, image_size)
    is_size = [
        isinstance(size, numbers.Integral) and not isinstance(size, bool) and size >= 1
        for size in sizes
    ]
    if is_size != [True, True]:
        raise InputError(
            "`image_size` must be an integer >= 1 or (height, width); got "
            f"{shortened(repr(image_size))}."
        )
    return tuple(map(int, sizes))
