import csv
import json

import numpy as np
import pytest
import tensorflow as tf

from tests.small_models import random_images, small_model
from tf_marscf.benchmarks import sampling_parts
from tf_marscf.benchmarks.comparison_configs import SamplingBenchmarkConfig
from tf_marscf.benchmarks.sampling_benchmark import (
    SamplingBenchmark,
    growth_exponents,
    lemma_a1_steps,
)
from tf_marscf.benchmarks.sampling_figure import growth_texts
from tf_marscf.config import MarScfConfig
from tf_marscf.errors import InputError
from tf_marscf.figures import render_png

SMALL = {
    "num_steps": 1,
    "hidden_channels": 8,
    "prior_hidden_channels": 4,
    "prior_num_layers": 1,
    "batch_size": 2,
    "num_repeats": 2,
    "image_channels": 1,
    "smallest_map": 2,
}


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("num_levels", range(1, 7))
def test_steps_of_the_model_are_those_of_lemma_a1(num_levels, channels):
    config = MarScfConfig(image_shape=(64, 64, channels), num_levels=num_levels)
    assert config.num_sampling_steps == lemma_a1_steps(num_levels, channels)


def test_steps_of_the_published_models():
    # CIFAR-10 and ImageNet 64x64: the sums of C_i = 6, 12, 48 and 6, 12, 24, 96.
    assert lemma_a1_steps(3, 3) == 6 + 12 + 48
    assert lemma_a1_steps(4, 3) == 6 + 12 + 24 + 96


def test_levels_grow_so_that_steps_are_linear_in_the_size():
    config = SamplingBenchmarkConfig(sizes=(8, 16, 32, 64, 128))
    levels = [config.num_levels(size) for size in config.sizes]
    assert levels == [1, 2, 3, 4, 5]
    for size, num_levels in zip(config.sizes, levels, strict=True):
        assert lemma_a1_steps(num_levels, 3) == 3 * (3 * size / 4 - 2)


@pytest.mark.parametrize("power", [1.0, 3.5])
def test_growth_exponent_of_a_power_is_its_power(power):
    rows = [
        {"model": "mar", "size": size, "median_seconds": 0.1 * size**power, "skipped": None}
        for size in (8, 16, 64)
    ]
    rows.append({"model": "mar", "size": 128, "median_seconds": None, "skipped": "too slow"})
    rows.append(rows[0] | {"model": "gaussian"})
    assert growth_exponents(rows) == {"mar": pytest.approx(power)}


def part_row(size, of_step, of_flow):
    """A row of 3 N steps, whose cost of one, and whose couplings, are powers of N."""
    prior, flow = 3 * size * 1e-3 * size**of_step, 1e-3 * size**of_flow
    return dict.fromkeys(SamplingBenchmark.columns) | {
        "model": "mar",
        "size": size,
        "sequential_steps": 3 * size,
        "lemma_a1_steps": 3 * size,
        "mean_seconds": prior + flow,
        "variance_seconds": 1e-6,
        "median_seconds": prior + flow,
        "prior_seconds": prior,
        "flow_seconds": flow,
        "prior_step_seconds": prior / (3 * size),
    }


def part_result(of_step, of_flow):
    """The content of a JSON file with such rows."""
    rows = [part_row(size, of_step, of_flow) for size in (8, 16, 64)]
    columns = ("prior_seconds", "flow_seconds", "prior_step_seconds")
    return {
        "benchmark": "sampling",
        "command": "python bin/benchmark.py sampling",
        "config": {"models": ["mar"], "sizes": [8, 16, 64], "image_channels": 3,
                   "smallest_map": 4, "batch_size": 1},
        "machine": {"num_cpus": 2, "devices": ["CPU"], "tensorflow": "2.21.0"},
        "growth_exponents": growth_exponents(rows),
        "part_growth_exponents": {column: growth_exponents(rows, column) for column in columns},
        "rows": rows,
    }  # fmt: skip


def test_growth_of_the_priors_is_that_of_steps_times_the_cost_of_one():
    result = part_result(of_step=0.5, of_flow=1.5)
    powers = result["part_growth_exponents"]
    assert powers == {
        "prior_seconds": {"mar": pytest.approx(1.5)},
        "flow_seconds": {"mar": pytest.approx(1.5)},
        "prior_step_seconds": {"mar": pytest.approx(0.5)},
    }
    (line,) = growth_texts(result)
    assert "grows as N^1.50: its priors as N^1.50" in line
    assert "their steps as N^1.00, the cost of a step as N^0.50" in line
    assert list(growth_texts(part_result(of_step=0.0, of_flow=2.0))) == []


@pytest.mark.parametrize(
    ("column", "value"), [("prior_seconds", -1.0), ("prior_step_seconds", "fast")]
)
def test_wrong_parts_are_named(column, value):
    result = part_result(0.5, 1.0)
    SamplingBenchmark.check(result)
    result["rows"][1][column] = value
    with pytest.raises(InputError, match=f"{column} of mar at size 16 must be .*{value}"):
        SamplingBenchmark.check(result)


def test_wrong_exponents_of_parts_are_named():
    result = part_result(0.5, 1.0)
    del result["part_growth_exponents"]["flow_seconds"]["mar"]
    with pytest.raises(InputError, match="part_growth_exponents.flow_seconds must have .*'mar'"):
        SamplingBenchmark.check(result)


def test_results_of_earlier_versions_are_drawn_without_parts():
    result = part_result(0.5, 1.0)
    earlier = {name: entry for name, entry in result.items() if name != "part_growth_exponents"}
    parts = result["part_growth_exponents"]
    earlier["rows"] = [
        {name: value for name, value in row.items() if name not in parts} for row in result["rows"]
    ]
    SamplingBenchmark.check(earlier)
    with_parts, without = (
        render_png(lambda figure, one=one: SamplingBenchmark.draw(figure, one), (10.0, 4.6))
        for one in (result, earlier)
    )
    assert with_parts != without


