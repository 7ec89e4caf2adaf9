"""Seconds of a batch of samples against the size of the images: Fig. 7 of mAR-SCF."""

import functools
import math
import statistics

import numpy as np
import tensorflow as tf

from tf_marscf.benchmarks.comparison_benchmark import ComparisonBenchmark
from tf_marscf.benchmarks.comparison_configs import MODEL_LABELS
from tf_marscf.benchmarks.comparison_models import matched_models
from tf_marscf.benchmarks.measurement import LEAST_REPEATS, interleaved_seconds, waiting_task
from tf_marscf.errors import InputError
from tf_marscf.rules import dict_of, entries, integer, list_of, number, optional, text
from tf_marscf.stateless_seed import stateless_uniform

_MODEL = text(*MODEL_LABELS)
_LINE = "{:<37}{:>5}{:>4}{:>7}{:>12}{:>7}{:>11}    {}"
_HEADER = ("model", "N", "L", "width", "parameters", "steps", "Lemma A.1")
# The squares are larger: what they mark often lies below the triangles.
_MARKERS = {
    "mar": {"marker": "o", "markersize": 5},
    "gaussian": {"marker": "s", "markersize": 8},
    "tfb_glow": {"marker": "^", "markersize": 5},
    "pixel_cnn": {"marker": "D", "markersize": 5},
}


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
        "num_repeats": None,
        "expected_seconds": optional(number(0.0)),
        "skipped": optional(text()),
    }

    def measure(self, report):
        """The dict of "growth_exponents", as of the function, and of "rows".

        A row, one a model and size, has the entries of `columns` and "seconds", all timed batches.
        "skipped" is None, or why there are none; then the statistics are None.
        """
        report(_LINE.format(*_HEADER, "seconds a batch   median"))
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
        return {"growth_exponents": exponents, "rows": rows}

    @classmethod
    def check(cls, result):
        """As of every benchmark; a row has what is drawn of it."""
        super().check(result)
        cls.check_models(result)
        models, sizes = result["config"]["models"], result["config"]["sizes"]
        if not result["growth_exponents"].keys() <= set(models):
            raise InputError(f"growth_exponents must be of the models {models}.")
        for row in result["rows"]:
            names = (
                ("expected_seconds",) if row["skipped"] else ("mean_seconds", "variance_seconds")
            )
            for name in names:
                number(0.0)(row[name], f"{name} of {row['model']} at size {row['size']}")
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
        on the right the closed form of Lemma A.1.
        """
        config, rows = result["config"], result["rows"]
        seconds, steps = figure.subplots(1, 2)
        for kind in config["models"]:
            of_kind = [row for row in rows if row["model"] == kind]
            timed = [row for row in of_kind if not row["skipped"]]
            means = np.array([row["mean_seconds"] for row in timed])
            deviations = np.sqrt([row["variance_seconds"] for row in timed])
            line = seconds.errorbar(
                [row["size"] for row in timed],
                means,
                # The lower bar stays above zero, which the axis does not have.
                [np.minimum(deviations, 0.9 * means), deviations],
                **_MARKERS[kind],
                capsize=3,
                label=MODEL_LABELS[kind],
            )
            steps.plot(
                [row["size"] for row in of_kind],
                [row["sequential_steps"] for row in of_kind],
                **_MARKERS[kind],
                linestyle="" if kind == "mar" else "-",
                color=line.lines[0].get_color(),
                zorder=3,
            )
        sizes = config["sizes"]
        dashes = {"color": seconds.xaxis.label.get_color(), "linewidth": 1.2}
        mar = [row for row in rows if row["model"] == "mar"]
        if mar[0]["mean_seconds"]:
            linear = [mar[0]["mean_seconds"] * size / sizes[0] for size in sizes]
            label = "linear growth: y = 2x (twice the size, twice the time)"
            seconds.plot(sizes, linear, "--", label=label, **dashes)
        label = f"Lemma A.1: {config['image_channels']} (3 N / {config['smallest_map']} - 2) steps"
        steps.plot(sizes, [row["lemma_a1_steps"] for row in mar], ":", label=label, **dashes)
        seconds.set_ylabel(f"seconds for {config['batch_size']} samples")
        seconds.set_title("Time of a batch (mean and standard deviation)")
        steps.set_ylabel("network passes, one after another")
        steps.set_title("Sequential steps of a sample")
        for axes in (seconds, steps):
            axes.set_xscale("log", base=2)
            axes.set_yscale("log")
            axes.set_xticks(sizes, [str(size) for size in sizes])
            axes.minorticks_off()
            axes.set_xlabel("N (images of N x N pixels)")
        texts = list(_skipped_texts(rows))
        if texts:
            figure.supxlabel("\n".join(texts), fontsize="small")
        figure.legend(loc="outside upper center", ncols=2, fontsize="small")


def growth_exponents(rows):
    """Slopes of log(median seconds) over log N, by least squares: 1 is linear growth.

    Of medians, because one pause of the machine would bend the line of the means. A dict from each
    model of the rows that was timed at two sizes or more.
    """
    exponents = {}
    for kind in dict.fromkeys(row["model"] for row in rows):
        timed = [row for row in rows if row["model"] == kind and not row["skipped"]]
        if len(timed) > 1:
            sizes, seconds = (
                np.log([row[name] for row in timed]) for name in ("size", "median_seconds")
            )
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
            tasks[model.kind] = waiting_task(functools.partial(model.sample, config.batch_size))
    times = interleaved_seconds(tasks, config.num_repeats, config.max_seconds)
    for kind, seconds in times.items():
        rows[kind] |= {
            "seconds": seconds,
            "mean_seconds": statistics.fmean(seconds),
            "variance_seconds": statistics.variance(seconds),
            "median_seconds": statistics.median(seconds),
            "num_repeats": len(seconds),
        }
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


def _skipped_texts(rows):
    skipped = [row for row in rows if row["skipped"]]
    for kind in dict.fromkeys(row["model"] for row in skipped):
        sizes = ", ".join(
            f"N = {row['size']} ({row['expected_seconds']:,.0f} s)"
            for row in skipped
            if row["model"] == kind
        )
        yield f"{MODEL_LABELS[kind]} not run, because of the time expected for a batch: {sizes}"
