"""Small comparisons of systems: what they write, go on with, and do when a model breaks."""

import csv
import dataclasses
import json
import os

import numpy as np
import pytest

from tests.small_extractors import random_images, small_classifier
from tf_marscf.benchmarks import system_comparison as system_comparison_module
from tf_marscf.benchmarks.system_comparison import SystemComparison
from tf_marscf.benchmarks.system_comparison_config import SystemComparisonConfig
from tf_marscf.benchmarks.system_measurement import SystemMeasurement
from tf_marscf.benchmarks.system_scores import SystemScorer
from tf_marscf.data import ImageDataset, load_configured_dataset
from tf_marscf.errors import InputError, RunError
from tf_marscf.figures import render_png
from tf_marscf.quality.label_classifier import NUM_FEATURES

pytestmark = pytest.mark.slow
CONFIG = SystemComparisonConfig(
    models=("mar", "pixel_cnn"),
    num_levels=1,
    num_steps=1,
    hidden_channels=8,
    prior_hidden_channels=2,
    prior_num_layers=1,
    batch_size=16,
    max_images=40,
    num_evaluation_images=10,
    num_training_steps=3,
    evaluate_every=2,
    warm_up_images=0,
    num_samples=8,
    measured_batch_size=4,
    classifier_steps=5,
)


@pytest.fixture(scope="module", name="small")
def fixture_small(tmp_path_factory):
    """Directory, result and lines of a small comparison."""
    directory, lines = tmp_path_factory.mktemp("compare"), []
    return directory, SystemComparison(CONFIG, directory).run(lines.append), lines


def found(result):
    """The figures of all rows, but for seconds and bytes."""
    return [
        {
            name: value
            for name, value in row.items()
            if isinstance(value, int | float) and "seconds" not in name and "memory" not in name
        }
        for row in result["rows"]
    ]


def test_files_hold_a_row_a_model(small):
    directory, result, lines = small
    assert json.loads((directory / "compare.json").read_text()) == result
    SystemComparison.check(result)
    with open(directory / "compare.csv", encoding="utf-8") as file:
        table = list(csv.DictReader(file))
    assert tuple(table[0]) == tuple(SystemComparison.columns)
    assert [row["model"] for row in table] == ["mar", "pixel_cnn"]
    assert [row["step"] for row in result["curves"]] == [0, 2, 3, 0, 2, 3]
    for row in result["rows"]:
        assert row["step"] == 3 and row["bits_per_dim"] > 0.0 and row["standard_error"] > 0.0
        assert row["num_samples"] == 8 and row["num_non_finite"] == 0
        assert np.isfinite([row["kid"], row["fid"]]).all()
        assert row["seconds_per_sample"] > 0.0 and row["seconds_per_density"] > 0.0
        assert row["peak_memory_bytes"] > row["start_memory_bytes"] > 0
    assert [row["sequential_steps"] for row in result["rows"]] == [4, 65]
    for name in ("compare.png", "compare_samples.png"):
        assert (directory / name).read_bytes().startswith(b"\x89PNG")
    text = (directory / "compare.md").read_text()
    assert "tfd.PixelCNN, less mAR-SCF: bits/dim " in text
    assert f"{result['quality']['classifier']['accuracy']:.1%} of the test images right" in text
    assert text.splitlines() == lines[-len(text.splitlines()) :]


def test_readers_refuse_what_is_no_row(small):
    _, result, _ = small
    for name, value in (("bits_per_dim", "low"), ("step", None), ("model", "vae"), ("fid", -1.0)):
        wrong = json.loads(json.dumps(result))
        wrong["rows"][0][name] = value
        with pytest.raises(InputError, match=name):
            SystemComparison.check(wrong)


def test_a_comparison_that_was_stopped_goes_on_to_the_same_rows(small, tmp_path):
    _, unbroken, _ = small

    class Stop(Exception):
        pass

    def stop(line):
        if line.lstrip().startswith(("67%", "samples of")):
            raise Stop

    for _ in range(2):  # Once while it trains, and once while it samples.
        with pytest.raises(Stop):
            SystemComparison(CONFIG, tmp_path).run(stop)
        assert not (tmp_path / "compare.json").exists()
    resumed = SystemComparison(CONFIG, tmp_path).run(lambda line: None)
    for row, expected in zip(found(resumed), found(unbroken), strict=True):
        assert row == pytest.approx(expected, rel=1e-3)
    # What is done is not done again: also the seconds are the same.
    again = SystemComparison(CONFIG, tmp_path).run(lambda line: None)
    assert again["rows"] == resumed["rows"]


def test_others_go_on_when_one_breaks(monkeypatch, tmp_path, capsys):
    def failing_model(kind, *args):
        if kind == "pixel_cnn":
            raise ValueError("no such pixel")
        return model_of_width(kind, *args)

    model_of_width = system_comparison_module.model_of_width
    with monkeypatch.context() as patch:
        patch.setattr(system_comparison_module, "model_of_width", failing_model)
        with pytest.raises(RunError, match="failed: tfd.PixelCNN: ValueError: no such pixel"):
            SystemComparison(CONFIG, tmp_path).run(lambda line: None)
    assert "Traceback" in capsys.readouterr().err
    result = json.loads((tmp_path / "compare.json").read_text())
    mar, pixel_cnn = result["rows"]
    assert mar["notes"] is None and mar["kid"] is not None
    assert pixel_cnn["notes"] == "failed: ValueError: no such pixel"
    assert pixel_cnn["bits_per_dim"] is None and pixel_cnn["num_samples"] == 0
    render_png(lambda figure: SystemComparison.draw(figure, result))


