"""Which published arrays (visinf/mar-scf) each variable of a model is made from."""

import dataclasses
from collections.abc import Callable

import numpy as np

from tf_marscf.errors import InputError
from tf_marscf.interop.published_architecture import published_step_layers


def _kernel(value):
    """[out, in, height, width] -> [height, width, in, out]."""
    return value.transpose(2, 3, 1, 0)


def _matrix(value):
    """[out, in] -> [in, out]."""
    return value.T


def _flat(value):
    """[C, 1, 1] or [1, C, 1, 1] -> [C]."""
    return value.reshape(-1)


def _sum(first, second):
    return first + second


def _signed_gain(gain, direction):
    """The published rescale is weight-normalised over nothing: `g * v / |v|` a channel."""
    return (gain * np.sign(direction)).reshape(-1)


@dataclasses.dataclass(frozen=True)
class WeightMapping:
    """One of our variables, made from one or more published arrays.

    Attributes:
        variable: a Keras or TensorFlow variable.
        names: the published names.
        convert: function from the published arrays to the variable's value.
        stacked: whether each array is converted alone, to one entry of the variable.
    """

    variable: object
    names: tuple
    convert: Callable = staticmethod(lambda value: value)
    stacked: bool = False

    def value(self, arrays):
        """What the variable becomes, from one array a name."""
        if self.stacked:
            return np.stack([self.convert(array) for array in arrays])
        return self.convert(*arrays)

    def variable_name(self):
        """The variable's name, without the modules that it lies in."""
        return self.variable.name.split("/")[-1].removesuffix(":0")

    def published_shape(self):
        """The shape of each published array."""
        shape = tuple(self.variable.shape)[1 if self.stacked else 0 :]
        if self.convert is _kernel:
            height, width, inputs, outputs = shape
            return (outputs, inputs, height, width)
        return shape[::-1] if self.convert is _matrix else shape


def published_mappings(model):
    """Which published arrays each variable of a model is made from.

    Args:
        model: a `MarScf` with the mAR prior.

    Returns:
        A list of `WeightMapping`s that covers every variable of the model.

    Raises:
        InputError: if the model has another prior; the published code has no other.
    """
    config = model.config
    if config.prior != "mar":
        raise InputError(f"`model` must have prior 'mar'; got prior={config.prior!r}.")
    mappings = []
    step_layers = published_step_layers(config.num_levels, config.num_steps)
    for index, (level, layers) in enumerate(zip(model.levels, step_layers, strict=True)):
        _, *steps = level.level_bijector.bijectors
        for step, layer in zip(steps, layers, strict=True):
            mappings += _step_mappings(step, f"flow.layers.{layer}.", config.coupling)
        mappings += _prior_mappings(
            level.latent_prior.network.layer, f"flow.c_prior.prior_list.{index}."
        )
    return mappings


def _step_mappings(step, prefix, coupling):
    act_norm, convolution = step.act_norm, step.invertible_conv1x1
    network = step.coupling.network.layer
    network_mappings = _affine_mappings if coupling == "affine" else _mix_log_cdf_mappings
    return [
        WeightMapping(act_norm.bias, (prefix + "actnormlayer.bias",), _flat),
        WeightMapping(act_norm.log_scale, (prefix + "actnormlayer.logs",), _flat),
        *(
            WeightMapping(variable, (f"{prefix}invert_1x1_layer.{name}",))
            for variable, name in (
                (convolution.permutation, "p"),
                (convolution.sign_s, "sign_s"),
                (convolution.lower, "l"),
                (convolution.log_s, "log_s"),
                (convolution.upper, "u"),
            )
        ),
        *network_mappings(network, prefix + "coupling."),
    ]


