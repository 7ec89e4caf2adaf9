"""Exports a trained model: `python bin/export.py --train_dir=runs/digits --output=exports`."""

import functools

from absl import flags

from tf_marscf.commands import command_line


def define_flags():
    """Defines the flags."""
    command_line.define_path(
        "train_dir", None, "Directory of a training run or import.", required=True
    )
    command_line.define_path(
        "output", None, "The model's directory; holds a folder a version.", required=True
    )
    flags.DEFINE_integer("version", None, "Default: the one after the newest.", lower_bound=1)
    flags.DEFINE_enum(
        "checkpoint",
        None,
        ["best", "latest"],
        "Default: best; of a run with an average, an average.",
    )
    flags.DEFINE_integer("max_num_samples", 1024, "Most samples of a request.", lower_bound=1)


def main():
    """Exports, and prints where the version is."""
    values = flags.FLAGS
    command_line.start_tensorflow()
    from tf_marscf.serving.export import export_model

    path = export_model(
        values.train_dir,
        values.output,
        version=values.version,
        which=values.checkpoint,
        max_num_samples=values.max_num_samples,
    )
    print(f"exported to {path}")


run = functools.partial(command_line.run, main, define_flags)
