"""Exports a trained model: `python bin/export.py --train_dir=runs/digits --output=exports`.

saved_model  for TensorFlow Serving
stablehlo    for machines with JAX and without TensorFlow: examples/run_stablehlo.py runs it

With --check each signature is run, before the version appears; without --train_dir, those of the
newest version that is there, or of --version.
"""

import functools

from absl import flags

from tf_marscf.commands import command_line
from tf_marscf.errors import InputError

# By format, the flags that no other has.
_FLAGS_OF = {"saved_model": ["max_num_samples"], "stablehlo": ["batch_size", "train_step"]}


def define_flags():
    """Defines the flags."""
    command_line.define_path("train_dir", None, "Directory of a training run or import.")
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
    flags.DEFINE_boolean(
        "check", False, "Run each signature; without --train_dir, of a version that is there."
    )


def main():
    """Exports or checks, and prints the signatures and where the version is."""
    values = flags.FLAGS
    if values.train_dir is None:
        if not values.check:
            raise InputError("`train_dir` must be given, unless `check` is; got none.")
        names = ["format", "checkpoint", *(name for some in _FLAGS_OF.values() for name in some)]
        command_line.refuse_given(names, "without --train_dir")
    for other, names in _FLAGS_OF.items():
        if other != values.format:
            command_line.refuse_given(names, f"with --format={values.format}")
    if values.train_dir is None:
        plan = f"Runs each signature of the export in {values.output}"
    else:
        model = command_line.model_in(values.train_dir)
        plan = f"Exports {model} as a {values.format} into {values.output}"
    command_line.start_tensorflow(plan, command_line.time_depends_on("the size of the model"))
    from tf_marscf.serving.export_listing import listing

    path = _check(values) if values.train_dir is None else _export(values)
    print("\n".join(listing(path)))
    print(f"{'checked' if values.train_dir is None else 'exported to'} {path}")


def _check(values):
    from tf_marscf.serving.check_export import check_export

    return check_export(values.output, values.version)


def _export(values):
    options = {
        "version": values.version,
        "which": values.checkpoint,
        "progress": values.progress == "bar",
        "report_check": print if values.check else None,
    }
    if values.format == "saved_model":
        from tf_marscf.serving.export import export_model

        options["max_num_samples"] = values.max_num_samples
        return export_model(values.train_dir, values.output, **options)
    from tf_marscf.training.portable_export import export_portable

    options |= {"batch_size": values.batch_size, "has_train_step": values.train_step}
    return export_portable(values.train_dir, values.output, **options)


run = functools.partial(command_line.run, main, define_flags)
