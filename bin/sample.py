#!/usr/bin/env python
"""Draws samples of a trained model: `python bin/sample.py --train_dir=runs/digits`."""

import os

from absl import flags

from tf_marscf import command_line

flags.DEFINE_string("train_dir", None, "Directory of a training run or import.", required=True)
flags.DEFINE_enum("checkpoint", "best", ["best", "latest"], "Which weights.")
flags.DEFINE_integer("num_samples", 64, "How many.", lower_bound=1)
flags.DEFINE_integer("batch_size", 64, "Samples drawn at a time.", lower_bound=1)
flags.DEFINE_float("temperature", 1.0, "Scale of the prior's noise.", lower_bound=0.0)
flags.DEFINE_integer("seed", 0, "The same seed gives the same samples.", lower_bound=0)
flags.DEFINE_string("output", None, "PNG to write; default: TRAIN_DIR/samples_seed_SEED.png.")


def main():
    """Writes a picture and prints where it is."""
    values = flags.FLAGS
    output = values.output or os.path.join(values.train_dir, f"samples_seed_{values.seed}.png")
    from tf_marscf.evaluation.sample_picture import save_sample_picture
    from tf_marscf.run_config import RunConfig
    from tf_marscf.training.checkpoints import restore_model

    config = command_line.checked(RunConfig.load, values.train_dir)
    images_distribution = command_line.checked(
        restore_model, config, values.train_dir, values.checkpoint
    )
    samples = save_sample_picture(
        output,
        images_distribution,
        num_samples=values.num_samples,
        seed=values.seed,
        temperature=values.temperature,
        batch_size=values.batch_size,
    )
    print(f"{len(samples)} samples are in {output}")


if __name__ == "__main__":
    command_line.run(main)
