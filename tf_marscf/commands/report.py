"""Puts all results of a model on one page: `python bin/report.py --train_dir=runs/digits`."""

import functools

from absl import flags

from tf_marscf.commands import command_line
from tf_marscf.reporting.report_config import ReportConfig


def define_flags():
    """Defines the flags."""
    command_line.define_flags(ReportConfig)
    command_line.define_progress()


def main():
    """Writes the page, and prints a line for each result."""
    config = ReportConfig(**command_line.flag_values(ReportConfig))
    model = command_line.model_in(config.train_dir)
    command_line.start_tensorflow(
        f"Puts {', '.join(config.sections)} of {model} on one page, {config.output}",
        command_line.time_depends_on("the model and on which results are there already"),
    )
    from tf_marscf.reporting.report_run import write_report

    write_report(
        config,
        report=functools.partial(print, flush=True),
        progress=flags.FLAGS.progress == "bar",
    )


run = functools.partial(command_line.run, main, define_flags)
