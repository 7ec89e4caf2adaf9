"""Measures models: `python bin/benchmark.py NAME`, each with --help.

speed       seconds of a training step, a density and a sample; the prior's part of it
kernels     milliseconds of each way to compute a level, and which way is chosen
all_reduce  bytes that a training step adds up over several devices, and seconds that links take
sampling    seconds of a batch of samples against the size of the images, beside other models
density     held-out bits/dim against seconds and steps of training, beside other models
ablation    the same for variants of the model, at equal parameters and over seeds
compare     density, KID, FID, seconds, steps and memory of all systems, trained alike
portable    writes the first's tasks as StableHLO, to be timed on machines without TensorFlow

`all_reduce` takes the arguments of a training, and runs nothing. Killed, `density`, `ablation` and
`compare` go on where they were.
"""

import dataclasses
import functools
import os
import sys

from absl import flags

from tf_marscf.command_text import called_command
from tf_marscf.commands import command_line, comparisons, recipes, train
from tf_marscf.commands.version import answer_version
from tf_marscf.config import (
    CompilationConfig,
    DequantizationConfig,
    ExecutionConfig,
    MarScfConfig,
    check_model_options,
)
from tf_marscf.data import DataConfig
from tf_marscf.errors import InputError
from tf_marscf.files.atomic_file import read_json, write_json
from tf_marscf.files.paths import output_file
from tf_marscf.training.training_config import TrainingConfig

# Lines are seen as they come, also through a pipe: the benchmarks take minutes.
print_line = functools.partial(print, flush=True)

# What of a training decides its step.
_STEP_FIELDS = {field.name for field in dataclasses.fields(ExecutionConfig)} | {
    "average_decay",
    "batch_size",
    "clip_norm",
    "learning_rate",
    "num_accumulated_parts",
    "optimizer",
    "seed",
    "warm_up_images",
}


def define_kernels_flags():
    """Flags of `kernels`, which `speed` has, too: of a model and of how often it is timed."""
    command_line.define_image_size()
    flags.DEFINE_integer("image_channels", 3, "Channels of the images.")
    command_line.define_flags(MarScfConfig, num_steps=4, hidden_channels=64)
    command_line.define_flags(ExecutionConfig)
    flags.DEFINE_integer("batch_size", 16, "Images a call.", lower_bound=1)
    flags.DEFINE_integer(
        "num_repeats", 10, "Interleaved repeats; medians are shown.", lower_bound=1
    )
    command_line.define_path("json", None, "JSON file to write the figures to.")


def define_speed_flags():
    """Flags of `speed`."""
    define_kernels_flags()
    command_line.define_flags(CompilationConfig)
    command_line.define_flags(DequantizationConfig)
    command_line.define_path(
        "baseline",
        None,
        'JSON file to compare with: {"train_step": seconds, "log_prob": ..., ...}.',
    )


def model_of_flags():
    """The `MarScfConfig` and the `ExecutionConfig` that flags say."""
    height, width = command_line.image_size()
    config = MarScfConfig(
        image_shape=(height, width, flags.FLAGS.image_channels),
        **command_line.flag_values(MarScfConfig),
    )
    command_line.refuse_flags_without_effect(vars(config))
    return config, ExecutionConfig(**command_line.flag_values(ExecutionConfig))


def kernels():
    """Prints milliseconds of each candidate of each choice."""
    values = flags.FLAGS
    config, execution = model_of_flags()
    output = None if values.json is None else output_file("json", values.json)
    command_line.start_tensorflow(
        "Times each way to compute the parts of a level",
        command_line.time_depends_on("the model, batch_size and num_repeats"),
    )
    from tf_marscf.benchmarks.kernel_benchmark import measure_kernels

    table = measure_kernels(config, values.batch_size, values.num_repeats, execution, print_line)
    write_figures(output, table)


def write_figures(path, figures):
    """Writes figures into a JSON file, if there is to be one, and says where they are."""
    if path is None:
        print_line("figures: above; --json=FILE writes them")
        return
    write_json(path, figures)
    print_line(f"figures: {path}")


def speed():
    """Prints seconds, and ratios to the baseline, of each task."""
    values = flags.FLAGS
    config, execution = model_of_flags()
    dequantization = DequantizationConfig(**command_line.flag_values(DequantizationConfig))
    compilation = CompilationConfig(**command_line.flag_values(CompilationConfig))
    if values.baseline is not None and not os.path.isfile(values.baseline):
        raise InputError(f"`baseline` must be a file; got {values.baseline!r}.")
    baseline = {} if values.baseline is None else read_json(values.baseline)
    output = None if values.json is None else output_file("json", values.json)
    command_line.start_tensorflow(
        f"Times a training step, a density and a sample of a model, {values.num_repeats} of each",
        command_line.time_depends_on("the model and batch_size"),
    )
    from tf_marscf.benchmarks.speed import measure_speed

    seconds = measure_speed(
        config,
        values.batch_size,
        values.num_repeats,
        baseline,
        execution,
        print_line,
        dequantization,
        compilation.jit_compile,
    )
    write_figures(output, seconds)


