"""Reports of a small run: structure, reuse, and what is missing."""

import base64
import json
import shlex
import shutil
import subprocess
import sys

import numpy as np
import pytest

import tf_marscf
from tests.html_document import HtmlDocument
from tests.running_commands import ROOT, error_line, run_command
from tests.small_reports import report_lines, train_small_run
from tests.small_trainers import SIMPLE_OPTIONS, small_distribution
from tf_marscf.benchmarks.sampling_benchmark import SamplingBenchmark
from tf_marscf.errors import InputError, RunError
from tf_marscf.figures import THEMES
from tf_marscf.reporting.report_config import SECTIONS, ReportConfig
from tf_marscf.runs.checkpoint_store import CheckpointStore
from tf_marscf.runs.trained_model import weights_digest
from tf_marscf.sampling.sample_config import SampleConfig
from tf_marscf.sampling.sample_run import write_samples

CHEAP = ("evaluation", "training", "samples", "temperature")


@pytest.fixture(scope="module", name="train_dir")
def fixture_train_dir(tmp_path_factory):
    """A training directory, with a report of all sections in it."""
    train_dir = tmp_path_factory.mktemp("report") / "a run & more"
    train_small_run(train_dir)
    lines = report_lines(train_dir)
    assert not any("used again" in line for line in lines)
    return train_dir


@pytest.fixture(name="run_copy")
def fixture_run_copy(train_dir, tmp_path):
    """A copy that a test may change."""
    return shutil.copytree(train_dir, tmp_path / "copy")


@pytest.fixture(scope="module", name="page")
def fixture_page(train_dir):
    return HtmlDocument((train_dir / "report.html").read_text(encoding="utf-8"))


def test_the_page_holds_all_and_loads_nothing(page):
    for _, attributes in page.elements:
        for name in ("src", "srcset", "href"):
            value = attributes.get(name, "data:")
            assert value.startswith(("data:", "#")), value[:80]
    assert "script" not in {tag for tag, _ in page.elements}
    (policy,) = [meta["content"] for meta in page.all("meta") if "http-equiv" in meta]
    assert policy.startswith("default-src 'none'")


def test_every_image_has_a_text_a_size_and_both_themes(page):
    images = page.all("img")
    assert len(images) > 10
    for image in images:
        assert len(image["alt"]) > 10
        assert int(image["width"]) > 0 and int(image["height"]) > 0
    # Grids of images are transparent between them, and serve both themes.
    grids = [image for image in images if image.get("class") == "pixels"]
    dark = page.all("source")
    assert len(dark) == len(images) - len(grids)
    assert {source["media"] for source in dark} == {"screen and (prefers-color-scheme: dark)"}
    sources = {source["srcset"] for source in dark} | {image["src"] for image in images}
    assert len(sources) == len(dark) * len(THEMES) + len(grids)


def test_headings_and_contents_lead_to_the_sections(page):
    identifiers = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(set(identifiers)) == len(identifiers)
    links = [a["href"][1:] for a in page.all("a") if a["href"].startswith("#")]
    assert links == ["main", *SECTIONS, "configuration"]
    assert set(links) <= set(identifiers)
    assert len(page.all("h1")) == 1
    (document,) = page.all("html")
    assert document["lang"] == "en"
    assert "2020" in page.text and "bits/dim" in page.text


def test_every_command_of_the_page_is_one_of_real_flags(page, train_dir):
    scripts = set()
    for command in set(page.commands):
        python, script, *arguments = shlex.split(command)
        assert python == "python"
        assert f"--train_dir={train_dir}" in arguments
        scripts.add(script)
        # absl checks the flags, and leaves.
        process = subprocess.run(
            [sys.executable, ROOT / script, *arguments, "--only_check_args"],
            capture_output=True, text=True, cwd=ROOT, check=False,
        )  # fmt: skip
        assert process.returncode == 0, process.stderr
    wrong = [sys.executable, ROOT / script, "--no_such_flag", "--only_check_args"]
    assert subprocess.run(wrong, capture_output=True, check=False).returncode == 2
    names = ("train", "evaluate", "sample", "interpolate", "report")
    assert scripts == {f"bin/{name}.py" for name in names}


def test_downloads_are_the_files_beside_the_page(page, train_dir):
    files = {}
    for link in page.all("a"):
        if "download" in link:
            files[link["download"]] = base64.b64decode(link["href"].partition(",")[2])
    assert {"evaluation_test.json", "training.csv", "samples.png", "lambda_curve.csv"} <= set(files)
    for name, content in files.items():
        place = train_dir / "report" / name
        if not place.exists():
            place = train_dir / "report" / "interpolation" / name
        assert content == place.read_bytes()


def test_key_figures_are_those_of_the_training(page, train_dir):
    results = json.loads((train_dir / "results.json").read_text())
    assert f"{results['test_bits_per_dim']:.3f}" in page.text
    assert f"{results['num_parameters']:,}" in page.text
    with np.load(train_dir / "report" / "samples.npz") as archive:
        assert archive["images"].shape == (16, 8, 8, 1)


