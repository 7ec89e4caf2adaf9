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
    if flags.FLAGS.format != "grid":
        command_line.refuse_given(["beside_real"], f"with --format={flags.FLAGS.format}")
    config = SampleConfig(**command_line.flag_values(SampleConfig))
    model = command_line.model_in(config.train_dir)
    command_line.start_tensorflow(
        f"Draws {config.num_samples} samples of {model} into {config.output}",
        command_line.time_depends_on("their number and the model"),
    )
    from tf_marscf.sampling.sample_run import write_samples

    write_samples(config, progress=flags.FLAGS.progress == "bar")


run = functools.partial(command_line.run, main, define_flags)