def define_portable_flags():
    """Flags of `portable`."""
    command_line.define_image_size()
    flags.DEFINE_integer("image_channels", 3, "Channels of the images.")
    command_line.define_flags(MarScfConfig, num_steps=4, hidden_channels=64)
    command_line.define_flags(DequantizationConfig)
    command_line.define_flags(TrainingConfig, names=_STEP_FIELDS, batch_size=64)
    command_line.define_path("output_dir", None, "A new directory.", required=True)
    command_line.define_path(
        "data", None, "An .npz file of images, as of --dataset=npz; default: noise."
    )
    flags.DEFINE_integer(
        "random_above",
        None,
        "Of arrays of more numbers only shape and spread are written, which is enough to time.",
        lower_bound=0,
    )


def portable():
    """Writes the tasks of a new model as StableHLO."""
    values = flags.FLAGS
    height, width = command_line.image_size()
    model_options = command_line.flag_values(MarScfConfig)
    check_model_options(model_options)
    training = TrainingConfig(**command_line.flag_values(TrainingConfig, names=_STEP_FIELDS))
    dequantization = DequantizationConfig(**command_line.flag_values(DequantizationConfig))
    command_line.refuse_flags_without_effect(vars(training) | model_options)
    data = None
    if values.data is not None:
        command_line.refuse_given(["image_size", "image_channels"], "with --data")
        data = DataConfig(name="npz", data_dir=values.data)
    command_line.start_tensorflow(
        f"Writes a new model's training step, density and sample as programs into "
        f"{values.output_dir}",
        "How long it takes depends on the size of the model: each program is traced once.",
    )
    from tf_marscf.benchmarks.portable_tasks import write_portable_tasks

    path = write_portable_tasks(
        values.output_dir,
        model_options,
        (height, width, values.image_channels),
        training,
        dequantization,
        data,
        values.random_above,
    )
    print(f"written to {path}")


def define_all_reduce_flags():
    """Flags of `all_reduce`: those of a training, whose flagfiles it reads, and its own."""
    train.define_flags()
    command_line.define_image_size()
    flags.DEFINE_integer("image_channels", 3, "Channels of the images.")
    flags.DEFINE_list("num_devices", ["2", "8", "16"], "Devices that train together, each >= 2.")


def all_reduce():
    """Prints a table of bytes, and of seconds by link, for each number of devices."""
    values = flags.FLAGS
    recipes.check_recipe(sys.argv)
    height, width = command_line.image_size()
    counts = values.num_devices
    if not counts or not all(count.isdecimal() and 2 <= int(count) < 10**6 for count in counts):
        raise InputError(
            "`num_devices` must be integers from 2 to 999999, separated by commas; got "
            f"{','.join(counts)!r}."
        )
    config = MarScfConfig(
        image_shape=(height, width, values.image_channels),
        **command_line.flag_values(MarScfConfig),
    )
    dequantization = DequantizationConfig(**command_line.flag_values(DequantizationConfig))
    training = TrainingConfig(**command_line.flag_values(TrainingConfig))
    command_line.refuse_flags_without_effect(vars(config) | vars(training))
    command_line.start_tensorflow(
        "Counts what a training step of several devices sends",
        "Nothing is run: it takes as long as TensorFlow's import.",
    )
    from tf_marscf.benchmarks.all_reduce import report_all_reduce

    report_all_reduce(
        config, dequantization, training.batch_size, [int(count) for count in counts], print_line
    )
    print_line("figures: above; no file is written")


def run():
    """Runs the benchmark that the first argument names."""
    answer_version("benchmark")
    name = sys.argv[1] if len(sys.argv) > 1 else None
    if name in ("--help", "-h", "-help", "help"):
        print(__doc__.replace("python bin/benchmark.py", called_command("benchmark")).rstrip())
        sys.exit(0)
    names = ["speed", *comparisons.CONFIGS, "kernels", "all_reduce", "portable"]
    if name not in names:
        print(
            f"error: the first argument must be one of: {', '.join(names)}; got {name!r}",
            file=sys.stderr,
        )
        sys.exit(2)
    del sys.argv[1]
    # Flags are defined for the chosen one only: a flag of another is an error, not ignored.
    if name == "speed":
        command_line.run(speed, define_speed_flags)
    elif name == "kernels":
        command_line.run(kernels, define_kernels_flags)
    elif name == "portable":
        command_line.run(portable, define_portable_flags)
    elif name == "all_reduce":
        command_line.run(
            all_reduce,
            define_all_reduce_flags,
            read_arguments=lambda arguments: recipes.with_recipe(arguments)[0],
        )
    else:
        # Operations of models that are not of this project are not split for one thread each.
        command_line.run(
            lambda: comparisons.compare(name, print_line),
            lambda: comparisons.define_flags(name),
            one_thread_on_few_cores=name == "ablation",
        )
