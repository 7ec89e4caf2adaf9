"""Sampling time against image size, and density over the course of training, beside others."""

import dataclasses
import os
import shlex
from collections.abc import Callable

from tf_marscf.benchmarks import (
    density_benchmark,
    density_figure,
    sampling_benchmark,
    sampling_figure,
)
from tf_marscf.benchmarks.benchmark_output import config_dict, write_benchmark
from tf_marscf.benchmarks.comparison_config import MODEL_LABELS, ComparisonConfig
from tf_marscf.benchmarks.density_benchmark_config import DensityBenchmarkConfig
from tf_marscf.benchmarks.sampling_benchmark_config import SamplingBenchmarkConfig
from tf_marscf.command_text import called_command
from tf_marscf.errors import InputError
from tf_marscf.figures import render_png
from tf_marscf.files.result_files import check_files, read_entries, read_file
from tf_marscf.reporting.benchmark_entries import check_density_result, check_sampling_result
from tf_marscf.reporting.html_elements import element, join
from tf_marscf.reporting.html_page import Section, figure, note, paragraphs, wide_figure
from tf_marscf.reporting.stored_results import read_bytes, read_result

_ARCHITECTURE = tuple(ComparisonConfig().model_options)
_SECONDS = {False: 60.0, True: 15.0}  # Of training each model, by `fast`.


@dataclasses.dataclass(frozen=True)
class _Benchmark:
    """What the two benchmarks differ in."""

    name: str
    section: str
    title: str
    columns: tuple
    draw: Callable
    size: tuple
    caption: str
    check: Callable
    make_config: Callable
    run: Callable
    summarize: Callable


def sampling_time_section(context):
    """Time of a batch of samples against N (Fig. 7), as far as it is asked for or there.

    Args:
        context: the `ReportContext`.

    Returns:
        A `Section`.

    Raises:
        ValueError: if the file of `sampling_benchmark` holds something else.
    """
    return _section(context, _SAMPLING, context.config.sampling_benchmark)


def density_section(context):
    """Bits/dim against steps and seconds, as far as it is asked for or there.

    Args:
        context: the `ReportContext`.

    Returns:
        A `Section`.

    Raises:
        ValueError: if the file of `density_benchmark` holds something else.
    """
    return _section(context, _DENSITY, context.config.density_benchmark)


def check_benchmark_files(config):
    """Checks, before anything is computed, the files that a `ReportConfig` names.

    Raises:
        ValueError: naming the file that does not hold a benchmark.
    """
    for benchmark, path in (
        (_SAMPLING, config.sampling_benchmark),
        (_DENSITY, config.density_benchmark),
    ):
        if path is not None:
            _read_given(benchmark, path)


def _section(context, benchmark, given):
    stored = context.path(f"{benchmark.name}.json")
    if given is not None:
        result = _read_given(benchmark, given)
        context.report(f"{benchmark.section}: {given}, as given")
    else:
        result = _of_this_model(context, stored)
        if context.config.benchmarks:
            if context.dataset is None and benchmark is _DENSITY:
                return Section(benchmark.section, benchmark.title, note(context.dataset_problem))
            config = benchmark.make_config(context)
            if result is None or result["config"] != config_dict(config):
                context.report(f"{benchmark.section}: measuring, this takes minutes")
                result = benchmark.run(context, config)
            else:
                context.report(f"{benchmark.section}: {stored} is of this model, used again")
        elif result is not None:
            context.report(f"{benchmark.section}: {stored} is of this model, used again")
    if result is None:
        missing = note(
            "Not measured: ",
            element("code", "--benchmarks"),
            " measures it, and ",
            element("code", f"--{benchmark.name}_benchmark=FILE"),
            f" shows the JSON file of benchmark.py {benchmark.name}.",
        )
        return Section(benchmark.section, benchmark.title, missing)
    if given is not None:
        result = write_benchmark(
            context.config.directory, benchmark.name, result,
            benchmark.columns, benchmark.draw, benchmark.size, context.report,
        )  # fmt: skip
    chart = wide_figure(
        benchmark.caption,
        lambda theme: render_png(
            lambda figure: benchmark.draw(figure, result), benchmark.size, theme
        ),
        benchmark.size,
    )
    table = f"{benchmark.name}.csv"
    body = figure(
        chart,
        benchmark.caption,
        [_command(context, result)],
        [
            (table, read_file(stored, result, table)),
            (os.path.basename(stored), read_bytes(stored)),
        ],
    )
    return Section(
        benchmark.section,
        benchmark.title,
        join(paragraphs(f"{benchmark.summarize(result)} {_machine(result['machine'])}"), body),
    )


def _read_given(benchmark, path):
    try:
        result = read_entries(path)
        benchmark.check(result)
    except InputError as error:
        raise InputError(
            f"`{benchmark.name}_benchmark` must be a JSON file of "
            f"`{called_command('benchmark')} {benchmark.name}`; got {path!r}. {error}"
        ) from error
    return result


