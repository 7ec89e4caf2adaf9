"""What a report does with files that are damaged, mixed or not its own."""

import copy
import hashlib
import json
import math
import os
import shutil

import numpy as np
import pytest
from matplotlib.figure import Figure

import tf_marscf
from tests.small_reports import report_lines
from tests.small_trainers import SIMPLE_OPTIONS, random_pixels, small_distribution
from tf_marscf.benchmarks.density_benchmark import DensityBenchmark
from tf_marscf.benchmarks.sampling_benchmark import SamplingBenchmark
from tf_marscf.errors import InputError
from tf_marscf.files.result_files import check_files, read_entries
from tf_marscf.reporting import report_run
from tf_marscf.reporting.report_config import ReportConfig

SECTIONS = ("evaluation", "samples", "temperature", "interpolation")
MACHINE = {"num_cpus": 2, "devices": ["CPU"], "tensorflow": "2.21.0"}
SAMPLING = {
    "benchmark": "sampling",
    "command": "python bin/benchmark.py sampling",
    "config": {"models": ["mar", "pixel_cnn"], "sizes": [8, 16], "image_channels": 1,
               "smallest_map": 4, "batch_size": 8},
    "machine": MACHINE,
    "growth_exponents": {"mar": 1.0},
    "rows": [
        {"model": model, "size": size, "sequential_steps": size, "lemma_a1_steps": size,
         "mean_seconds": None if skipped else 0.1, "variance_seconds": None if skipped else 0.01,
         "expected_seconds": 1.0, "skipped": skipped}
        for model, size, skipped in (
            ("mar", 8, None), ("pixel_cnn", 8, None), ("mar", 16, None), ("pixel_cnn", 16, "slow"))
    ],
}  # fmt: skip
DENSITY = {
    "benchmark": "density",
    "command": "python bin/benchmark.py density",
    "config": {"models": ["mar"], "dataset": "digits"},
    "machine": MACHINE,
    "data": {"image_shape": [8, 8, 1], "num_evaluation_images": 10},
    "rows": [
        {"model": "mar", "num_parameters": 5, "step": step, "training_seconds": 0.1 * step,
         "bits_per_dim": 3.0, "standard_error": 0.1, "stopped": None}
        for step in (0, 2)
    ],
}  # fmt: skip


@pytest.fixture(scope="module", name="reported")
def fixture_reported(tmp_path_factory):
    """A directory with a model, images and a report."""
    place = tmp_path_factory.mktemp("files") / "run"
    tf_marscf.save(small_distribution(**SIMPLE_OPTIONS), place)
    np.savez(place / "images.npz", train=random_pixels(4), test=random_pixels(9),
             num_grey_levels=17)  # fmt: skip
    write(place)
    return place


def write(place, sections=SECTIONS):
    return report_lines(place, dataset="npz", data_dir=str(place / "images.npz"), sections=sections)


def test_page_and_figures_are_one_result(reported):
    manifest = reported / "report" / "report.json"
    content = read_entries(manifest)
    check_files(manifest, content)
    page = (reported / "report.html").read_bytes()
    assert content["page_sha256"] == hashlib.sha256(page).hexdigest()
    figures = {"bits_per_dim.png", "bits_per_dim.csv", "samples.png", "temperature.png"}
    assert set(content["sha256"]["files"]) == figures


def test_figures_of_sections_that_fail_half_way_do_not_replace_others(
    reported, tmp_path, monkeypatch
):
    place = shutil.copytree(reported, tmp_path / "run")
    before = {path.name: path.read_bytes() for path in (place / "report").glob("*.*")}

    def fail(context):
        raise MemoryError

    monkeypatch.setitem(report_run.SECTION_MAKERS, "samples", fail)
    with pytest.raises(MemoryError):
        write(place, ("evaluation", "samples"))
    assert {path.name: path.read_bytes() for path in (place / "report").glob("*.*")} == before


