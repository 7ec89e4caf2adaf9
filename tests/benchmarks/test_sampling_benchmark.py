import csv
import json

import pytest

from tf_marscf.benchmarks.comparison_configs import SamplingBenchmarkConfig
from tf_marscf.benchmarks.sampling_benchmark import (
    SamplingBenchmark,
    growth_exponents,
    lemma_a1_steps,
)
from tf_marscf.config import MarScfConfig
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
    mar = [row for row in result["rows"] if row["model"] == "mar"]
    assert [row["sequential_steps"] for row in mar] == [4, 10]
    assert all(row["sequential_steps"] == row["lemma_a1_steps"] for row in mar)
    assert lines[-1].startswith("wrote ") and lines[-1].count("sampling.") == 3
    assert sum("not run: " in line for line in lines) == 4

    light = render_png(lambda figure: SamplingBenchmark.draw(figure, result), (10.0, 4.6))
    assert (tmp_path / "sampling.png").read_bytes() == light
    assert render_png(lambda figure: SamplingBenchmark.draw(figure, result), theme="dark") != light
