"""Seconds of a batch of samples against the size of the images: Fig. 7 of mAR-SCF."""

import functools
import math
import statistics

import numpy as np
import tensorflow as tf

from tf_marscf.benchmarks.comparison_benchmark import ComparisonBenchmark
from tf_marscf.benchmarks.comparison_models import matched_models
from tf_marscf.benchmarks.measurement import LEAST_REPEATS, interleaved_seconds, waiting_task
from tf_marscf.benchmarks.model_kinds import MODEL_LABELS
from tf_marscf.benchmarks.sampling_figure import draw_sampling, growth_texts
from tf_marscf.benchmarks.sampling_parts import SAMPLING_PARTS, sampling_part_tasks
from tf_marscf.errors import InputError
from tf_marscf.rules import (
    check_entries,
    dict_of,
    entries,
    integer,
    list_of,
    number,
    optional,
    text,
)
from tf_marscf.stateless_seed import stateless_uniform

_MODEL = text(*MODEL_LABELS)
# Of this project's models alone: their parts can be run one by one.
_WITH_PARTS = ("mar", "gaussian")
_PART_COLUMNS = ("prior_seconds", "flow_seconds", "prior_step_seconds")
_LINE = "{:<37}{:>5}{:>4}{:>7}{:>12}{:>7}{:>11}    {}"
_HEADER = ("model", "N", "L", "width", "parameters", "steps", "Lemma A.1")


def lemma_a1_steps(num_levels, image_channels):
    """Sequential steps of a sample in closed form, from Lemma A.1.

        sum_{i < L} 2^i C + 2^(L + 1) C = (3 * 2^L - 2) C

    With 2^L = N / m, for a last latent map of height m, that is (3 N / m - 2) C: linear in N.
    """
    return (3 * 2**num_levels - 2) * image_channels


class SamplingBenchmark(ComparisonBenchmark):
    """Times batches of samples of each model at each size, from a `SamplingBenchmarkConfig`.

    Weights are new, and ActNorm is set from noise: neither architecture's time depends on what it
    has learnt, but for the iterations of a MixLogCDF inverse.

    At a size where two batches are expected to take longer than `config.max_seconds`, and at larger
    ones, a model is skipped; its row says so. What is expected is the time at the size before,
    times the growth of sequential steps, times that of the pixels.

    Of this project's models, the priors and the flow are timed alone, too (`sampling_parts.py`), by
    turns with the whole.
    """

    name = "sampling"
    rules = {
        "config": entries(
            models=list_of(_MODEL, 1),
            sizes=list_of(integer(1), 1),
            image_channels=integer(1),
            smallest_map=integer(1),
            batch_size=integer(1),
        ),
        "growth_exponents": dict_of(number()),
    }
    columns = {
        "model": _MODEL,
        "size": integer(1),
        "num_levels": None,
        "width": None,
        "num_parameters": None,
        "sequential_steps": integer(1),
        "lemma_a1_steps": optional(integer(1)),
        "mean_seconds": optional(number(0.0)),
        "variance_seconds": optional(number(0.0)),
        "median_seconds": None,
        **dict.fromkeys(_PART_COLUMNS),
        "num_repeats": None,
        "expected_seconds": optional(number(0.0)),
        "skipped": optional(text()),
    }

    def measure(self, report):
        """The dict of "growth_exponents", "part_growth_exponents" and "rows".

        A row, one a model and size, has the entries of `columns` and "seconds", all timed batches.
        "skipped" is None, or why there are none; then the statistics are None. "prior_seconds" and
        "flow_seconds" are medians, and "prior_step_seconds" is the first by "sequential_steps";
        None for models of others. The exponents are as of `growth_exponents`, those of parts by
        column.
        """
        report(_LINE.format(*_HEADER, "seconds a batch   median    priors      flow  ms a step"))
        rows, of_size = [], {}
        for size in self._config.sizes:
            of_size = _measure_size(self._config, size, of_size)
            for row in of_size.values():
                report(_table_line(row))
                rows.append(row)
        exponents = growth_exponents(rows)
        texts = [f"{MODEL_LABELS[kind]} {value:.2f}" for kind, value in exponents.items()]
        if texts:
            report("growth of the time, as a power of N: " + ", ".join(texts))
        result = {
            "growth_exponents": exponents,
            "part_growth_exponents": {
                column: growth_exponents(rows, column) for column in _PART_COLUMNS
            },
            "rows": rows,
        }
        for line in growth_texts(result):
            report(line)
        return result

    @classmethod
    def check(cls, result):
        """As of every benchmark; a row has what is drawn of it.

        Results of earlier versions have no parts, which are not drawn then.
        """
        super().check(result)
        cls.check_models(result)
        models, sizes = result["config"]["models"], result["config"]["sizes"]
        if not result["growth_exponents"].keys() <= set(models):
            raise InputError(f"growth_exponents must be of the models {models}.")
        for row in result["rows"]:
            names = (
                ("expected_seconds",) if row["skipped"] else ("mean_seconds", "variance_seconds")
            )
            of_parts = (name for name in _PART_COLUMNS if row.get(name) is not None)
            for name in (*names, *of_parts):
                number(0.0)(row[name], f"{name} of {row['model']} at size {row['size']}")
        if "part_growth_exponents" in result:
            kinds = [kind for kind in _WITH_PARTS if kind in result["growth_exponents"]]
            of_parts = dict.fromkeys(_PART_COLUMNS, entries(**dict.fromkeys(kinds, number())))
            check_entries(result["part_growth_exponents"], of_parts, "part_growth_exponents")
        rows = [row for row in result["rows"] if row["model"] == "mar"]
        if [row["size"] for row in rows] != sizes:
            raise InputError(f"rows of 'mar' must be of the sizes {sizes}.")
        for row in rows:
            integer(1)(row["lemma_a1_steps"], f"lemma_a1_steps at size {row['size']}")

    @staticmethod
    def draw(figure, result):
        """Draws seconds and sequential steps against the size of the images.

        Both axes are logarithmic, so that growth with a power of N is a straight line. The dashed
        lines are y = 2x, twice the time for twice the size, through the first point of mAR-SCF, and
        on the right the closed form of Lemma A.1. Thin lines are the parts of a sample. Where a
        step of mAR-SCF costs more in larger images, a note below says how fast what grows.
        """
        draw_sampling(figure, result)


