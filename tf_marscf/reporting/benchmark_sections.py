"""Sampling time against image size, and density over the course of training, beside others."""

import os
import shlex

from tf_marscf.benchmarks import (
    density_benchmark,
    density_figure,
    sampling_benchmark,
    sampling_figure,
)
from tf_marscf.benchmarks.benchmark_output import config_dict, write_benchmark
from tf_marscf.benchmarks.comparison_configs import (
    MODEL_LABELS,
    ComparisonConfig,
    DensityBenchmarkConfig,
    SamplingBenchmarkConfig,
)
from tf_marscf.command_text import called_command
from tf_marscf.errors import InputError
from tf_marscf.files.result_files import check_files, read_entries, read_file
from tf_marscf.reporting.benchmark_entries import check_density_result, check_sampling_result
from tf_marscf.reporting.page import Section
from tf_marscf.reporting.stored_results import download, read_result

_ARCHITECTURE = tuple(ComparisonConfig().model_options)


class _SamplingBenchmark:
    """Time of a batch of samples against N (Fig. 7)."""

    name, section = "sampling", "sampling_time"
    columns, size = sampling_benchmark.COLUMNS, sampling_figure.SIZE
    check = staticmethod(check_sampling_result)
    draw = staticmethod(sampling_figure.draw_sampling_times)
    caption = (
        "Fig. 7: seconds of a batch of samples, and sequential steps, against the size N of the "
        "images, for models of about as many parameters."
    )

    def config(self, context):
        fast = context.config.fast
        return SamplingBenchmarkConfig(
            sizes=(8, 16) if fast else (8, 16, 32),
            image_channels=context.run.model.image_shape[2],
            num_repeats=3 if fast else 5,
            max_seconds=5.0 if fast else 20.0,
            **_architecture(context),
        )

    def run(self, config, directory, report):
        return sampling_benchmark.SamplingBenchmark(config, directory).run(report)

    def summary(self, result):
        exponents = ", ".join(
            f"{MODEL_LABELS[kind]} {value:.2f}"
            for kind, value in result["growth_exponents"].items()
        )
        if not exponents:
            return "New weights, batches of noise."
        return f"Growth of the time as a power of N (1 is linear): {exponents}."


class _DensityBenchmark:
    """Bits/dim against steps and seconds of training."""

    name = section = "density"
    columns, size = density_benchmark.COLUMNS, density_figure.SIZE
    check = staticmethod(check_density_result)
    draw = staticmethod(density_figure.draw_density_curves)
    caption = (
        "Held-out bits/dim against steps and against seconds of training, for models of about as "
        "many parameters, trained anew on the same batches."
    )

    def config(self, context):
        """The training of the run, for a limited time."""
        training = context.run.training or {}
        options = ("batch_size", "learning_rate", "warm_up_images", "clip_norm", "seed")
        values = {name: training[name] for name in options if name in training}
        data = context.run.data
        if context.config.dataset in (None, data and data.name):
            values |= {name: getattr(data, name) for name in ("num_channels", "max_images")}
            data_dir = data.data_dir
        else:
            values["num_channels"] = context.run.model.image_shape[2]
            data_dir = None
        return DensityBenchmarkConfig(
            dataset=context.dataset_name,
            data_dir=context.config.data_dir or data_dir,
            num_levels=context.run.model.num_levels,
            num_training_steps=2000,
            training_seconds=15.0 if context.config.fast else 60.0,  # Of each model.
            evaluate_every=25,
            num_evaluation_images=300,
            **values,
            **_architecture(context),
        )

    def run(self, config, directory, report):
        import tf_keras

        # As `bin/benchmark.py` does: the networks of tfb.Glow take no seed of their own.
        tf_keras.utils.set_random_seed(config.seed)
        return density_benchmark.DensityBenchmark(config, directory).run(report)

    def summary(self, result):
        last = {row["model"]: row for row in result["rows"] if row["bits_per_dim"] is not None}
        scores = ", ".join(
            f"{MODEL_LABELS[kind]} {row['bits_per_dim']:.3f} after {row['step']} steps and "
            f"{row['training_seconds']:.0f} s"
            for kind, row in last.items()
        )
        return f"Held-out bits/dim at the end: {scores}."


_BENCHMARKS = {
    benchmark.section: benchmark for benchmark in (_SamplingBenchmark(), _DensityBenchmark())
}


def benchmark_section(context, section):
    """A benchmark, as far as it is asked for or there.

    Args:
        context: the `ReportContext`.
        section: "sampling_time" or "density".

    Raises:
        InputError: if a given file holds something else.
    """
    benchmark = _BENCHMARKS[section]
    name = benchmark.name
    path = context.path(f"{name}.json")
    given = _read_given(context.config, benchmark)
    if given is not None:
        context.report(f"{section}: {_given_path(context.config, benchmark)}, as given")
        result = write_benchmark(
            context.config.directory, name, given,
            benchmark.columns, benchmark.draw, benchmark.size, context.report,
        )  # fmt: skip
    elif context.config.benchmarks and section == "density" and context.dataset is None:
        return Section(section, notes=(context.dataset_problem,))
    else:
        result = _stored_or_measured(context, benchmark, path)
    if result is None:
        return Section(section, {"name": name})
    table = f"{name}.csv"
    values = {
        "name": name,
        "result": result,
        "summary": benchmark.summary(result),
        "picture": context.picture(
            benchmark.caption, lambda figure: benchmark.draw(figure, result), benchmark.size
        ),
        "commands": [_command(context, result)],
        "files": [(table, read_file(path, result, table)), download(path)],
    }
    return Section(section, values)


def check_benchmark_files(config):
    """Checks, before anything is computed, the files that a `ReportConfig` names.

    Raises:
        InputError: naming the file that does not hold a benchmark.
    """
    for benchmark in _BENCHMARKS.values():
        _read_given(config, benchmark)


def _given_path(config, benchmark):
    return getattr(config, f"{benchmark.name}_benchmark")


def _read_given(config, benchmark):
    """The content of the file that a `ReportConfig` names, or None."""
    path = _given_path(config, benchmark)
    if path is None:
        return None
    try:
        result = read_entries(path)
        benchmark.check(result)
    except InputError as error:
        raise InputError(
            f"`{benchmark.name}_benchmark` must be a JSON file of "
            f"`{called_command('benchmark')} {benchmark.name}`; got {path!r}. {error}"
        ) from error
    return result


def _stored_or_measured(context, benchmark, path):
    """The result of this model that is there; without one, a new one if asked for, else None."""
    result = read_result(path, lambda content: check_files(path, content))
    if result is not None:
        seen = result.get("config", {})
        if any(seen.get(name) != value for name, value in _architecture(context).items()):
            context.report(f"{path}: of another architecture, not used")
            result = None
    if context.config.benchmarks:
        config = benchmark.config(context)
        if result is None or result["config"] != config_dict(config):
            context.report(f"{benchmark.section}: measuring, this takes minutes")
            return benchmark.run(config, context.config.directory, context.report)
    if result is not None:
        context.report(f"{benchmark.section}: {path} is of this model, used again")
    return result


def _architecture(context):
    model = context.run.model.to_dict()
    return {name: model[name] for name in _ARCHITECTURE}


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
