"""What a report needs of the JSON files of benchmarks, which somebody may have written by hand."""

import shlex

from tf_marscf.benchmarks.comparison_configs import MODEL_LABELS
from tf_marscf.command_text import called_command
from tf_marscf.errors import InputError
from tf_marscf.files.entry_checks import (
    check_entries,
    dict_of,
    entries,
    integer,
    list_of,
    number,
    optional,
    text,
)
from tf_marscf.files.result_files import read_entries

_MODEL = text(*MODEL_LABELS)
_MACHINE = entries(num_cpus=integer(1), devices=list_of(text()), tensorflow=text())
_SAMPLING = {
    "benchmark": text("sampling"),
    "command": text(),
    "config": entries(
        models=list_of(_MODEL, 1),
        sizes=list_of(integer(1), 1),
        image_channels=integer(1),
        smallest_map=integer(1),
        batch_size=integer(1),
    ),
    "machine": _MACHINE,
    "growth_exponents": dict_of(number()),
    "rows": list_of(
        entries(
            model=_MODEL,
            size=integer(1),
            sequential_steps=integer(1),
            lemma_a1_steps=optional(integer(1)),
            mean_seconds=optional(number(0.0)),
            variance_seconds=optional(number(0.0)),
            expected_seconds=optional(number(0.0)),
            skipped=optional(text()),
        ),
        1,
    ),
}
_DENSITY = {
    "benchmark": text("density"),
    "command": text(),
    "config": entries(models=list_of(_MODEL, 1), dataset=text()),
    "machine": _MACHINE,
    "data": entries(image_shape=list_of(integer(1), 3), num_evaluation_images=integer(1)),
    "rows": list_of(
        entries(
            model=_MODEL,
            num_parameters=integer(1),
            step=integer(),
            training_seconds=number(0.0),
            bits_per_dim=optional(number()),
            standard_error=optional(number(0.0)),
            stopped=optional(text()),
        ),
        1,
    ),
}


def read_given_benchmarks(config):
    """The content of the benchmarks' files that a `ReportConfig` names, dicts by benchmark.

    Raises:
        InputError: naming the file that does not hold a benchmark.
    """
    given = {}
    for name, check in (("sampling", check_sampling_result), ("density", check_density_result)):
        path = getattr(config, f"{name}_benchmark")
        if path is None:
            continue
        try:
            given[name] = read_entries(path)
            check(given[name])
        except InputError as error:
            raise InputError(
                f"`{name}_benchmark` must be a JSON file of "
                f"`{called_command('benchmark')} {name}`; got {path!r}. {error}"
            ) from error
    return given


def check_sampling_result(result):
    """Checks what `sampling.json` holds; an `InputError` names what is missing or wrong."""
    _check(result, _SAMPLING)
    models = result["config"]["models"]
    if not result["growth_exponents"].keys() <= set(models):
        raise InputError(f"growth_exponents must be of the models {models}.")
    for row in result["rows"]:
        needed = ("expected_seconds",) if row["skipped"] else ("mean_seconds", "variance_seconds")
        for name in needed:
            number(0.0)(row[name], f"{name} of {row['model']} at size {row['size']}")
    rows = [row for row in result["rows"] if row["model"] == "mar"]
    if [row["size"] for row in rows] != result["config"]["sizes"]:
        raise InputError(f"rows of 'mar' must be of the sizes {result['config']['sizes']}.")
    for row in rows:
        integer(1)(row["lemma_a1_steps"], f"lemma_a1_steps at size {row['size']}")


def check_density_result(result):
    """Checks what `density.json` holds; an `InputError` names what is missing or wrong."""
    _check(result, _DENSITY)
    if len(result["data"]["image_shape"]) != 3:
        raise InputError("image_shape must be height, width and channels.")


def _check(result, rules):
    """Checks the entries, the command line, and that the rows are of the models of the config."""
    check_entries(result, rules)
    try:
        shlex.split(result["command"])
    except ValueError as error:
        raise InputError(f"command must be a command line; {error}.") from error
    models = set(result["config"]["models"])
    if {row["model"] for row in result["rows"]} != models:
        raise InputError(f"rows must be of the models {sorted(models)}.")
