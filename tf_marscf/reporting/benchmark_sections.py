"""Sampling time against image size, and density over the course of training, beside others."""

from tf_marscf.benchmarks.comparison_configs import (
    ComparisonConfig,
    DensityBenchmarkConfig,
    SamplingBenchmarkConfig,
)
from tf_marscf.benchmarks.density_benchmark import DensityBenchmark
from tf_marscf.benchmarks.model_kinds import MODEL_LABELS
from tf_marscf.benchmarks.sampling_benchmark import SamplingBenchmark
from tf_marscf.benchmarks.sampling_figure import growth_texts
from tf_marscf.command_text import called_command
from tf_marscf.config import MarScfConfig
from tf_marscf.config_fields import field_defaults
from tf_marscf.errors import InputError
from tf_marscf.files.result_files import read_entries, read_file
from tf_marscf.reporting.page import Section
from tf_marscf.reporting.report_context import download, read_result

_CAPTIONS = {
    "sampling": "Fig. 7: seconds of a batch of samples, and sequential steps, against the size N "
    "of the images, for models of about as many parameters.",
    "density": "Held-out bits/dim against steps and against seconds of training, for models of "
    "about as many parameters, trained anew on the same batches.",
}


def read_given_benchmarks(config):
    """The content of the benchmarks' files that a `ReportConfig` names, dicts by benchmark.

    Raises:
        InputError: naming the file that does not hold a benchmark.
    """
    given = {}
    for benchmark in (SamplingBenchmark, DensityBenchmark):
        name = benchmark.name
        path = getattr(config, f"{name}_benchmark")
        if path is None:
            continue
        try:
            given[name] = read_entries(path)
            benchmark.check(given[name])
        except InputError as error:
            raise InputError(
                f"`{name}_benchmark` must be a JSON file of "
                f"`{called_command('benchmark')} {name}`; got {path!r}. {error}"
            ) from error
    return given


def sampling_time_section(context):
    """Time of a batch of samples against N (Fig. 7), as far as it is asked for or there."""
    return _section(
        context, "sampling_time", SamplingBenchmark, _sampling_config, _sampling_summary
    )


def density_section(context):
    """Bits/dim against steps and seconds of training, as far as it is asked for or there."""
    return _section(context, "density", DensityBenchmark, _density_config, _density_summary)


def _section(context, section, benchmark, make_config, summarize):
    name, directory = benchmark.name, context.config.directory
    path = context.path(f"{name}.json")
    if name in context.given_benchmarks:
        given = getattr(context.config, f"{name}_benchmark")
        context.report(f"{section}: {given}, as given")
        result = benchmark.write(directory, context.given_benchmarks[name], context.report)
    elif context.config.benchmarks and section == "density" and context.dataset is None:
        return Section(notes=(context.dataset_problem,))
    else:
        result = read_result(path, lambda content: _is_of_the_architecture(context, path, content))
        config = make_config(context) if context.config.benchmarks else None
        if config is not None and (result is None or not _is_of(config, result["config"])):
            context.report(f"{section}: measuring, this takes minutes")
            result = benchmark(config, directory).run(context.report)
        elif result is not None:
            context.report(f"{section}: {path} is of this model, used again")
    if result is None:
        return Section({"name": name})
    table = f"{name}.csv"
    values = {
        "name": name,
        "result": result,
        "summary": summarize(result),
        "picture": context.picture(
            _CAPTIONS[name], lambda figure: benchmark.draw(figure, result), benchmark.figure_size
        ),
        "commands": [context.stored_command(result, directory, _data_dir(context, result))],
        "files": [(table, read_file(path, result, table)), download(path)],
    }
    return Section(values)


def _sampling_config(context):
    fast = context.config.fast
    return SamplingBenchmarkConfig(
        sizes=(8, 16) if fast else (8, 16, 32),
        image_channels=context.run.model.image_shape[2],
        num_repeats=3 if fast else 5,
        max_seconds=5.0 if fast else 20.0,
        **_architecture(context),
    )


def _sampling_summary(result):
    exponents = result["growth_exponents"].items()
    if not exponents:
        return "New weights, batches of noise."
    texts = ", ".join(f"{MODEL_LABELS[kind]} {value:.2f}" for kind, value in exponents)
    growth = f"Growth of the time as a power of N (1 is linear): {texts}."
    return " ".join([growth, *growth_texts(result)])


def _density_config(context):
    """The training of the run, for a limited time."""
    training = context.run.training or {}
    options = ("batch_size", "optimizer", "learning_rate", "warm_up_images", "clip_norm")
    options += ("augmentation", "seed")
    values = {name: training[name] for name in options if name in training}
    data, data_dir = context.run.data, None
    if context.config.dataset in (None, data and data.name):
        names = ("num_channels", "num_bits", "crop", "resize", "max_images")
        values |= {name: getattr(data, name) for name in names}
        data_dir = data.data_dir
    else:
        values["num_channels"] = context.run.model.image_shape[2]
    given = {name: getattr(context.config, name) for name in ("crop", "resize")}
    values |= {name: value for name, value in given.items() if value is not None}
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


def _density_summary(result):
    last = {row["model"]: row for row in result["rows"] if row["bits_per_dim"] is not None}
    scores = ", ".join(
        f"{MODEL_LABELS[kind]} {row['bits_per_dim']:.3f} after {row['step']} steps and "
        f"{row['training_seconds']:.0f} s"
        for kind, row in last.items()
    )
    return f"Held-out bits/dim at the end: {scores}."


def _architecture(context):
    model = context.run.model.to_dict()
    return {name: model[name] for name in ComparisonConfig().model_options}


def _is_of_the_architecture(context, path, content):
    """Whether a result that is there is of this model; if not, the report has a line of it."""
    seen, architecture = content.get("config"), _architecture(context)
    if isinstance(seen, dict):
        seen = field_defaults(MarScfConfig) | seen  # Earlier versions had fewer options.
        if seen | architecture == seen:
            return True
    context.report(f"{path}: of another architecture, not used")
    return False


def _is_of(config, seen):
    """Whether the stored config `seen`, of this version or an earlier one, is that of `config`."""
    return type(config)().to_dict() | seen == config.to_dict()


def _data_dir(context, result):
    """What the page says of the place of a benchmark's images; None for a benchmark without."""
    data = context.run.data
    if result["benchmark"] != "density":
        return None
    is_of_training = data is not None and result["config"]["dataset"] == data.name
    placeholder = "DATA_DIR" if is_of_training and data.data_dir is not None else None
    return context.config.data_dir or placeholder
