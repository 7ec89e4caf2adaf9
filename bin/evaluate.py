#!/usr/bin/env python
"""Scores a trained model: `python bin/evaluate.py --train_dir=runs/digits`."""

from absl import flags

from tf_marscf import command_line

flags.DEFINE_string("train_dir", None, "Directory of a training run or import.", required=True)
flags.DEFINE_enum("checkpoint", "best", ["best", "latest"], "Which weights.")
flags.DEFINE_string("dataset", None, "Data set; default: the one that it was trained on.")
flags.DEFINE_string("data_dir", None, "Where the data set is; default: as in training.")
flags.DEFINE_enum("split", "test", ["train", "validation", "test"], "Which images.")
flags.DEFINE_integer(
    "batch_size", None, "Images at a time; default: as in training.", lower_bound=1
)
flags.DEFINE_integer(
    "num_samples", 1, "Draws of noise an image; more give a tighter bound.", lower_bound=1
)
flags.DEFINE_integer("seed", 0, "Seed of the noise.", lower_bound=0)


def main():
    """Prints one line with bits/dim."""
    values = flags.FLAGS
    from tf_marscf.evaluation.evaluation_run import EvaluationRun

    run = command_line.checked(
        EvaluationRun, values.train_dir, values.checkpoint, values.dataset, values.data_dir
    )
    result = command_line.checked(
        run.run, values.split, values.batch_size, values.num_samples, values.seed
    )
    print(
        f"{values.split} bits/dim {result} "
        f"({result.num_images} images, {result.num_samples} draws of noise an image)"
    )


if __name__ == "__main__":
    command_line.run(main)
