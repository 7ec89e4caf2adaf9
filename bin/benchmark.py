#!/usr/bin/env python
"""Measures models: `python bin/benchmark.py speed`, `sampling` or `density`, each with --help.

speed     seconds of a training step, a density and a sample
sampling  seconds of a batch of samples against the size of the images, beside other models
density   held-out bits/dim against seconds and steps of training, beside other models
"""

import functools
import os
import sys

from absl import flags

from tf_marscf.benchmarks.comparison_config import MODEL_LABELS
from tf_marscf.benchmarks.density_benchmark_config import DensityBenchmarkConfig
from tf_marscf.benchmarks.sampling_benchmark_config import SamplingBenchmarkConfig
from tf_marscf.commands import command_line
from tf_marscf.commands.given_flags import refuse_given
from tf_marscf.config import MarScfConfig
from tf_marscf.errors import InputError
from tf_marscf.files.paths import local_path, output_file
from tf_marscf.files.text_files import read_json

_STRING, _INTEGER, _FLOAT = flags.DEFINE_string, flags.DEFINE_integer, flags.DEFINE_float


# Lines are seen as they come, also through a pipe: the benchmarks take minutes.
print_line = functools.partial(print, flush=True)


def _list(name, default, text):
    flags.DEFINE_list(name, [str(value) for value in default], text)


_COMPARISON_FLAGS = {
    "models": (_list, f"Models to compare, of {','.join(MODEL_LABELS)}."),
    "num_steps": (_INTEGER, "K, steps of flow a level, of all flows."),
    "hidden_channels": (_INTEGER, "C of mar; the other models get about as many parameters."),
    "coupling": (_STRING, "affine or mixlogcdf, of mar and gaussian."),
    "prior_hidden_channels": (_INTEGER, "Channels of the prior's ConvLSTM."),
    "prior_num_layers": (_INTEGER, "Layers of the prior's ConvLSTM."),
    "num_blocks": (_INTEGER, "Blocks of a MixLogCDF coupling's network."),
    "num_components": (_INTEGER, "Components of a MixLogCDF coupling's mixtures."),
    "num_heads": (_INTEGER, "Attention heads of a MixLogCDF coupling's network."),
    "seed": (_INTEGER, "Seed of weights, data order and noise."),
}
_SAMPLING_FLAGS = {
    "sizes": (_list, "Heights N of the N x N images."),
    "image_channels": (_INTEGER, "Channels of the images."),
    "smallest_map": (_INTEGER, "Height of the last latent map: L = log2(N / smallest_map)."),
    "batch_size": (_INTEGER, "Samples a batch."),
    "num_repeats": (_INTEGER, "Timed batches of each model and size, interleaved."),
    "max_seconds": (_FLOAT, "Limit for a model at one size: fewer repeats, or none (it says so)."),
    **_COMPARISON_FLAGS,
}
_DENSITY_FLAGS = {
    "dataset": (_STRING, "digits, fashion_mnist, cifar10, npz, idx, folder, ..."),
    "data_dir": (
        command_line.define_path,
        "Where the images are: a directory or, for npz, a file.",
    ),
    "num_channels": (_INTEGER, "3 copies a grey image three times; default: as in the data set."),
    "max_images": (_INTEGER, "Only so many images of each split; default: all."),
    "num_levels": (_INTEGER, "L, of all models."),
    "batch_size": (_INTEGER, "Images a step."),
    "learning_rate": (_FLOAT, "Learning rate of Adamax, after the warm-up."),
    "warm_up_images": (_INTEGER, "Images over which the learning rate grows."),
    "clip_norm": (_FLOAT, "Greatest norm of the gradient of bits/dim."),
    "num_training_steps": (_INTEGER, "Steps of each model; default: 500, or by training_seconds."),
    "training_seconds": (_FLOAT, "Seconds of training of each model, without evaluations."),
    "evaluate_every": (_INTEGER, "Steps between evaluations."),
    "num_evaluation_images": (_INTEGER, "The first so many test images are scored."),
    **_COMPARISON_FLAGS,
}


def define_speed_flags():
    """Flags of `speed`."""
    flags.DEFINE_list("image_size", ["32"], "Size of the images: N, or HEIGHT,WIDTH.")
    flags.DEFINE_integer("image_channels", 3, "Channels of the images.")
    flags.DEFINE_integer("num_levels", 3, "L.")
    flags.DEFINE_integer("num_steps", 4, "K.")
    flags.DEFINE_integer("hidden_channels", 64, "C.")
    flags.DEFINE_string("coupling", "affine", "affine or mixlogcdf.")
    flags.DEFINE_string("prior", "mar", "mar or gaussian.")
    flags.DEFINE_boolean("recompute_prior", False, "Gradients run the ConvLSTM once more.")
    flags.DEFINE_boolean(
        "recompute_couplings", True, "Gradients run each block of MixLogCDF couplings once more."
    )
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