@pytest.mark.slow
def test_damaged_and_mixed_results_are_named_and_made_again(reported, tmp_path, capsys):
    place = shutil.copytree(reported, tmp_path / "run")
    report = place / "report"
    for name, old, new in (
        ("evaluation_test.json", b'"log_det": ', b'"log_det": 1'),
        ("samples.json", b"{", b""),
        ("temperature.json", b'"num_finite": 10', b'"num_finite": 11'),
        ("interpolation/log_prior.png", b"PNG", b"PNX"),
    ):
        content = (report / name).read_bytes()
        assert old in content
        (report / name).write_bytes(content.replace(old, new, 1))
    lines = write(place)
    assert not any("used again" in line for line in lines)
    errors = capsys.readouterr().err
    for name in ("evaluation_test", "samples", "temperature", "interpolation"):
        assert f"{name}.json' is not used" in errors
    assert sum("used again" in line for line in write(place)) == 4
    for name in ("samples.npz", "evaluation_test.json", "temperature.json"):
        assert (report / name).read_bytes() == (reported / "report" / name).read_bytes()


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{", b"[" * 100_000, b"\xff\xfe", b'{"weights": 1}']
)
def test_what_is_no_evaluation_is_not_used(reported, tmp_path, content):
    place = shutil.copytree(reported, tmp_path / "run")
    (place / "report" / "evaluation_test.json").write_bytes(content)
    assert not any("used again" in line for line in write(place, ("evaluation",)))


@pytest.mark.parametrize(
    "damage",
    [
        {"quality": {}},
        {"quality": "good"},
        {"quality": {"fid": "12"}},
        {"seed": None},
        {"terms": {}},
        {"num_samples": 0},
    ],
)
def test_entries_of_an_evaluation_are_checked(reported, tmp_path, damage, capsys):
    place = shutil.copytree(reported, tmp_path / "run")
    path = place / "report" / "evaluation_test.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | damage))
    assert not any("used again" in line for line in write(place, ("evaluation",)))
    assert "is not used" in capsys.readouterr().err


def places_in(content, place=()):
    """All places of a JSON value: tuples of names and indices."""
    if place:
        yield place
    if isinstance(content, dict):
        for name in content:
            yield from places_in(content[name], (*place, name))
    elif isinstance(content, list):
        for index in range(len(content)):
            yield from places_in(content[index], (*place, index))


def changed(content, place, value):
    """A copy with another value at a place; without it for `...`."""
    content = copy.deepcopy(content)
    part = content
    for name in place[:-1]:
        part = part[name]
    if value is ...:
        del part[place[-1]]
    else:
        part[place[-1]] = value
    return content


@pytest.mark.parametrize(
    ("whole", "benchmark"), [(SAMPLING, SamplingBenchmark), (DENSITY, DensityBenchmark)]
)
def test_a_benchmark_of_any_content_is_drawn_or_refused(whole, benchmark):
    benchmark.check(whole)
    num_refused = 0
    values = (..., None, True, "x", "\ud800", -1, 0, 1.5, math.nan, math.inf, 10**400, [], {}, "'")
    for place in places_in(whole):
        for value in values:
            result = changed(whole, place, value)
            try:
                benchmark.check(result)
            except InputError:
                num_refused += 1
            else:
                benchmark.draw(Figure(), result)
                json.dumps(result).encode()
    assert num_refused > 300


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("empty", b""),
        ("cut", b'{"benchmark": "sampl'),
        ("deep", b"[" * 100_000),
        ("other", json.dumps(DENSITY).encode()),
        ("damaged", json.dumps(SAMPLING | {"sha256": {"entries": "0", "files": {}}}).encode()),
    ],
)
def test_a_given_file_that_is_no_benchmark_ends_the_report_at_once(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InputError, match="`sampling_benchmark` must be a JSON file of"):
        report_lines(tmp_path / "none", sampling_benchmark=str(path))


def test_pipes_and_devices_are_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", "/dev/zero"):
        with pytest.raises(InputError, match="`density_benchmark` must be a file"):
            ReportConfig(train_dir="runs/digits", density_benchmark=str(path))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"output": ""}, "`output` must be a path"),
        ({"train_dir": ""}, "`train_dir` must be a path"),
        ({"output": "gs://x/y.html"}, "not a URL"),
        ({"sections": ("samples",), "benchmarks": True}, "`benchmarks` must be False where"),
        (
            {"sections": ("samples",), "density_benchmark": __file__},
            "`density_benchmark` must be None unless `sections` has 'density'",
        ),
        (
            {"sections": ("density",), "density_benchmark": __file__, "benchmarks": True},
            "`benchmarks` must be False where",
        ),
    ],
)
def test_arguments_without_effect_or_place_are_named(arguments, message):
    with pytest.raises(InputError, match=message):
        ReportConfig(**{"train_dir": "runs/digits"} | arguments)
