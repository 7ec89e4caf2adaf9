"""Draws samples of a trained model: `python bin/sample.py --train_dir=runs/digits`."""

import functools

from absl import flags

from tf_marscf.commands import command_line


def define_flags():
    """Defines the flags."""
    command_line.define_trained_model()
    flags.DEFINE_enum(
        "format",
        "grid",
        ["grid", "png", "npz"],
        "One picture of all samples, a new directory with one PNG a sample, or an .npz archive "
        "with the array `images`.",
    )
    flags.DEFINE_integer("num_samples", 64, "How many.", lower_bound=1)
    flags.DEFINE_integer("batch_size", 64, "Samples drawn at a time.", lower_bound=1)
    flags.DEFINE_float("temperature", 1.0, "Scale of the prior's noise.", lower_bound=0.0)
    flags.DEFINE_integer(
        "seed", 0, "Sample number i is a function of the seed and i.", lower_bound=0
    )
    flags.DEFINE_integer("first_index", 0, "Number of the first sample.", lower_bound=0)
    command_line.define_path(
        "output", None, "What to write; default: TRAIN_DIR/samples_seed_SEED and the like."
    )
    flags.DEFINE_bool(
        "beside_real",
        None,
        "Test images beside the grid; default: where they are at hand without a download.",
    )
    command_line.define_dataset()
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
    command_line.start_tensorflow()
    from tf_marscf.sampling.sample_run import write_samples

    summary = write_samples(
        values.train_dir,
        values.output,
        values.format,
        num_samples=values.num_samples,
        seed=values.seed,
        first_index=values.first_index,
        temperature=values.temperature,
        batch_size=values.batch_size,
        which=values.checkpoint,
        beside_real=values.beside_real,
        dataset=values.dataset,
        data_dir=values.data_dir,
        progress=values.progress == "bar",
    )
    print(f"{summary}; numbers: {summary.json_path}")


run = functools.partial(command_line.run, main, define_flags)
