"""The configuration of a run, and the commands that repeat run and report."""

import dataclasses

from tf_marscf.config import MarScfConfig
from tf_marscf.data import DataConfig
from tf_marscf.reporting.html_elements import element, join
from tf_marscf.reporting.html_page import Section, paragraphs, repeat
from tf_marscf.reporting.report_context import command_line_of
from tf_marscf.runs.run_config import PixelConfig
from tf_marscf.training.training_config import TrainingConfig

TITLE = "Configuration"
# Fields of a model that bin/train.py has no flag for, or that follow from the data.
_NO_FLAGS = (
    "image_shape",
    "prior_kernel_sizes",
    "prior_dilations",
    "prior_code_channels",
    "prior_code_hidden_channels",
    "dtype",
    "network_dtype",
)


def configuration_section(context):
    """All settings, those that differ from their defaults in bold; and the commands.

    Args:
        context: the `ReportContext`.

    Returns:
        A `Section`.
    """
    run = context.run
    groups = [("Model", run.model.to_dict(), _model_defaults(run.model))]
    if run.data is not None:
        data = run.data.to_dict()
        data = {"dataset": data.pop("name")} | data
        if data["data_dir"] is not None:
            # It names a place on somebody's machine.
            data["data_dir"] = "given, not shown"
        groups.append(("Data", data, _defaults(DataConfig)))
    groups.append(("Pixels", dataclasses.asdict(run.pixels), _defaults(PixelConfig)))
    if run.training is not None:
        groups.append(("Training", run.training, _training_defaults(run.training)))
    settings = element(
        "div", *(_group(title, values, defaults) for title, values, defaults in groups),
        class_="settings",
    )  # fmt: skip
    commands, what = [report_command(context.config)], "This report"
    if _has_flags_for_all(run):
        commands.insert(0, training_command(context.config.train_dir, run))
        what = "The training run, and this report"
    return Section(
        "configuration",
        TITLE,
        join(
            paragraphs("From config.json. Bold: not the default."),
            settings,
            element("h3", "All of this again"),
            repeat(commands, text=what),
        ),
    )


def _has_flags_for_all(run):
    """Whether `bin/train.py` can repeat the run."""
    if run.training is None or run.data is None:
        return False
    model, defaults = run.model.to_dict(), _model_defaults(run.model)
    ours = set(_NO_FLAGS) - {"image_shape", "network_dtype"}  # Those follow from other flags.
    return all(model[name] == defaults[name] for name in ours)


def training_command(train_dir, run):
    """The command line that repeats a training run: the flags that differ from the defaults.

    A place of the data is left out, as `DATA_DIR`.

    Args:
        train_dir: the training directory.
        run: a `RunConfig` with data and training.
    """
    flags = {"train_dir": train_dir, "dataset": run.data.name}
    if run.data.data_dir is not None:
        flags["data_dir"] = "DATA_DIR"
    for name in ("num_channels", "num_validation_images", "max_images"):
        flags[name] = getattr(run.data, name)
    model, defaults = run.model.to_dict(), _model_defaults(run.model)
    flags |= {
        name: value
        for name, value in model.items()
        if name not in _NO_FLAGS and value != defaults[name]
    }
    defaults = _training_defaults(run.training)
    flags |= {
        name: value
        for name, value in run.training.items()
        if name in defaults and value != defaults[name]
    }
    if run.pixels.published_scaling:
        flags["published_scaling"] = True
    return command_line_of("train.py", flags)


def report_command(config):
    """The command line of a report.

    Args:
        config: a `ReportConfig`.
    """
    values = dataclasses.asdict(config)
    defaults = dataclasses.asdict(type(config)(train_dir=config.train_dir))
    flags = {name: value for name, value in values.items() if value != defaults[name]}
    return command_line_of("report.py", {"train_dir": config.train_dir, **flags})


def _defaults(config_class):
    return {
        field.name: field.default
        for field in dataclasses.fields(config_class)
        if field.default is not dataclasses.MISSING
    }


def _model_defaults(model):
    """Defaults of a model's fields; those by level are those of its number of levels."""
    defaults = MarScfConfig(image_shape=model.image_shape, num_levels=model.num_levels).to_dict()
    del defaults["image_shape"]
    return (
        defaults
        | _defaults(MarScfConfig)
        | {name: defaults[name] for name in ("prior_kernel_sizes", "prior_dilations")}
    )


def _training_defaults(training):
    return _defaults(TrainingConfig) | {"evaluation_batch_size": training.get("batch_size")}


def _group(title, values, defaults):
    rows = []
    for name, value in values.items():
        is_given = name not in defaults or value != defaults[name]
        rows.append(
            element(
                "div",
                element("dt", name),
                element("dd", _text(value)),
                class_="given" if is_given else None,
            )
        )
    return element("div", element("h3", title), element("dl", *rows), class_="group")


def _text(value):
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        return " × ".join(map(str, value)) if len(value) == 3 else ", ".join(map(str, value))
    return f"{value:,}" if isinstance(value, int) else str(value)
