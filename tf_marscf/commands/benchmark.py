"""Measures models: `python bin/benchmark.py NAME`, each with --help.

speed     seconds of a training step, a density and a sample; the prior's part of it
sampling  seconds of a batch of samples against the size of the images, beside other models
density   held-out bits/dim against seconds and steps of training, beside other models
ablation  the same for variants of the model, at equal parameters and over seeds
portable  writes the first's tasks as StableHLO, to be timed on machines without TensorFlow

Killed, `density` and `ablation` go on where they were.
"""

import dataclasses
import functools
import os
import sys

from absl import flags

from tf_marscf.benchmarks.ablation_config import AblationConfig
from tf_marscf.benchmarks.comparison_configs import (
    DensityBenchmarkConfig,
    SamplingBenchmarkConfig,
)
from tf_marscf.command_text import called_command
from tf_marscf.commands import command_line
from tf_marscf.config import (
    DequantizationConfig,
    ExecutionConfig,
    MarScfConfig,
    check_model_options,
    fields_without_effect,
)
from tf_marscf.data import DataConfig
from tf_marscf.errors import InputError
from tf_marscf.files.atomic_file import read_json, write_json
from tf_marscf.files.paths import output_file
from tf_marscf.training.training_config import TrainingConfig

# Lines are seen as they come, also through a pipe: the benchmarks take minutes.
print_line = functools.partial(print, flush=True)
_COMPARISONS = {
    "sampling": SamplingBenchmarkConfig,
    "density": DensityBenchmarkConfig,
    "ablation": AblationConfig,
}

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


def define_speed_flags():
    """Flags of `speed`."""
    command_line.define_image_size()
    flags.DEFINE_integer("image_channels", 3, "Channels of the images.")
    command_line.define_flags(MarScfConfig, num_steps=4, hidden_channels=64)
    command_line.define_flags(DequantizationConfig)
    command_line.define_flags(ExecutionConfig)
    flags.DEFINE_integer("batch_size", 16, "Images a call.", lower_bound=1)
    flags.DEFINE_integer(
        "num_repeats", 10, "Interleaved repeats; medians are shown.", lower_bound=1
    )
    command_line.define_path(
        "baseline",
        None,
        'JSON file to compare with: {"train_step": seconds, "log_prob": ..., ...}.',
    )
    command_line.define_path("json", None, "JSON file to write the seconds to.")


def speed():
    """Prints seconds, and ratios to the baseline, of each task."""
    values = flags.FLAGS
    height, width = command_line.image_size()
    config = MarScfConfig(
        image_shape=(height, width, values.image_channels),
        **command_line.flag_values(MarScfConfig),
    )
    dequantization = DequantizationConfig(**command_line.flag_values(DequantizationConfig))
    execution = ExecutionConfig(**command_line.flag_values(ExecutionConfig))
    command_line.refuse_flags_without_effect(vars(config))
    if values.baseline is not None and not os.path.isfile(values.baseline):
        raise InputError(f"`baseline` must be a file; got {values.baseline!r}.")
    baseline = {} if values.baseline is None else read_json(values.baseline)
    output = None if values.json is None else output_file("json", values.json)
    command_line.start_tensorflow()
    from tf_marscf.benchmarks.speed import measure_speed

    seconds = measure_speed(
        config,
        values.batch_size,
        values.num_repeats,
        baseline,
        execution,
        print_line,
        dequantization,
    )
    if output is not None:
        write_json(output, seconds)


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
    command_line.start_tensorflow()
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


def refuse_coupling_flags(couplings):
    """Refuses what was given and is of a coupling that none of the models has."""
    if "mixlogcdf" not in couplings:
        names = fields_without_effect({"coupling": "affine"})
        defined = [name for name in names if name in flags.FLAGS]
        command_line.refuse_given(defined, f"with --coupling={','.join(couplings)}")


def mar_prior_flags():
    """Names of the flags that only mAR priors have."""
    names = fields_without_effect({"prior": "gaussian"})
    return [name for name in names if name in flags.FLAGS]


def define_comparison_flags(name):
    """Flags of a benchmark that compares models."""
    command_line.define_flags(_COMPARISONS[name])
    command_line.define_path(
        "output_dir", f"runs/benchmark_{name}", f"Where {name}.png, .csv and .json go."
    )


def compare(name):
    """Writes a figure, a table and a JSON file of a benchmark that compares models."""
    config_class = _COMPARISONS[name]
    config = config_class(**command_line.flag_values(config_class))
    if name == "ablation":
        refuse_coupling_flags(config.couplings)
        if set(config.priors) == {"gaussian"}:
            command_line.refuse_given(mar_prior_flags(), "with --priors=gaussian")
    else:
        command_line.refuse_flags_without_effect(vars(config))
    command_line.start_tensorflow()
    if name == "sampling":
        from tf_marscf.benchmarks.sampling_benchmark import SamplingBenchmark as Benchmark
    elif name == "density":
        from tf_marscf.benchmarks.density_benchmark import DensityBenchmark as Benchmark
    else:
        import tensorflow as tf

        from tf_marscf.benchmarks.ablation import Ablation as Benchmark

        # So that what is gone on with is what would have been, to the last bit.
        tf.config.experimental.enable_op_determinism()
    Benchmark(config, flags.FLAGS.output_dir).run(print_line)


def run():
    """Runs the benchmark that the first argument names."""
    name = sys.argv[1] if len(sys.argv) > 1 else None
    if name in ("--help", "-h", "-help", "help"):
        print(__doc__.replace("python bin/benchmark.py", called_command("benchmark")).rstrip())
        sys.exit(0)
    names = ["speed", *_COMPARISONS, "portable"]
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
    elif name == "portable":
        command_line.run(portable, define_portable_flags)
    else:
        # Operations of models that are not of this project are not split for one thread each.
        command_line.run(
            lambda: compare(name),
            lambda: define_comparison_flags(name),
            one_thread_on_few_cores=name == "ablation",
        )