def _affine_mappings(network, prefix):
    mappings = []
    for index, (convolution, act_norm) in enumerate(
        zip(network.convolutions, network.act_norms, strict=True), start=1
    ):
        name = f"{prefix}NN_net.conv{index}."
        mappings += [
            WeightMapping(convolution.kernel, (name + "weight",), _kernel),
            WeightMapping(act_norm.bias, (name + "actnorm.bias",), _flat),
            WeightMapping(act_norm.log_scale, (name + "actnorm.logs",), _flat),
        ]
    output, name = network.output_convolution, prefix + "NN_net.conv3."
    return mappings + [
        WeightMapping(output.kernel, (name + "weight",), _kernel),
        WeightMapping(output.bias, (name + "bias",)),
        WeightMapping(output.log_scale, (name + "logs",), _flat),
    ]


def _mix_log_cdf_mappings(network, prefix):
    prefix += "nn."
    mappings = _weight_norm_mappings(network.input_convolution, prefix + "in_conv.conv.", _kernel)
    blocks = network.blocks
    block_mappings = _gated_block_mappings(blocks.template) if blocks.num_layers else []
    for stack, mapping in zip(blocks.stacked_weights, block_mappings, strict=True):
        names = tuple(
            f"{prefix}mid_convs.{index}.{mapping.names[0]}" for index in range(blocks.num_layers)
        )
        mappings.append(WeightMapping(stack, names, mapping.convert, stacked=True))
    return [
        *mappings,
        *_weight_norm_mappings(network.output_convolution, prefix + "out_conv.conv.", _kernel),
        WeightMapping(
            network.rescale,
            (prefix + "rescale.weight_g", prefix + "rescale.weight_v"),
            _signed_gain,
        ),
    ]


def _gated_block_mappings(block):
    gated, attention = block.convolution, block.attention
    return [
        *_weight_norm_mappings(gated.convolution, "conv.conv.conv.", _kernel),
        *_weight_norm_mappings(gated.gate, "conv.gate.conv.", _kernel),
        *_weight_norm_mappings(attention.projection, "attn.in_proj.", _matrix),
        *_weight_norm_mappings(attention.gate, "attn.gate.", _matrix),
        *(
            WeightMapping(variable, (f"norm_{number}.{name}",))
            for number, norm in enumerate(block.norms, start=1)
            for variable, name in ((norm.gamma, "weight"), (norm.beta, "bias"))
        ),
    ]


def _weight_norm_mappings(layer, prefix, convert):
    mappings = [
        WeightMapping(layer.direction, (prefix + "weight_v",), convert),
        WeightMapping(layer.gain, (prefix + "weight_g",), _flat),
    ]
    if layer.use_bias:
        mappings.append(WeightMapping(layer.bias, (prefix + "bias",)))
    return mappings


def _prior_mappings(network, prefix):
    mappings = [
        WeightMapping(weight, (f"{prefix}prior_lstm.{name}",), convert)
        for weight, name, convert in (
            (network.input_kernel, "conv_embed.weight", _kernel),
            (network.input_bias, "conv_embed.bias", _flat),
            (network.output_kernel, "conv_out1.weight", _kernel),
            (network.output_bias, "conv_out1.bias", _flat),
        )
    ]
    for index, convolution in enumerate(network.code_convolutions):
        name = f"{prefix}z1_cond_network.{2 * index}."
        mappings += [
            WeightMapping(convolution.kernel, (name + "weight",), _kernel),
            WeightMapping(convolution.bias, (name + "bias",)),
        ]
    conv_lstm, name = network.conv_lstm, prefix + "prior_lstm.lstm."
    for index in range(conv_lstm.num_layers):
        mappings += [
            WeightMapping(conv_lstm.input_kernels[index], (f"{name}weight_ih_l{index}",), _kernel),
            WeightMapping(
                conv_lstm.recurrent_kernels[index], (f"{name}weight_hh_l{index}",), _kernel
            ),
            # Two biases of one sum: here they are one variable.
            WeightMapping(
                conv_lstm.biases[index],
                (f"{name}bias_ih_l{index}", f"{name}bias_hh_l{index}"),
                _sum,
            ),
        ]
    return mappings
