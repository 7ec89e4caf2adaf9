#!/usr/bin/env python
"""Puts all results of a model on one page: `python bin/report.py --train_dir=runs/digits`."""

import functools

from absl import flags

from tf_marscf.commands import command_line
from tf_marscf.reporting.report_config import SECTIONS, ReportConfig

command_line.define_path("train_dir", None, "Directory of a training run or import.", required=True)
command_line.define_path(
    "output",
    None,
    "The HTML file; default: TRAIN_DIR/report.html. Single figures and tables go into a directory "
    "of its name, without .html.",
)
flags.DEFINE_enum("checkpoint", "best", ["best", "latest"], "Which weights.")
flags.DEFINE_string("dataset", None, "Data set; default: the one that it was trained on.")
command_line.define_path("data_dir", None, "Where the data set is; default: as in training.")
flags.DEFINE_list("sections", list(SECTIONS), "What the page shows.")
flags.DEFINE_bool("fast", False, "Fewer samples, pairs of images and iterations.")
flags.DEFINE_bool(
    "benchmarks",
    False,
    "Measure sampling time and density over training beside other models: takes minutes.",
)
command_line.define_path(
    "sampling_benchmark", None, "JSON file of `bin/benchmark.py sampling` to show instead."
)
command_line.define_path(
    "density_benchmark", None, "JSON file of `bin/benchmark.py density` to show instead."
)
flags.DEFINE_enum("progress", "bar", ["bar", "none"], "What is shown meanwhile.")

_CONFIG_FLAGS = (
    "train_dir",
    "output",
    "checkpoint",
    "dataset",
    "data_dir",
    "sections",
    "fast",
    "benchmarks",
    "sampling_benchmark",
    "density_benchmark",
)


def main():
    """Writes the page, and prints a line for each result."""
    config = ReportConfig(**command_line.flag_values(_CONFIG_FLAGS))
    command_line.start_tensorflow()
    from tf_marscf.reporting.report_run import write_report

    write_report(
        config,
        report=functools.partial(print, flush=True),
        progress=flags.FLAGS.progress == "bar",
    )


if __name__ == "__main__":
    command_line.run(main)