def test_the_command_below_the_samples_makes_the_very_file(run_copy):
    before = (run_copy / "report" / "samples.png").read_bytes()
    output = run_copy / "again.png"
    config = SampleConfig(train_dir=run_copy, output=output, num_samples=16)
    write_samples(config, progress=False)
    assert output.read_bytes() == before


def test_rows_of_a_temperature_are_what_the_sample_command_draws(run_copy):
    output = run_copy / "warm.npz"
    config = SampleConfig(
        train_dir=run_copy, output=output, format="npz", num_samples=10, temperature=0.7
    )
    write_samples(config, progress=False)
    with np.load(run_copy / "report" / "temperature.npz") as rows, np.load(output) as samples:
        np.testing.assert_array_equal(rows["images_0"], samples["images"])
        np.testing.assert_array_equal(rows["columns_0"], samples["indices"])


def test_a_second_report_uses_what_is_there_and_is_the_same(run_copy):
    contents = []
    for _ in range(2):
        lines = report_lines(run_copy, sections=(*CHEAP, "interpolation"))
        assert sum("used again" in line for line in lines) == 4
        contents.append((run_copy / "report.html").read_bytes())
    # No assertion on the texts themselves: pytest would show how megabytes differ.
    is_equal = contents[0] == contents[1]
    assert is_equal


def test_results_of_other_weights_are_not_shown(run_copy):
    old = json.loads((run_copy / "report" / "evaluation_test.json").read_text())
    pixels = tf_marscf.load(run_copy)
    for variable in pixels.distribution.trainable_variables:
        variable.assign(0.9 * variable)
    import tensorflow as tf

    step = 10**6
    CheckpointStore(run_copy, "best").save(tf.train.Checkpoint(model=pixels.distribution), step)
    lines = report_lines(run_copy, sections=CHEAP)
    assert sum("of other weights, not used" in line for line in lines) >= 3
    assert not any("used again" in line for line in lines)
    new = json.loads((run_copy / "report" / "evaluation_test.json").read_text())
    assert new["weights"] == weights_digest(pixels) != old["weights"]
    assert new["bits_per_dim"] != old["bits_per_dim"]
    page = HtmlDocument((run_copy / "report.html").read_text())
    assert f"{new['bits_per_dim']:.3f}" in page.text
    assert f"{old['bits_per_dim']:.3f}" not in page.text
    assert "1,000,000" in page.text


def test_results_of_single_commands_are_used(run_copy):
    content = json.loads((run_copy / "report" / "evaluation_test.json").read_text())
    content["quality"] = {
        "fid": 12.5, "kid": {"mean": 0.25, "standard_error": None}, "inception_score": None,
        "num_samples": 30, "num_non_finite": 0, "num_reference_images": 30, "num_features": 4,
        "feature_extractor": "small.keras, layer <b>", "feature_input": "as they are",
        "reference_split": "test", "temperature": 1.0,
    }  # fmt: skip
    (run_copy / "evaluation_test.json").write_text(json.dumps(content))
    report_lines(run_copy, sections=("evaluation",))
    page = HtmlDocument((run_copy / "report.html").read_text())
    assert "12.50" in page.text and "KID" in page.text and "Inception score" not in page.text
    (command,) = [text for text in page.commands if "evaluate.py" in text]
    assert "--metrics=fid,kid" in command
    assert "'--feature_layer=<b>'" in command


def test_temperatures_of_the_levels_have_a_row_and_stand_in_the_commands(run_copy):
    content = json.loads((run_copy / "report" / "evaluation_test.json").read_text())
    content["quality"] = {
        "fid": 12.5, "kid": None, "inception_score": None, "num_samples": 30, "num_non_finite": 0,
        "num_reference_images": 30, "feature_extractor": "small.keras",
        "feature_input": "as they are", "reference_split": "test", "temperature": [0.9, 0.5],
    }  # fmt: skip
    (run_copy / "evaluation_test.json").write_text(json.dumps(content))
    report_lines(run_copy, sections=("evaluation", "temperature"), temperature=["0.9", "0.25"])
    page = HtmlDocument((run_copy / "report.html").read_text())
    assert "samples at temperature 0.9 / 0.5, against" in page.text
    assert sum("--temperature=0.9,0.5" in command for command in page.commands) == 1
    assert sum("--temperature=0.9,0.25" in command for command in page.commands) == 2
    (row,) = json.loads((run_copy / "report" / "temperature.json").read_text())["rows"][2:]
    assert row["temperature"] == [0.9, 0.25]
    output = run_copy / "rows.npz"
    config = SampleConfig(
        train_dir=run_copy, output=output, format="npz", num_samples=10, temperature=(0.9, 0.25)
    )
    write_samples(config, progress=False)
    with np.load(run_copy / "report" / "temperature.npz") as rows, np.load(output) as samples:
        np.testing.assert_array_equal(rows["images_2"], samples["images"])
    with pytest.raises(InputError, match="`temperature` must be a number, or one for each of 2"):
        report_lines(run_copy, sections=("temperature",), temperature=[0.9, 0.5, 0.5])


