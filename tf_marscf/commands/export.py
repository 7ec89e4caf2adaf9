"""Exports a trained model: `python bin/export.py --train_dir=runs/digits --output=exports`.

saved_model  for TensorFlow Serving
stablehlo    for machines with JAX and without TensorFlow: examples/run_stablehlo.py runs it
"""

import functools

from absl import flags

from tf_marscf.commands import command_line

# By format, the flags that no other has.
_FLAGS_OF = {"saved_model": ["max_num_samples"], "stablehlo": ["batch_size", "train_step"]}


def define_flags():
    """Defines the flags."""
    command_line.define_path(
        "train_dir", None, "Directory of a training run or import.", required=True
    )
    command_line.define_path(
        "output", None, "The model's directory; holds a folder a version.", required=True
    )
    flags.DEFINE_enum("format", "saved_model", list(_FLAGS_OF), "What is written.")
    flags.DEFINE_integer(
        "version",
        None,
        "Number of the export; default: the one after the newest. Without one, --version prints "
        "that of tf_marscf.",
        lower_bound=1,
    )
    flags.DEFINE_enum(
        "checkpoint",
        None,
        ["best", "latest"],
        "Default: best; of a run with an average, an average.",
    )
    flags.DEFINE_integer(
        "max_num_samples", 1024, "Most samples of a request, of a saved_model.", lower_bound=1
    )
    flags.DEFINE_integer(
        "batch_size", None, "Images of a request, of stablehlo; default: as in training.",
        lower_bound=1,
    )  # fmt: skip
    flags.DEFINE_boolean(
        "train_step", True, "Whether stablehlo has the training step, with its optimizer's state."
    )
    command_line.define_progress()


def main():
    """Exports, and prints where the version is."""
    values = flags.FLAGS
    for other, names in _FLAGS_OF.items():
        if other != values.format:
            command_line.refuse_given(names, f"with --format={values.format}")
    model = command_line.model_in(values.train_dir)
    command_line.start_tensorflow(
        f"Exports {model} as a {values.format} into {values.output}",
        command_line.time_depends_on("the size of the model"),
    )
    which = {"version": values.version, "which": values.checkpoint}
    which["progress"] = values.progress == "bar"
    if values.format == "saved_model":
        from tf_marscf.serving.export import export_model

        path = export_model(
            values.train_dir, values.output, max_num_samples=values.max_num_samples, **which
        )
    else:
        from tf_marscf.training.portable_export import export_portable

        path = export_portable(
            values.train_dir,
            values.output,
            batch_size=values.batch_size,
            has_train_step=values.train_step,
            **which,
        )
    print(f"exported to {path}")


run = functools.partial(command_line.run, main, define_flags)
