"""The configuration of a run, and the commands that repeat run and report."""

import dataclasses

from tf_marscf.command_text import command_text
from tf_marscf.config import MarScfConfig
from tf_marscf.data import DataConfig
from tf_marscf.reporting.page import Section
from tf_marscf.runs.run_config import PixelConfig
from tf_marscf.training.training_config import TrainingConfig

# Fields of a model that bin/train.py has no flag for; those of the second kind follow from others.
_NO_FLAGS = (
    "prior_kernel_sizes",
    "prior_dilations",
    "prior_code_channels",
    "prior_code_hidden_channels",
    "dtype",
)
_FOLLOWING = ("image_shape",)


def configuration_section(context):
    """All settings, those that differ from their defaults in bold; and the commands."""
    run = context.run
    groups = {"Model": _group(run.model.to_dict(), _model_defaults(run.model))}
    if run.data is not None:
        data = run.data.to_dict()
        data = {"dataset": data.pop("name")} | data
        if data["data_dir"] is not None:
            # It names a place on somebody's machine.
            data["data_dir"] = "given, not shown"
        groups["Data"] = _group(data, _config_defaults(DataConfig))
    groups["Pixels"] = _group(dataclasses.asdict(run.pixels), _config_defaults(PixelConfig))
    if run.training is not None:
        groups["Training"] = _group(run.training, _training_defaults(run.training))
    commands = [training_command(context.config.train_dir, run), report_command(context.config)]
    commands = [command for command in commands if command is not None]
    return Section("configuration", {"groups": groups, "commands": commands})


def training_command(train_dir, run):
    """The command line that repeats a training run: the flags that differ from the defaults.

    A place of the data is left out, as `DATA_DIR`.

    Args:
        train_dir: the training directory.
        run: a `RunConfig`.

    Returns:
        A string; None where `bin/train.py` cannot repeat the run, as of imported weights.
    """
    if run.training is None or run.data is None:
        return None
    model = _not_default(run.model.to_dict(), _model_defaults(run.model))
    if model.keys() & set(_NO_FLAGS):
        return None
    flags = {"train_dir": train_dir, "dataset": run.data.name}
    if run.data.data_dir is not None:
        flags["data_dir"] = "DATA_DIR"
    for name in ("num_channels", "num_validation_images", "max_images"):
        flags[name] = getattr(run.data, name)
    flags |= {name: value for name, value in model.items() if name not in _FOLLOWING}
    defaults = _training_defaults(run.training)
    known = {name: value for name, value in run.training.items() if name in defaults}
    flags |= _not_default(known, defaults)
    if run.pixels.published_scaling:
        flags["published_scaling"] = True
    return command_text("train", flags)


def report_command(config):
    """The command line of a report, from its `ReportConfig`."""
    defaults = dataclasses.asdict(type(config)(train_dir=config.train_dir))
    flags = _not_default(dataclasses.asdict(config), defaults)
    return command_text("report", {"train_dir": config.train_dir, **flags})


def _not_default(values, defaults):
    """The entries of a dict that are not those of `defaults`."""
    return {
        name: value
        for name, value in values.items()
        if name not in defaults or value != defaults[name]
    }


def _config_defaults(config_class):
    """The default values of a dataclass's fields, by name."""
    return {
        field.name: field.default
        for field in dataclasses.fields(config_class)
        if field.default is not dataclasses.MISSING
    }


def _model_defaults(model):
    """Defaults of a model's fields; those by level are those of its number of levels."""
    defaults = MarScfConfig(image_shape=model.image_shape, num_levels=model.num_levels).to_dict()
    del defaults["image_shape"]
    by_level = {name: defaults[name] for name in ("prior_kernel_sizes", "prior_dilations")}
    return defaults | _config_defaults(MarScfConfig) | by_level


def _training_defaults(training):
    """Defaults of the settings of a training run."""
    evaluation_batch_size = training.get("batch_size")
    return _config_defaults(TrainingConfig) | {"evaluation_batch_size": evaluation_batch_size}


def _group(values, defaults):
    given = _not_default(values, defaults)
    return [(name, _text(value), name not in given) for name, value in values.items()]


def _text(value):
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        return " × ".join(map(str, value)) if len(value) == 3 else ", ".join(map(str, value))
    return f"{value:,}" if isinstance(value, int) else str(value)