def read_baseline(path):
    """The seconds of a baseline file."""
    path = local_path("baseline", path)
    if not os.path.isfile(path):
        raise InputError(f"`baseline` must be a file; got {path!r}.")
    return read_json(path)


def parse_image_size(texts):
    """Height and width."""
    if len(texts) not in (1, 2) or not all(text.strip().isdecimal() for text in texts):
        raise InputError(f"`image_size` must be N, or HEIGHT,WIDTH; got {','.join(texts)!r}.")
    return int(texts[0]), int(texts[-1])


def speed():
    """Prints seconds, and ratios to the baseline, of each task."""
    values = flags.FLAGS
    height, width = parse_image_size(values.image_size)
    config = MarScfConfig(
        image_shape=(height, width, values.image_channels),
        num_levels=values.num_levels,
        num_steps=values.num_steps,
        hidden_channels=values.hidden_channels,
        coupling=values.coupling,
        prior=values.prior,
        recompute_prior=values.recompute_prior,
        recompute_couplings=values.recompute_couplings,
    )
    if config.prior != "mar":
        refuse_given(["recompute_prior"], f"with --prior={config.prior}")
    if config.coupling != "mixlogcdf":
        refuse_given(["recompute_couplings"], f"with --coupling={config.coupling}")
    baseline = {} if values.baseline is None else read_baseline(values.baseline)
    output = None if values.json is None else output_file("json", values.json)
    command_line.start_tensorflow()
    from tf_marscf.benchmarks.speed import SpeedBenchmark
    from tf_marscf.files.text_files import write_json

    benchmark = SpeedBenchmark(config, values.batch_size, values.num_repeats, baseline)
    seconds = benchmark.run(print_line)
    if output is not None:
        write_json(output, seconds)


def define_sampling_flags():
    """Flags of `sampling`."""
    command_line.define_flags(SamplingBenchmarkConfig, _SAMPLING_FLAGS)
    command_line.define_path(
        "output_dir", "runs/benchmark_sampling", "Where sampling.png, .csv and .json go."
    )


def define_density_flags():
    """Flags of `density`."""
    command_line.define_flags(DensityBenchmarkConfig, _DENSITY_FLAGS)
    command_line.define_path(
        "output_dir", "runs/benchmark_density", "Where density.png, .csv and .json go."
    )


def refuse_flags_of_the_other_coupling(config):
    """Refuses what was given and has no effect."""
    if config.coupling != "mixlogcdf":
        names = ("num_blocks", "num_components", "num_heads")
        refuse_given(names, f"with --coupling={config.coupling}")


def sampling():
    """Writes a figure, a table and a JSON file of sampling times."""
    config = SamplingBenchmarkConfig(**command_line.flag_values(_SAMPLING_FLAGS))
    refuse_flags_of_the_other_coupling(config)
    command_line.start_tensorflow()
    from tf_marscf.benchmarks.sampling_benchmark import SamplingBenchmark

    SamplingBenchmark(config, flags.FLAGS.output_dir).run(print_line)


def density():
    """Writes a figure, a table and a JSON file of densities over the course of training."""
    config = DensityBenchmarkConfig(**command_line.flag_values(_DENSITY_FLAGS))
    refuse_flags_of_the_other_coupling(config)
    command_line.start_tensorflow()
    import tf_keras

    from tf_marscf.benchmarks.density_benchmark import DensityBenchmark

    # The networks of tfb.Glow take no seed of their own.
    tf_keras.utils.set_random_seed(config.seed)
    DensityBenchmark(config, flags.FLAGS.output_dir).run(print_line)


# Flags are defined for the chosen one only: a flag of another is an error, not ignored.
_BENCHMARKS = {
    "speed": (define_speed_flags, speed),
    "sampling": (define_sampling_flags, sampling),
    "density": (define_density_flags, density),
}


if __name__ == "__main__":
    name = sys.argv[1] if len(sys.argv) > 1 else None
    if name in ("--help", "-h", "-help", "help"):
        print(__doc__.rstrip())
        sys.exit(0)
    if name not in _BENCHMARKS:
        print(
            f"error: the first argument must be one of: {', '.join(_BENCHMARKS)}; got {name!r}",
            file=sys.stderr,
        )
        sys.exit(2)
    define_benchmark_flags, main = _BENCHMARKS[name]
    define_benchmark_flags()
    del sys.argv[1]
    # The other models' operations are not split for one thread each.
    command_line.run(main, one_thread_on_few_cores=name == "speed")