@pytest.mark.parametrize("options", [{}, {"prior": "gaussian"}, {"prior_network": "causal"}])
def test_parts_compose_to_the_sample(options):
    model = small_model(**options)
    seed = [3, 5]
    noise = model._noise([2], seed, 1.0)
    images = model.sample(2, seed=seed)
    rests = sampling_parts.flow_of_levels(model, images)[1]
    latents = sampling_parts.prior_latents(model, noise, rests)
    assert [one.shape for one in latents] == [one.shape for one in noise]
    np.testing.assert_allclose(model.decode(latents), images, rtol=0.0, atol=1e-4)


def test_each_part_is_run_on_the_maps_of_one_batch():
    model = small_model()
    model.initialize(random_images(4, 8, 8, 1))
    noise, latents, rests = sampling_parts.fixed_maps(model, 2)
    tasks = sampling_parts.sampling_part_tasks(model, 2)
    values = tasks["prior"]()
    assert values.shape == (2, 8 * 8 * 1)
    expected = np.concatenate([np.reshape(one, [2, -1]) for one in latents], axis=1)
    np.testing.assert_allclose(values, expected, rtol=0.0, atol=1e-4)
    np.testing.assert_allclose(tasks["flow"](), model.decode_noise(noise), rtol=0.0, atol=1e-4)


def test_levels_of_the_priors_part_wait_for_each_other():
    model = small_model()
    noise, _, rests = sampling_parts.fixed_maps(model, 1)
    graph = tf.function(
        lambda: sampling_parts.prior_latents(model, noise, rests), autograph=False
    ).get_concrete_function()
    waiting = [node for node in graph.graph.get_operations() if node.control_inputs]
    assert any(node.type == "Identity" for node in waiting)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"sizes": (8, 12)}, "`sizes` must be smallest_map times powers of two.*got '8,12'"),
        ({"sizes": (4,)}, "`sizes` must be"),
        ({"sizes": ("8", "large")}, "`sizes` must be .*'8,large'"),
        ({"sizes": (8, 8)}, "`sizes` must be"),
        ({"sizes": ()}, "`sizes` must be"),
        ({"num_repeats": 1}, "`num_repeats` must be an integer >= 2; got 1"),
        ({"max_seconds": 0.0}, "`max_seconds` must be a finite number > 0; got 0.0"),
        ({"coupling": "additive"}, "`coupling` must be one of"),
    ],
)
def test_wrong_arguments_are_named(arguments, expected):
    with pytest.raises(ValueError, match=expected):
        SamplingBenchmarkConfig(**arguments)


def test_an_output_directory_that_is_a_file_is_refused_first(tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ValueError, match="`output_dir` must be a directory; .*'file'"):
        SamplingBenchmark(SamplingBenchmarkConfig(**SMALL), tmp_path / "file" / "below")


@pytest.mark.slow
def test_files_hold_the_numbers_of_all_models(tmp_path):
    # PixelCNN's 8 x 8 images are expected to take longer than any limit that its 4 x 4 ones meet.
    config = SamplingBenchmarkConfig(**SMALL, sizes=(4, 8), max_seconds=1e-6)
    lines = []
    result = SamplingBenchmark(config, tmp_path).run(lines.append)

    assert json.loads((tmp_path / "sampling.json").read_text()) == result
    assert result["config"]["sizes"] == [4, 8]
    assert result["command"].startswith("python bin/benchmark.py sampling --num_steps=1 ")
    assert "--sizes=4,8 " in result["command"]
    assert result["machine"]["tensorflow"].startswith("2.21")
    with open(tmp_path / "sampling.csv", encoding="utf-8") as file:
        table = list(csv.DictReader(file))
    assert len(table) == len(result["rows"]) == 8
    assert tuple(table[0]) == tuple(SamplingBenchmark.columns)
    for written, row in zip(table, result["rows"], strict=True):
        assert written["model"] == row["model"]
        seconds = row["seconds"]
        if row["size"] == 8:
            assert "max_seconds is 1e-06" in row["skipped"] == written["skipped"]
            assert seconds == [] and written["mean_seconds"] == ""
            continue
        assert len(seconds) == 2 and min(seconds) > 0.0
        assert float(written["mean_seconds"]) == pytest.approx(sum(seconds) / 2)
        variance = (seconds[0] - seconds[1]) ** 2 / 2
        assert row["variance_seconds"] == pytest.approx(variance, abs=1e-12)
    for row in result["rows"]:
        is_timed_by_parts = row["model"] in ("mar", "gaussian") and row["size"] == 4
        for column in ("prior_seconds", "flow_seconds", "prior_step_seconds"):
            assert (row[column] or 0.0) > 0.0 if is_timed_by_parts else row[column] is None
        if is_timed_by_parts:
            of_steps = row["prior_step_seconds"] * row["sequential_steps"]
            assert of_steps == pytest.approx(row["prior_seconds"])
    mar = [row for row in result["rows"] if row["model"] == "mar"]
    assert [row["sequential_steps"] for row in mar] == [4, 10]
    assert all(row["sequential_steps"] == row["lemma_a1_steps"] for row in mar)
    assert lines[-1].startswith("wrote ") and lines[-1].count("sampling.") == 3
    assert sum("not run: " in line for line in lines) == 4

    light = render_png(lambda figure: SamplingBenchmark.draw(figure, result), (10.0, 4.6))
    assert (tmp_path / "sampling.png").read_bytes() == light
    assert render_png(lambda figure: SamplingBenchmark.draw(figure, result), theme="dark") != light
