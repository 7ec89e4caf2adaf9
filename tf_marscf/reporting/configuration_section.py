"""The configuration of a run, and the commands that repeat run and report."""

import dataclasses

from tf_marscf.reporting.page import Section
from tf_marscf.reporting.report_commands import (
    config_defaults,
    model_defaults,
    not_default,
    report_command,
    training_command,
    training_defaults,
)
from tf_marscf.runs.run_config import DataConfig, PixelConfig


def configuration_section(context):
    """All settings, those that differ from their defaults in bold; and the commands."""
    run = context.run
    groups = {"Model": _group(run.model.to_dict(), model_defaults(run.model))}
    if run.data is not None:
        data = dataclasses.asdict(run.data)
        data = {"dataset": data.pop("name")} | data
        if data["data_dir"] is not None:
            # It names a place on somebody's machine.
            data["data_dir"] = "given, not shown"
        groups["Data"] = _group(data, config_defaults(DataConfig))
    groups["Pixels"] = _group(dataclasses.asdict(run.pixels), config_defaults(PixelConfig))
    if run.training is not None:
        groups["Training"] = _group(run.training, training_defaults(run.training))
    commands = [training_command(context.config.train_dir, run), report_command(context.config)]
    commands = [command for command in commands if command is not None]
    return Section("configuration", {"groups": groups, "commands": commands})


def _group(values, defaults):
    given = not_default(values, defaults)
    return [(name, _text(value), name not in given) for name, value in values.items()]


def _text(value):
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        return " × ".join(map(str, value)) if len(value) == 3 else ", ".join(map(str, value))
    return f"{value:,}" if isinstance(value, int) else str(value)
