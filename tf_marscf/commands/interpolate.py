"""Interpolates between images: `python bin/interpolate.py --train_dir=runs/digits`."""

import functools

from absl import flags

from tf_marscf.commands import command_line
from tf_marscf.interpolation.interpolation_config import InterpolationConfig, ProjectionConfig


def define_flags():
    """Defines the flags."""
    command_line.define_flags(InterpolationConfig)
    command_line.define_flags(ProjectionConfig)
    command_line.define_progress()


def main():
    """Writes pictures and tables, and prints the numbers."""
    config = InterpolationConfig(**command_line.flag_values(InterpolationConfig))
    projection = ProjectionConfig(**command_line.flag_values(ProjectionConfig))
    if config.pairs is not None:
        command_line.refuse_given(["num_pairs", "seed"], "with --pairs")
    model = command_line.model_in(config.train_dir)
    number = config.num_pairs if config.pairs is None else len(config.pairs)
    command_line.start_tensorflow(
        f"Interpolates between pairs of {config.split} images ({number}) with {model}",
        command_line.time_depends_on("their number, the iterations and the model"),
    )
    from tf_marscf.interpolation.interpolation_run import write_interpolation

    write_interpolation(config, projection, progress=flags.FLAGS.progress == "bar")


run = functools.partial(command_line.run, main, define_flags)