def growth_exponents(rows, column="median_seconds"):
    """Slopes of log(seconds) over log N, by least squares: 1 is linear growth.

    Of medians, because one pause of the machine would bend the line of the means. A dict from each
    model of the rows that was timed at two sizes or more, in the column of that name.
    """
    exponents = {}
    for kind in dict.fromkeys(row["model"] for row in rows):
        timed = [row for row in rows if row["model"] == kind and row[column]]
        if len(timed) > 1:
            sizes, seconds = (np.log([row[name] for row in timed]) for name in ("size", column))
            exponents[kind] = float(np.polyfit(sizes, seconds, 1)[0])
    return exponents


def _measure_size(config, size, of_smaller):
    """The rows of one size, a dict by model, from those of the size before."""
    image_shape = (size, size, config.image_channels)
    num_levels = config.num_levels(size)
    images = stateless_uniform([config.batch_size, *image_shape], config.seed, tf.float32) - 0.5
    lemma_steps = lemma_a1_steps(num_levels, config.image_channels)
    rows, tasks = {}, {}
    for model in matched_models(config, image_shape, num_levels):
        row = dict.fromkeys(SamplingBenchmark.columns) | {
            "model": model.kind,
            "size": size,
            "num_levels": num_levels if model.kind != "pixel_cnn" else None,
            "width": model.width,
            "num_parameters": model.num_parameters,
            "sequential_steps": model.num_sampling_steps,
            "lemma_a1_steps": lemma_steps if model.kind == "mar" else None,
            "num_repeats": 0,
            "seconds": [],
        }
        if model.kind in of_smaller:
            row |= _expectation(row, of_smaller[model.kind], config.max_seconds)
        rows[model.kind] = row
        if not row["skipped"]:
            model.initialize(images)
            whole = waiting_task(functools.partial(model.sample, config.batch_size))
            tasks[model.kind, "whole"] = whole
            if model.kind in _WITH_PARTS:
                of_parts = sampling_part_tasks(model.distribution, config.batch_size)
                tasks |= {(model.kind, part): task for part, task in of_parts.items()}
    times = interleaved_seconds(
        tasks, config.num_repeats, config.max_seconds, f"timing {size} x {size} images"
    )
    for (kind, part), seconds in times.items():
        if part in SAMPLING_PARTS:
            rows[kind][f"{part}_seconds"] = statistics.median(seconds)
            continue
        rows[kind] |= {
            "seconds": seconds,
            "mean_seconds": statistics.fmean(seconds),
            "variance_seconds": statistics.variance(seconds),
            "median_seconds": statistics.median(seconds),
            "num_repeats": len(seconds),
        }
    for row in rows.values():
        if row["prior_seconds"] is not None:
            row["prior_step_seconds"] = row["prior_seconds"] / row["sequential_steps"]
    return rows


def _expectation(row, smaller, limit):
    """Entries "expected_seconds" and "skipped" of a row, from the model's row at a smaller size."""
    growth = row["sequential_steps"] / smaller["sequential_steps"]
    growth *= (row["size"] / smaller["size"]) ** 2
    expected = growth * (smaller["mean_seconds"] or smaller["expected_seconds"])
    skipped = None
    if LEAST_REPEATS * expected > limit or smaller["skipped"]:
        skipped = f"a batch is expected to take {expected:,.1f} s; max_seconds is {limit:g}"
    return {"expected_seconds": expected, "skipped": skipped}


def _table_line(row):
    if row["skipped"]:
        seconds = "not run: " + row["skipped"]
    else:
        deviation = math.sqrt(row["variance_seconds"])
        seconds = f"{row['mean_seconds']:.4f} +- {deviation:.4f}{row['median_seconds']:>10.4f}"
        if row["prior_seconds"] is not None:
            seconds += f"{row['prior_seconds']:>10.4f}{row['flow_seconds']:>10.4f}"
            seconds += f"{1e3 * row['prior_step_seconds']:>11.3f}"
    return _LINE.format(
        MODEL_LABELS[row["model"]],
        row["size"],
        row["num_levels"] or "-",
        row["width"],
        f"{row['num_parameters']:,}",
        row["sequential_steps"],
        row["lemma_a1_steps"] or "-",
        seconds,
    )