def _of_this_model(context, path):
    """The result in a file, if it is of the architecture of the report's model; else None."""
    result = read_result(path, lambda content: check_files(path, content))
    if result is None:
        return None
    model = context.run.model.to_dict()
    seen = result.get("config", {})
    if all(seen.get(name) == model[name] for name in _ARCHITECTURE):
        return result
    context.report(f"{path}: of another architecture, not used")
    return None


def _architecture(context):
    model = context.run.model.to_dict()
    return {name: model[name] for name in _ARCHITECTURE}


def _sampling_config(context):
    fast = context.config.fast
    return SamplingBenchmarkConfig(
        sizes=(8, 16) if fast else (8, 16, 32),
        image_channels=context.run.model.image_shape[2],
        num_repeats=3 if fast else 5,
        max_seconds=5.0 if fast else 20.0,
        **_architecture(context),
    )


def _density_config(context):
    """The training of the run, for a limited time."""
    training = context.run.training or {}
    options = ("batch_size", "learning_rate", "warm_up_images", "clip_norm", "seed")
    data = context.run.data
    is_of_training = context.config.dataset in (None, data and data.name)
    return DensityBenchmarkConfig(
        dataset=data.name if is_of_training else context.config.dataset,
        data_dir=context.config.data_dir or (data.data_dir if is_of_training else None),
        num_channels=(data.num_channels if is_of_training else context.run.model.image_shape[2]),
        max_images=data.max_images if is_of_training else None,
        num_levels=context.run.model.num_levels,
        num_training_steps=2000,
        training_seconds=_SECONDS[context.config.fast],
        evaluate_every=25,
        num_evaluation_images=300,
        **{name: training[name] for name in options if name in training},
        **_architecture(context),
    )


def _measure_sampling(context, config):
    benchmark = sampling_benchmark.SamplingBenchmark(config, context.config.directory)
    return benchmark.run(context.report)


def _measure_density(context, config):
    import tf_keras

    # As `bin/benchmark.py` does: the networks of tfb.Glow take no seed of their own.
    tf_keras.utils.set_random_seed(config.seed)
    benchmark = density_benchmark.DensityBenchmark(config, context.config.directory)
    return benchmark.run(context.report)


def _summarize_sampling(result):
    exponents = ", ".join(
        f"{MODEL_LABELS[kind]} {value:.2f}" for kind, value in result["growth_exponents"].items()
    )
    if not exponents:
        return "New weights, batches of noise."
    return f"Growth of the time as a power of N (1 is linear): {exponents}."


def _summarize_density(result):
    last = {row["model"]: row for row in result["rows"] if row["bits_per_dim"] is not None}
    scores = ", ".join(
        f"{MODEL_LABELS[kind]} {row['bits_per_dim']:.3f} after {row['step']} steps and "
        f"{row['training_seconds']:.0f} s"
        for kind, row in last.items()
    )
    return f"Held-out bits/dim at the end: {scores}."


def _machine(machine):
    devices = ", ".join(machine["devices"])
    return (
        f"Measured on {machine['num_cpus']} CPU cores ({devices}) with TensorFlow "
        f"{machine['tensorflow']}."
    )


def _command(context, result):
    """The command that the result holds, with the places that it leaves out."""
    words = shlex.split(result["command"])
    if result["benchmark"] == "density":
        data = context.run.data
        is_of_training = data is not None and result["config"]["dataset"] == data.name
        placeholder = "DATA_DIR" if is_of_training and data.data_dir is not None else None
        data_dir = context.config.data_dir or placeholder
        if data_dir is not None:
            words.append(f"--data_dir={data_dir}")
    return shlex.join([*words, f"--output_dir={os.fspath(context.config.directory)}"])


_SAMPLING = _Benchmark(
    name="sampling",
    section="sampling_time",
    title="Sampling time",
    columns=sampling_benchmark.COLUMNS,
    draw=sampling_figure.draw_sampling_times,
    size=sampling_figure.SIZE,
    caption="Fig. 7: seconds of a batch of samples, and sequential steps, against the size N of "
    "the images, for models of about as many parameters.",
    check=check_sampling_result,
    make_config=_sampling_config,
    run=_measure_sampling,
    summarize=_summarize_sampling,
)
_DENSITY = _Benchmark(
    name="density",
    section="density",
    title="Density over training",
    columns=density_benchmark.COLUMNS,
    draw=density_figure.draw_density_curves,
    size=density_figure.SIZE,
    caption="Held-out bits/dim against steps and against seconds of training, for models of about "
    "as many parameters, trained anew on the same batches.",
    check=check_density_result,
    make_config=_density_config,
    run=_measure_density,
    summarize=_summarize_density,
)