def test_damaged_results_are_computed_again(run_copy, capsys):
    (run_copy / "report" / "evaluation_test.json").write_text('{"bits_per_dim": 1')
    (run_copy / "report" / "samples.npz").unlink()
    lines = report_lines(run_copy, sections=("evaluation", "samples"))
    assert not any("used again" in line for line in lines)
    assert "is not JSON" in capsys.readouterr().err


def test_imported_weights_have_a_report_without_logs_and_data(tmp_path):
    tf_marscf.save(small_distribution(**SIMPLE_OPTIONS), tmp_path / "weights")
    sections = ("evaluation", "training", "samples", "interpolation")
    report_lines(tmp_path / "weights", sections=sections)
    page = HtmlDocument((tmp_path / "weights" / "report.html").read_text())
    assert page.text.count("The weights were imported") == 3
    assert "there are no TensorBoard logs" in page.text
    assert len(page.all("img")) == 1
    assert not any("train.py" in command for command in page.commands)


def test_a_failure_is_on_the_page_and_is_raised(tmp_path, run_copy):
    pixels = small_distribution(**SIMPLE_OPTIONS)
    for variable in pixels.distribution.trainable_variables:
        variable.assign(float("nan") * variable)
    tf_marscf.save(pixels, tmp_path / "broken")
    with pytest.raises(RunError, match="1 of 3 sections failed .*none of 16 samples is finite"):
        report_lines(tmp_path / "broken", sections=("training", "samples"))
    page = HtmlDocument((tmp_path / "broken" / "report.html").read_text())
    assert "Failed: none of 16 samples is finite" in page.text
    assert page.all("img") == []


def test_a_benchmark_that_is_given_is_drawn(run_copy, tmp_path):
    config = {"models": ["mar"], "sizes": [8, 16], "image_channels": 1, "smallest_map": 4,
              "batch_size": 8}  # fmt: skip
    row = dict.fromkeys(SamplingBenchmark.columns)
    row |= {"model": "mar", "seconds": [0.1, 0.3], "num_repeats": 2}
    rows = [
        row | {"size": size, "mean_seconds": 0.2 * size, "variance_seconds": 0.01,
               "sequential_steps": size, "lemma_a1_steps": size}
        for size in (8, 16)
    ]  # fmt: skip
    machine = {"num_cpus": 2, "devices": ["CPU"], "tensorflow": "2.21.0"}
    result = {"benchmark": "sampling", "command": "python bin/benchmark.py sampling --seed=3",
              "config": config, "machine": machine, "growth_exponents": {"mar": 1.0},
              "rows": rows}  # fmt: skip
    path = tmp_path / "given.json"
    path.write_text(json.dumps(result))
    report_lines(run_copy, sections=("sampling_time",), sampling_benchmark=str(path))
    page = HtmlDocument((run_copy / "report.html").read_text())
    assert "mAR-SCF 1.00" in page.text
    assert any("--seed=3" in command for command in page.commands)
    assert (run_copy / "report" / "sampling.png").exists()
    # It is of another architecture: a report of the model alone does not show it.
    lines = report_lines(run_copy, sections=("sampling_time",))
    assert any("of another architecture, not used" in line for line in lines)
    with pytest.raises(ValueError, match="`density_benchmark` must be a JSON file of"):
        report_lines(run_copy, density_benchmark=str(path))


def test_a_report_never_replaces_a_training_directory(run_copy):
    before = sorted(run_copy.iterdir())
    with pytest.raises(ValueError, match="`output` must not have the name of a training directory"):
        report_lines(run_copy, output=f"{run_copy}.html")
    assert sorted(run_copy.iterdir()) == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"output": "page.txt"}, "`output` must be a file that ends with '.html'"),
        ({"sections": ("samples", "poems")}, "`sections` must be some of"),
        ({"sections": ()}, "`sections` must be some of"),
        ({"checkpoint": "worst"}, "`checkpoint` must be 'best' or 'latest'; got 'worst'"),
        ({"density_benchmark": "none.json"}, "`density_benchmark` must be a file; got 'none.json'"),
    ],
)
def test_wrong_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        ReportConfig(train_dir="runs/digits", **arguments)


def test_the_files_go_beside_the_page():
    config = ReportConfig(train_dir="runs/digits", sections=("samples", "evaluation"))
    assert (config.output, config.directory) == ("runs/digits/report.html", "runs/digits/report")
    assert config.sections == ("evaluation", "samples")


@pytest.mark.slow
def test_the_command_writes_the_page_and_tells_of_errors(run_copy):
    arguments = ("--fast", "--sections=evaluation,training", "--progress=none")
    process = run_command("report.py", f"--train_dir={run_copy}", *arguments)
    assert process.returncode == 0, process.stderr
    assert process.stdout.splitlines()[-1].startswith("report: wrote ")
    missing = run_command("report.py", f"--train_dir={run_copy / 'none'}", *arguments)
    assert missing.returncode == 2
    assert "`train_dir` must be a training directory" in error_line(missing)
    assert not (run_copy / "none").exists()
