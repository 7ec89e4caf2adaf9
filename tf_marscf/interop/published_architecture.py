"""Infers a model's architecture from the names and shapes of published weights."""

import re

from tf_marscf.config import MarScfConfig
from tf_marscf.errors import InputError

_STEP = re.compile(r"flow\.layers\.(\d+)\.actnormlayer\.bias$")
_PRIOR = re.compile(r"flow\.c_prior\.prior_list\.(\d+)\.")
_LSTM_LAYER = re.compile(r"flow\.c_prior\.prior_list\.0\.prior_lstm\.lstm\.weight_ih_l(\d+)$")
_BLOCK = re.compile(r"\.coupling\.nn\.mid_convs\.(\d+)\.")
_PIXELS_PER_SQUEEZE = 4


def published_step_layers(num_levels, num_steps):
    """The indices of the steps of flow in the published list of layers.

    Each level of that list is a squeeze, K steps and, but for the last level, a split.

    Returns:
        A list of `num_levels` lists of `num_steps` indices.
    """
    return [
        [level * (num_steps + 2) + 1 + step for step in range(num_steps)]
        for level in range(num_levels)
    ]


def infer_config(weights, image_size, num_heads=4, dropout_rate=0.2):
    """Infers L, K, C, coupling, image channels and the prior's sizes.

    Args:
        weights: dict from published names to arrays.
        image_size: height and width of the images: an integer, or (height, width). Weights do not
            show it.
        num_heads: attention heads of MixLogCDF networks, which the weights do not show either.
        dropout_rate: of MixLogCDF networks, for further training.

    Returns:
        A `MarScfConfig`. Dilations are the published ones; no weight shows them.

    Raises:
        ValueError: if the names are not those of a published model.
    """
    steps = sorted(int(match[1]) for match in map(_STEP.match, weights) if match)
    num_levels = 1 + max(
        (int(match[1]) for match in map(_PRIOR.match, weights) if match), default=-1
    )
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
            f"flow.layers {expected}; found {steps}."
        )
    height, width = (image_size, image_size) if isinstance(image_size, int) else image_size
    channels = _most_common(
        weights[f"flow.layers.{step}.actnormlayer.bias"].size
        // (_PIXELS_PER_SQUEEZE * 2 ** (index // num_steps))
        for index, step in enumerate(steps)
    )
    priors = [f"flow.c_prior.prior_list.{level}." for level in range(num_levels)]
    # One misshapen array must not decide: it would be every other one that does not fit.
    options = _most_common(
        _coupling_options(weights, f"flow.layers.{step}.coupling.") for step in steps
    )
    if options["coupling"] == "mixlogcdf":
        options |= {"num_heads": num_heads, "dropout_rate": dropout_rate}
    return MarScfConfig(
        image_shape=(height, width, channels),
        num_levels=num_levels,
        num_steps=num_steps,
        prior_hidden_channels=_shape(weights, priors[0] + "prior_lstm.conv_embed.weight")[0],
        prior_num_layers=1
        + max((int(match[1]) for match in map(_LSTM_LAYER.match, weights) if match), default=-1),
        prior_kernel_sizes=[
            _shape(weights, prior + "prior_lstm.conv_embed.weight")[2] for prior in priors
        ],
        prior_code_channels=_shape(weights, priors[0] + "z1_cond_network.2.weight")[0],
        prior_code_hidden_channels=_shape(weights, priors[0] + "z1_cond_network.0.weight")[0],
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
    changed_channels = _shape(weights, prefix + "nn.rescale.weight_v")[0]
    outputs = _shape(weights, prefix + "nn.out_conv.conv.weight_v")[0]
    blocks = [int(match[1]) for match in map(_BLOCK.search, weights) if match]
    return {
        "coupling": "mixlogcdf",
        "hidden_channels": _most_common(
            _shape(weights, f"{prefix}nn.{name}")[axis]
            for name, axis in (
                ("in_conv.conv.weight_v", 0),
                ("in_conv.conv.bias", 0),
                ("out_conv.conv.weight_v", 1),
            )
        ),
        "num_blocks": 1 + max(blocks, default=-1),
        "num_components": (outputs // changed_channels - 2) // 3,
    }


def _shape(weights, name):
    if name not in weights:
        raise InputError(f"`weights` must hold {name!r}, which is missing.")
    return weights[name].shape