def test_a_model_whose_process_ends_has_a_row_that_says_so(small, tmp_path):
    _, whole, _ = small
    config = dataclasses.replace(CONFIG, models=("mar", "gaussian"))
    comparison, lines = SystemComparison(config, tmp_path), []

    def break_weights(line):
        lines.append(line)
        if line.lstrip().startswith("100%"):
            (path,) = (tmp_path / "compare_trainings").glob("gaussian_*_weights.npz")
            np.savez(path, np.zeros(3))

    with pytest.raises(RunError, match="failed: Glow .*: ValueError"):
        comparison.run(break_weights)
    mar, gaussian = json.loads((tmp_path / "compare.json").read_text())["rows"]
    assert gaussian["bits_per_dim"] > 0.0 and gaussian["seconds_per_sample"] is None
    assert gaussian["notes"].startswith("failed: ")
    assert mar["num_samples"] == 8
    # A model is the same beside whichever others.
    assert mar["bits_per_dim"] == pytest.approx(whole["rows"][0]["bits_per_dim"], rel=1e-4)


def test_flow_plus_plus_learns_its_noise_and_averages_score(tmp_path):
    config = dataclasses.replace(
        CONFIG,
        models=("mar", "flow_plus_plus"),
        num_blocks=1,
        num_components=2,
        num_heads=2,
        average_decay=0.5,
        num_samples=4,
    )
    result = SystemComparison(config, tmp_path).run(lambda line: None)
    mar, flow_plus_plus = result["rows"]
    assert mar["num_dequantizer_parameters"] == 0 < flow_plus_plus["num_dequantizer_parameters"]
    assert 0.0 < flow_plus_plus["bits_per_dim"] < 10.0


def scorer_of(dataset, tmp_path, **options):
    config = dataclasses.replace(CONFIG, **options)
    return SystemScorer.from_config(config, dataset, 40, tmp_path, lambda line: None)


def test_images_have_no_distance_from_themselves(tmp_path):
    dataset = load_configured_dataset(CONFIG.data)
    scorer = scorer_of(dataset, tmp_path, classifier_steps=200)
    assert scorer.classifier["accuracy"] > 0.4  # Of ten classes, from 40 images.
    images = np.stack(list(dataset.test.take(40).as_numpy_iterator()))
    scores, others = scorer.score(images), scorer.score(16 - images)
    assert scores["fid"] == pytest.approx(0.0, abs=1e-6)
    # Without bias, pairs of an image and itself make it a little less than nothing.
    assert -0.5 * others["kid"] < scores["kid"] <= 0.0 < others["kid"]
    assert others["fid"] > 0.1
    assert scorer.extractor(images).features.shape == (40, NUM_FEATURES)
    # A classifier that lies there is read, and not trained again.
    assert scorer_of(dataset, tmp_path, classifier_steps=200).score(images) == scores


def test_without_labels_and_network_nothing_is_scored_and_a_note_says_so(tmp_path):
    images = random_images(40)
    dataset = ImageDataset.from_arrays(images, None, images, 256, "noise")
    scorer = scorer_of(dataset, tmp_path)
    assert scorer.score(images) == {"kid": None, "kid_standard_error": None, "fid": None}
    assert scorer.facts(8)["note"].startswith("no KID and FID: no network is given, and `dataset`")
    model = small_classifier()
    model.save(tmp_path / "given.keras")
    given = scorer_of(
        dataset,
        tmp_path,
        feature_extractor=os.fspath(tmp_path / "given.keras"),
        feature_layer="embedding",
    )
    assert given.classifier is None and given.score(images)["fid"] == pytest.approx(0.0, abs=1e-6)


def test_samples_that_are_not_finite_are_counted_and_left_out(tmp_path):
    measurement = SystemMeasurement(
        images=[np.zeros([3, 2, 2, 1], np.uint8), np.ones([3, 2, 2, 1], np.uint8)],
        is_finite=[np.array([True, False, True]), np.array([True, True, False])],
        sample_seconds=[9.0, 3.0],
        density_seconds=[6.0, 0.3],
    )
    measurement.write(tmp_path / "measured.npz")
    measurement = SystemMeasurement.read(tmp_path / "measured.npz")
    images, num_non_finite = measurement.first_samples(4)
    assert images[:, 0, 0, 0].tolist() == [0, 0, 1] and num_non_finite == 1
    assert measurement.num_drawn == 6
    # Without the first batch, in which TensorFlow prepares what is called.
    assert measurement.seconds_per_image("sample") == 1.0
    assert measurement.seconds_per_image("density") == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"models": ("gaussian",)}, "`models` must be .*'mar' among them"),
        ({"num_samples": 1}, "`num_samples` must be an integer >= 2; got 1"),
        ({"average_decay": 1.0}, "`average_decay` must be in \\[0, 1\\); got 1.0"),
        ({"max_sampling_seconds": 0.0}, "`max_sampling_seconds` must be a finite number > 0"),
        ({"feature_layer": "a"}, "`feature_layer` must be None without `feature_extractor`"),
    ],
)
def test_wrong_arguments_are_named(arguments, expected):
    with pytest.raises(InputError, match=expected):
        SystemComparisonConfig(**arguments)


def test_a_batch_beyond_the_test_images_is_refused_first(tmp_path):
    config = dataclasses.replace(CONFIG, measured_batch_size=11)
    with pytest.raises(InputError, match="`measured_batch_size` must be at most the 10 test"):
        SystemComparison(config, tmp_path / "new")
    assert not (tmp_path / "new").exists()
