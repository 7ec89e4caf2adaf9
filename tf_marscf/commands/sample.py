"""Draws samples of a trained model: `python bin/sample.py --train_dir=runs/digits`."""

import functools

from absl import flags

from tf_marscf.commands import command_line
from tf_marscf.sampling.sample_config import SampleConfig


def define_flags():
    """Defines the flags."""
    command_line.define_flags(SampleConfig)
    command_line.define_progress()


def main():
    """Writes the samples, and prints where they are."""
    values = flags.FLAGS
    if values.format != "grid":
        command_line.refuse_given(
            ["beside_real", "dataset", "data_dir"], f"with --format={values.format}"
        )
    if values.beside_real is False:
        command_line.refuse_given(["dataset", "data_dir"], "with --nobeside_real")
    config = SampleConfig(**command_line.flag_values(SampleConfig))
    command_line.start_tensorflow()
    from tf_marscf.sampling.sample_run import write_samples

    summary = write_samples(config, values.progress == "bar")
    print(f"{summary}; numbers: {summary.json_path}")


run = functools.partial(command_line.run, main, define_flags)
