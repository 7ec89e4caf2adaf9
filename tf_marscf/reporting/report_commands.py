"""The command lines that a report prints: what makes a run, the report or a part of it again."""

import dataclasses
import shlex

from tf_marscf.config import MarScfConfig
from tf_marscf.training.training_config import TrainingConfig

# Fields of a model that bin/train.py has no flag for; those of the second kind follow from others.
_NO_FLAGS = (
    "prior_kernel_sizes",
    "prior_dilations",
    "prior_code_channels",
    "prior_code_hidden_channels",
    "dtype",
)
_FOLLOWING = ("image_shape", "network_dtype")


def command_text(name, flags):
    """`python bin/NAME.py --FLAG=VALUE ...`, quoted for a shell; values of None are left out."""
    words = ["python", f"bin/{name}.py"]
    for flag, value in flags.items():
        if isinstance(value, bool):
            words.append(f"--{flag}" if value else f"--no{flag}")
        elif isinstance(value, (tuple, list)):
            words.append(f"--{flag}={','.join(map(str, value))}")
        elif value is not None:
            words.append(f"--{flag}={value}")
    return shlex.join(words)


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
    model = not_default(run.model.to_dict(), model_defaults(run.model))
    if model.keys() & set(_NO_FLAGS):
        return None
    flags = {"train_dir": train_dir, "dataset": run.data.name}
    if run.data.data_dir is not None:
        flags["data_dir"] = "DATA_DIR"
    for name in ("num_channels", "num_validation_images", "max_images"):
        flags[name] = getattr(run.data, name)
    flags |= {name: value for name, value in model.items() if name not in _FOLLOWING}
    defaults = training_defaults(run.training)
    known = {name: value for name, value in run.training.items() if name in defaults}
    flags |= not_default(known, defaults)
    if run.pixels.published_scaling:
        flags["published_scaling"] = True
    return command_text("train", flags)


def report_command(config):
    """The command line of a report, from its `ReportConfig`."""
    defaults = dataclasses.asdict(type(config)(train_dir=config.train_dir))
    flags = not_default(dataclasses.asdict(config), defaults)
    return command_text("report", {"train_dir": config.train_dir, **flags})


def not_default(values, defaults):
    """The entries of a dict that are not those of `defaults`."""
    return {
        name: value
        for name, value in values.items()
        if name not in defaults or value != defaults[name]
    }


def config_defaults(config_class):
    """The default values of a dataclass's fields, by name."""
    return {
        field.name: field.default
        for field in dataclasses.fields(config_class)
        if field.default is not dataclasses.MISSING
    }


def model_defaults(model):
    """Defaults of a model's fields; those by level are those of its number of levels."""
    defaults = MarScfConfig(image_shape=model.image_shape, num_levels=model.num_levels).to_dict()
    del defaults["image_shape"]
    by_level = {name: defaults[name] for name in ("prior_kernel_sizes", "prior_dilations")}
    return defaults | config_defaults(MarScfConfig) | by_level


def training_defaults(training):
    """Defaults of the settings of a training run."""
    evaluation_batch_size = training.get("batch_size")
    return config_defaults(TrainingConfig) | {"evaluation_batch_size": evaluation_batch_size}
