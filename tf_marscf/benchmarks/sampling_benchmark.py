"""Seconds of a batch of samples against the size of the images: Fig. 7 of mAR-SCF."""

import math
import statistics
import time

import numpy as np
import tensorflow as tf

from tf_marscf.benchmarks.benchmark_output import benchmark_facts, write_benchmark
from tf_marscf.benchmarks.comparison_configs import MODEL_LABELS
from tf_marscf.benchmarks.comparison_models import matched_models
from tf_marscf.benchmarks.sampling_figure import SIZE, draw_sampling_times
from tf_marscf.files.paths import output_directory
from tf_marscf.stateless_seed import stateless_uniform

_LEAST_REPEATS = 2
COLUMNS = (
    "model",
    "size",
    "num_levels",
    "width",
    "num_parameters",
    "sequential_steps",
    "lemma_a1_steps",
    "mean_seconds",
    "variance_seconds",
    "median_seconds",
    "num_repeats",
    "expected_seconds",
    "skipped",
)


def lemma_a1_steps(num_levels, image_channels):
    """Sequential steps of a sample in closed form, from Lemma A.1.

        sum_{i < L} 2^i C + 2^(L + 1) C = (3 * 2^L - 2) C

    With 2^L = N / m, for a last latent map of height m, that is (3 N / m - 2) C: linear in N.
    """
    return (3 * 2**num_levels - 2) * image_channels


class SamplingBenchmark:
    """Times batches of samples of each model at each size.

    The first batch of a model compiles it and is not counted. The timed ones are interleaved among
    the models, so that whatever else the machine does hits all of them. Weights are new, and
    ActNorm is set from noise: neither architecture's time depends on what it has learnt, but for
    the iterations of a MixLogCDF inverse.

    A slow model gets fewer repeats, as many as fit into `config.max_seconds` and at least two. At a
    size where two batches are expected to take longer, and at larger ones, it is skipped; its row
    says so. What is expected is the time at the size before, times the growth of sequential steps,
    times that of the pixels.

    Args:
        config: a `SamplingBenchmarkConfig`.
        output_dir: directory of the files; created if missing.

    Raises:
        InputError: if `output_dir` is no directory.
    """

    def __init__(self, config, output_dir):
        self._output_dir = output_directory("output_dir", output_dir)
        self._config = config

    def run(self, report=print):
        """Runs the benchmark and writes `sampling.json`, `sampling.csv` and `sampling.png`.

        Args:
            report: called with each line of a table.

        Returns:
            The dict that the JSON file holds. Its "rows", one a model and size, have the entries of
            `COLUMNS` and "seconds", all timed batches. "skipped" is None, or why there are none;
            then the statistics are None.
        """
        report(_table_line(None))
        rows = []
        for size in self._config.sizes:
            size_rows = _measure_size(self._config, size, rows)
            for row in size_rows:
                report(_table_line(row))
            rows += size_rows
        exponents = growth_exponents(rows)
        texts = [f"{MODEL_LABELS[kind]} {value:.2f}" for kind, value in exponents.items()]
        if texts:
            report("growth of the time, as a power of N: " + ", ".join(texts))
        result = {
            **benchmark_facts("sampling", self._config),
            "growth_exponents": exponents,
            "rows": rows,
        }
        return write_benchmark(
            self._output_dir, "sampling", result, COLUMNS, draw_sampling_times, SIZE, report
        )


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


def _measure_size(config, size, earlier_rows):
    """The rows of one size."""
    image_shape = (size, size, config.image_channels)
    num_levels = config.num_levels(size)
    images = stateless_uniform([config.batch_size, *image_shape], config.seed, tf.float32) - 0.5
    rows, tasks = [], {}
    for model in matched_models(config, image_shape, num_levels):
        row = dict.fromkeys(COLUMNS) | {
            "model": model.kind,
            "size": size,
            "num_levels": num_levels if model.kind != "pixel_cnn" else None,
            "width": model.width,
            "num_parameters": model.num_parameters,
            "sequential_steps": model.num_sampling_steps,
            "lemma_a1_steps": (
                lemma_a1_steps(num_levels, config.image_channels) if model.kind == "mar" else None
            ),
            "num_repeats": 0,
            "seconds": [],
        }
        row |= _expectation(row, earlier_rows, config.max_seconds)
        rows.append(row)
        if not row["skipped"]:
            model.initialize(images)
            tasks[model.kind] = _sampler(model, config.batch_size)
            tasks[model.kind]()
    for _ in range(config.num_repeats):
        for row in rows:
            if row["model"] in tasks and _has_time(row["seconds"], config.max_seconds):
                start = time.perf_counter()
                tasks[row["model"]]()
                row["seconds"].append(time.perf_counter() - start)
    for row in rows:
        if seconds := row["seconds"]:
            row |= {
                "mean_seconds": statistics.fmean(seconds),
                "variance_seconds": statistics.variance(seconds),
                "median_seconds": statistics.median(seconds),
                "num_repeats": len(seconds),
            }
    return rows


def _sampler(model, batch_size):
    """A function, traced already, that draws another batch at each call and waits for it."""
    sample = tf.function(lambda: model.sample(batch_size), autograph=False).get_concrete_function()
    return lambda: sample().numpy()


def _has_time(seconds, limit):
    """Whether another batch fits; two are needed for a variance."""
    return len(seconds) < _LEAST_REPEATS or sum(seconds) + statistics.fmean(seconds) <= limit


def _expectation(row, earlier_rows, limit):
    """Entries "expected_seconds" and "skipped" of a row, if its model was there before."""
    earlier = [other for other in earlier_rows if other["model"] == row["model"]]
    if not earlier:
        return {}
    growth = row["sequential_steps"] / earlier[-1]["sequential_steps"]
    growth *= (row["size"] / earlier[-1]["size"]) ** 2
    expected = growth * (earlier[-1]["mean_seconds"] or earlier[-1]["expected_seconds"])
    skipped = None
    if _LEAST_REPEATS * expected > limit or earlier[-1]["skipped"]:
        skipped = f"a batch is expected to take {expected:,.1f} s; max_seconds is {limit:g}"
    return {"expected_seconds": expected, "skipped": skipped}


def _table_line(row):
    """A line of the table, or its header for None."""
    if row is None:
        return (
            f"{'model':<37}{'N':>5}{'L':>4}{'width':>7}{'parameters':>12}{'steps':>7}"
            f"{'Lemma A.1':>11}    seconds a batch   median"
        )
    if row["skipped"]:
        seconds = "not run: " + row["skipped"]
    else:
        deviation = math.sqrt(row["variance_seconds"])
        seconds = f"{row['mean_seconds']:.4f} +- {deviation:.4f}{row['median_seconds']:>10.4f}"
    return (
        f"{MODEL_LABELS[row['model']]:<37}{row['size']:>5}{row['num_levels'] or '-':>4}"
        f"{row['width']:>7}{row['num_parameters']:>12,}{row['sequential_steps']:>7}"
        f"{row['lemma_a1_steps'] or '-':>11}    {seconds}"
    )
