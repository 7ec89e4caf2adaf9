"""Interpolates between images: `python bin/interpolate.py --train_dir=runs/digits`."""

import functools

from absl import flags

from tf_marscf.commands import command_line
from tf_marscf.interpolation.image_pairs import parse_pairs
from tf_marscf.interpolation.projection_config import ProjectionConfig, parse_lambdas


def define_flags():
    """Defines the flags."""
    command_line.define_trained_model()
    command_line.define_dataset()
    flags.DEFINE_enum("split", "test", ["train", "validation", "test"], "Which images.")
    flags.DEFINE_list(
        "pairs", None, "Pairs of images, counted from 0, such as 3:7,12:40; default: drawn."
    )
    flags.DEFINE_integer("num_pairs", 4, "Pairs that are drawn.", lower_bound=1)
    flags.DEFINE_integer("seed", 0, "The same seed draws the same pairs.", lower_bound=0)
    flags.DEFINE_integer("num_points", 7, "Points between two images.", lower_bound=1)
    command_line.define_flags(ProjectionConfig)
    flags.DEFINE_list(
        "lambda_curve",
        ["0", "0.1", "0.2", "0.3", "0.4", "0.5", "0.6", "0.8", "1"],
        "Values of lambda_1 = lambda_2 to compare: each takes as long as the projection itself. "
        "None: --lambda_curve=",
    )
    command_line.define_path(
        "output_dir", None, "Where files go; default: TRAIN_DIR/interpolation."
    )
    command_line.define_progress()


def main():
    """Writes pictures and tables, and prints the numbers."""
    values = flags.FLAGS
    config = ProjectionConfig(**command_line.flag_values(ProjectionConfig))
    lambdas = parse_lambdas(values.lambda_curve)
    pairs = None if values.pairs is None else parse_pairs(values.pairs)
    if pairs is not None:
        command_line.refuse_given(["num_pairs", "seed"], "with --pairs")
    command_line.start_tensorflow()
    from tf_marscf.interpolation.interpolation_run import InterpolationRun

    run = InterpolationRun(
        values.train_dir, values.checkpoint, values.dataset, values.data_dir, values.split
    )
    run.run(
        pairs,
        values.num_pairs,
        values.seed,
        values.num_points,
        config,
        lambdas,
        output_dir=values.output_dir,
        progress=values.progress == "bar",
    )


run = functools.partial(command_line.run, main, define_flags)
