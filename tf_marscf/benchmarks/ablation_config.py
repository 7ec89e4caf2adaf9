"""The arguments of an ablation, checked without TensorFlow."""

import dataclasses
import itertools

from tf_marscf import rules
from tf_marscf.benchmarks.comparison_configs import TrainedModelsConfig
from tf_marscf.config import (
    COUPLINGS,
    DEQUANTIZATIONS,
    MarScfConfig,
    check_model_options,
)
from tf_marscf.config_fields import boolean, same_field, sequence, some_of
from tf_marscf.errors import InputError
from tf_marscf.fields_without_effect import fields_without_effect

_PRIORS = {
    "gaussian": {"prior": "gaussian"},
    "conv_lstm": {"prior": "mar", "prior_network": "conv_lstm"},
    "causal": {"prior": "mar", "prior_network": "causal"},
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class AblationConfig(TrainedModelsConfig):
    """What `Ablation` trains: each prior with each coupling and dequantization, from each seed.

    Where steps and seconds are given, training goes on until both are spent. An average of the
    weights does not change what is trained: one training gives the figures of all averages.
    """

    priors: tuple = sequence(
        tuple(_PRIORS),
        "Priors to compare. NAME:FIELD=VALUE:... has options of its own, such as "
        f"conv_lstm:prior_hidden_channels=16. Some of: {', '.join(_PRIORS)}.",
    )
    couplings: tuple = some_of(("affine",), COUPLINGS, "Couplings to compare.")
    dequantizations: tuple = some_of(
        ("uniform",),
        DEQUANTIZATIONS,
        "Noise within grey levels to compare. Parameters are those of the density, without the "
        "flow of variational noise.",
    )
    average_decays: tuple = sequence(
        (0.0, 0.999),
        "Decays of moving averages of the weights to evaluate, in (0, 1), or 0 for the weights.",
    )
    seeds: tuple = sequence((0,), "Seeds of weights, data order and noise.")
    equal_parameters: bool = boolean(
        True,
        "Couplings' hidden channels are chosen so that all models have about as many parameters "
        "as the largest one with hidden_channels.",
    )
    prior_hidden_channels: int = same_field(MarScfConfig, "prior_hidden_channels", 8)
    prior_num_layers: int = same_field(MarScfConfig, "prior_num_layers", 1)

    def __post_init__(self):
        super().__post_init__()
        self._set_different("average_decays", float, rules.number(0.0, below=1.0))
        self._set_different("seeds", int, rules.integer(0, num_bits=31))
        for name in ("priors", "couplings", "dequantizations"):
            self._set_different(name, str, rules.text())
        for _, options in self.variants():
            check_model_options({"num_levels": self.num_levels, **self.model_options, **options})

    @property
    def axes(self):
        """What is varied: by axis, a dict from its values to arguments of `MarScfConfig`."""
        return {
            "prior": {prior: _prior_options(prior) for prior in self.priors},
            "coupling": {coupling: {"coupling": coupling} for coupling in self.couplings},
            # Of the noise, not of the model.
            "dequantization": {dequantization: {} for dequantization in self.dequantizations},
        }

    def variants(self):
        """All combinations of values: pairs of a dict by axis and arguments of `MarScfConfig`."""
        axes = self.axes
        for values in itertools.product(*axes.values()):
            chosen = dict(zip(axes, values, strict=True))
            options = [axes[axis][value] for axis, value in chosen.items()]
            yield chosen, {name: value for part in options for name, value in part.items()}

    def _set_different(self, name, parse, check):
        """Sets a field to its values, numbers or texts of them, as a rule says, no two equal."""
        values = getattr(self, name)
        if not values:
            raise InputError(f"`{name}` must be one or more; got none.")
        parsed = [check(_parsed(value, parse), f"`{name}`") for value in values]
        if len(set(parsed)) < len(parsed):
            raise InputError(f"`{name}` must be different; got {','.join(map(str, values))!r}.")
        self._set(name, tuple(parsed))


def _parsed(value, parse):
    """A number of a text; what is none is left to the rule."""
    try:
        return parse(value) if isinstance(value, str) else value
    except ValueError:
        return value


def _prior_options(text):
    """The arguments of `MarScfConfig` that `NAME:FIELD=VALUE:...` stands for."""
    name, *parts = text.split(":")
    if name not in _PRIORS:
        raise InputError(f"`priors` must be some of {tuple(_PRIORS)}; got {name!r}.")
    options = dict(_PRIORS[name])
    others = fields_without_effect({"prior": options["prior"]})
    kinds = {
        field.name: field.metadata["kind"]
        for field in dataclasses.fields(MarScfConfig)
        if field.name.startswith("prior_") and field.name not in others
    }
    for part in parts:
        field, _, value = part.partition("=")
        if field in options or field not in kinds:
            raise InputError(f"`priors` must have options of the prior {name!r}; got {part!r}.")
        options[field] = _parsed(value, {"number": float, "string": str}.get(kinds[field], int))
    return options
