"""Which published arrays (visinf/mar-scf) each variable of a model is made from."""

import dataclasses

import numpy as np

from tf_marscf.errors import InputError
from tf_marscf.interop.published_architecture import published_step_layers


def _same(value):
    return value


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


def _weight_norm(layer, name, convert):
    return (
        (f"{layer}.direction", f"{name}.weight_v", convert),
        (f"{layer}.gain", f"{name}.weight_g", _flat),
        (f"{layer}.bias", f"{name}.bias", _same),
    )


# Tables of our variable, the published array or arrays, and what makes the one of the others. What
# stands before all names of a table follows from where its module is.
_STEP = (
    ("act_norm.bias", "actnormlayer.bias", _flat),
    ("act_norm.log_scale", "actnormlayer.logs", _flat),
    ("invertible_conv1x1.permutation", "invert_1x1_layer.p", _same),
    ("invertible_conv1x1.sign_s", "invert_1x1_layer.sign_s", _same),
    ("invertible_conv1x1.lower", "invert_1x1_layer.l", _same),
    ("invertible_conv1x1.log_s", "invert_1x1_layer.log_s", _same),
    ("invertible_conv1x1.upper", "invert_1x1_layer.u", _same),
)
_AFFINE_NETWORK = (
    ("convolutions.0.kernel", "NN_net.conv1.weight", _kernel),
    ("act_norms.0.bias", "NN_net.conv1.actnorm.bias", _flat),
    ("act_norms.0.log_scale", "NN_net.conv1.actnorm.logs", _flat),
    ("convolutions.1.kernel", "NN_net.conv2.weight", _kernel),
    ("act_norms.1.bias", "NN_net.conv2.actnorm.bias", _flat),
    ("act_norms.1.log_scale", "NN_net.conv2.actnorm.logs", _flat),
    ("output_convolution.kernel", "NN_net.conv3.weight", _kernel),
    ("output_convolution.bias", "NN_net.conv3.bias", _same),
    ("output_convolution.log_scale", "NN_net.conv3.logs", _flat),
)
_MIX_LOG_CDF_NETWORK = (
    *_weight_norm("input_convolution", "nn.in_conv.conv", _kernel),
    *_weight_norm("output_convolution", "nn.out_conv.conv", _kernel),
    ("rescale", "nn.rescale.weight_g + nn.rescale.weight_v", _signed_gain),
)
# In the order of the stacked weights, of which there is one for all blocks.
_GATED_BLOCK = (
    *_weight_norm("convolution.convolution", "conv.conv.conv", _kernel),
    *_weight_norm("convolution.gate", "conv.gate.conv", _kernel),
    *_weight_norm("attention.projection", "attn.in_proj", _matrix)[:2],  # It has no bias.
    *_weight_norm("attention.gate", "attn.gate", _matrix),
    ("norms.0.gamma", "norm_1.weight", _same),
    ("norms.0.beta", "norm_1.bias", _same),
    ("norms.1.gamma", "norm_2.weight", _same),
    ("norms.1.beta", "norm_2.bias", _same),
)
_PRIOR = (
    ("input_kernel", "prior_lstm.conv_embed.weight", _kernel),
    ("input_bias", "prior_lstm.conv_embed.bias", _flat),
    ("output_kernel", "prior_lstm.conv_out1.weight", _kernel),
    ("output_bias", "prior_lstm.conv_out1.bias", _flat),
)
_PRIOR_CODE = (
    ("code_convolutions.0.kernel", "z1_cond_network.0.weight", _kernel),
    ("code_convolutions.0.bias", "z1_cond_network.0.bias", _same),
    ("code_convolutions.1.kernel", "z1_cond_network.2.weight", _kernel),
    ("code_convolutions.1.bias", "z1_cond_network.2.bias", _same),
)


def _conv_lstm_layer(index):
    name = "prior_lstm.lstm."
    return (
        (f"conv_lstm.input_kernels.{index}", f"{name}weight_ih_l{index}", _kernel),
        (f"conv_lstm.recurrent_kernels.{index}", f"{name}weight_hh_l{index}", _kernel),
        # Two biases of one sum: here they are one variable.
        (f"conv_lstm.biases.{index}", f"{name}bias_ih_l{index} + {name}bias_hh_l{index}", _sum),
    )


@dataclasses.dataclass(frozen=True)
class WeightMapping:
    """One of our variables, made from one or more published arrays."""

    variable: object
    names: tuple  # The published ones.
    convert: object  # A function from the published arrays to the variable's value.
    stacked: bool = False  # Whether each array is converted alone, to one entry of the variable.

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
    """Which published arrays each variable of a `MarScf` is made from: a list of `WeightMapping`s.

    Raises:
        InputError: if the model's prior is not the mAR one; the published code has no other.
    """
    config = model.config
    if config.prior != "mar":
        raise InputError(f"`model` must have prior 'mar'; got prior={config.prior!r}.")
    mappings = []
    step_layers = published_step_layers(config.num_levels, config.num_steps)
    for index, (level, layers) in enumerate(zip(model.levels, step_layers, strict=True)):
        _, *steps = level.level_bijector.bijectors
        for step, layer in zip(steps, layers, strict=True):
            prefix = f"flow.layers.{layer}."
            mappings += _mappings(step, prefix, _STEP)
            network, prefix = step.coupling.network.layer, prefix + "coupling."
            if config.coupling == "affine":
                mappings += _mappings(network, prefix, _AFFINE_NETWORK)
            else:
                mappings += _mappings(network, prefix, _MIX_LOG_CDF_NETWORK)
                mappings += _block_mappings(network.blocks, prefix + "nn.mid_convs.")
        prior = level.latent_prior.network.layer
        rows = [*_PRIOR, *(_PRIOR_CODE if prior.code_convolutions else ())]
        for layer in range(config.prior_num_layers):
            rows += _conv_lstm_layer(layer)
        mappings += _mappings(prior, f"flow.c_prior.prior_list.{index}.", rows)
    return mappings


def _mappings(module, prefix, rows):
    """The mappings of one module's table."""
    return [
        WeightMapping(
            _variable(module, path), tuple(prefix + name for name in names.split(" + ")), convert
        )
        for path, names, convert in rows
    ]


def _variable(module, path):
    for name in path.split("."):
        module = module[int(name)] if name.isdigit() else getattr(module, name)
    return module


def _block_mappings(blocks, prefix):
    """All blocks have one variable a weight; there may be no block."""
    rows = _GATED_BLOCK if blocks.num_layers else ()
    return [
        WeightMapping(
            stack,
            tuple(f"{prefix}{index}.{name}" for index in range(blocks.num_layers)),
            convert,
            stacked=True,
        )
        for stack, (_, name, convert) in zip(blocks.stacked_weights, rows, strict=True)
    ]
