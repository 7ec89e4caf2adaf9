"""The configuration of a run, and the commands that repeat run and report."""

from tf_marscf.command_text import command_text
from tf_marscf.config import DequantizationConfig, MarScfConfig
from tf_marscf.config_fields import field_defaults, fields_with_flags
from tf_marscf.data import DataConfig
from tf_marscf.fields_without_effect import fields_without_effect
from tf_marscf.reporting.page import Section
from tf_marscf.runs.run_config import PixelConfig
from tf_marscf.training.training_config import TrainingConfig


def configuration_section(context):
    """All settings, those that differ from their defaults in bold; and the commands."""
    run = context.run
    groups = {"Model": _group(run.model.to_dict(), _model_defaults(run.model))}
    if run.data is not None:
        data = run.data.to_dict()
        data = {"dataset": data.pop("name")} | data
        if data["data_dir"] is not None:
            data["data_dir"] = "given, not shown"  # It names a place on somebody's machine.
        groups["Data"] = _group(data, field_defaults(DataConfig))
    groups["Pixels"] = _group(run.pixels.to_dict(), field_defaults(PixelConfig))
    if run.dequantization.changes():
        groups["Dequantization"] = _group(
            run.dequantization.to_dict(), field_defaults(DequantizationConfig)
        )
    if run.training is not None:
        groups["Training"] = _group(run.training, _training_defaults(run.training))
    commands = [_training_command(context.config.train_dir, run), _report_command(context.config)]
    return Section({"groups": groups, "commands": [line for line in commands if line is not None]})


def _training_command(train_dir, run):
    """The flags that differ from the defaults; None where `bin/train.py` cannot repeat the run."""
    if run.training is None or run.data is None:
        return None
    without_effect = fields_without_effect(run.model.to_dict() | run.training)
    model = _not_default(run.model.to_dict(), _model_defaults(run.model))
    model = {name: value for name, value in model.items() if name not in without_effect}
    del model["image_shape"]  # It is that of the data.
    if model.keys() - {flag for _, flag in fields_with_flags(MarScfConfig)}:
        return None
    data = run.data.changes()
    data = {
        flag: data[field.name]
        for field, flag in fields_with_flags(DataConfig)
        if field.name in data
    }
    flags = {"train_dir": train_dir, **data, **model}
    if "data_dir" in flags:
        flags["data_dir"] = "DATA_DIR"
    defaults = _training_defaults(run.training)
    training = _not_default(run.training, defaults)
    names = defaults.keys() - without_effect.keys()
    flags |= {name: value for name, value in training.items() if name in names}
    flags |= run.dequantization.changes()
    if run.pixels.published_scaling:
        flags["published_scaling"] = True
    return command_text("train", flags)


def _report_command(config):
    defaults = type(config)(train_dir=config.train_dir).to_dict()
    flags = _not_default(config.to_dict(), defaults)
    return command_text("report", {"train_dir": config.train_dir, **flags})


def _not_default(values, defaults):
    """The entries of a dict that are not those of `defaults`."""
    return {
        name: value
        for name, value in values.items()
        if name not in defaults or value != defaults[name]
    }


def _model_defaults(model):
    """Those by level are of the model's number of levels."""
    default = MarScfConfig(image_shape=model.image_shape, num_levels=model.num_levels).to_dict()
    by_level = {name: default[name] for name in ("prior_kernel_sizes", "prior_dilations")}
    return field_defaults(MarScfConfig) | by_level


def _training_defaults(training):
    return field_defaults(TrainingConfig) | {"evaluation_batch_size": training.get("batch_size")}


def _group(values, defaults):
    given = _not_default(values, defaults)
    return [(name, _text(value), name not in given) for name, value in values.items()]


def _text(value):
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        is_shape = len(value) == 3 and all(isinstance(item, int) for item in value)
        return (" × " if is_shape else ", ").join(map(str, value))
    return f"{value:,}" if isinstance(value, int) else str(value)
