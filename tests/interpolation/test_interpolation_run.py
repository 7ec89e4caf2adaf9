"""bin/interpolate.py and what it writes."""

import csv
import io
import json
import re
import shutil
import types

import numpy as np
import pytest
import tensorflow as tf

import tf_marscf
from tests.running_commands import ROOT, error_line, run_command
from tests.small_models import small_model
from tf_marscf.data import load_dataset
from tf_marscf.errors import InputError
from tf_marscf.figures import THEMES, render_png
from tf_marscf.interpolation import interpolation_output
from tf_marscf.interpolation.interpolation_config import (
    InterpolationConfig,
    ProjectionConfig,
    parse_pairs,
)
from tf_marscf.interpolation.interpolation_figures import (
    draw_interpolation,
    draw_lambda_curve,
    draw_log_prior,
    interpolation_size,
)
from tf_marscf.interpolation.interpolation_output import load_interpolation, save_interpolation
from tf_marscf.interpolation.interpolation_run import (
    images_of_pairs,
    random_pairs,
    write_interpolation,
)

SHORT = ProjectionConfig(num_iterations=3)
FILES = {
    "interpolation.csv", "interpolation.json", "interpolation.npz", "interpolation.png",
    "lambda_curve.csv", "lambda_curve.png", "log_prior.png",
}  # fmt: skip


@pytest.fixture(scope="module", name="place")
def fixture_place(tmp_path_factory):
    """A colour model with no data set of its own, and images for it."""
    place = tmp_path_factory.mktemp("interpolation")
    model = small_model((4, 8, 3), prior_num_layers=1)
    tf_marscf.save(tf_marscf.Dequantized(model), place / "model")
    pixels = np.random.default_rng(0).integers(256, size=(20, 4, 8, 3)).astype(np.uint8)
    np.savez(place / "images.npz", train=pixels[:10], test=pixels[10:])
    return place


def interpolate(place, extractor=None, report=print, **options):
    config = InterpolationConfig(
        train_dir=place / "model", dataset="npz", data_dir=place / "images.npz", **options
    )
    return write_interpolation(config, SHORT, extractor, report, progress=False)


@pytest.fixture(scope="module", name="written")
def fixture_written(place):
    """Output directory, result and printed lines of one run."""
    lines = []
    result = interpolate(
        place, report=lines.append, pairs=[(3, 7), (9, 0)], num_points=2, lambda_curve=[0.0, 0.5],
        output_dir=place / "output",
    )  # fmt: skip
    return place / "output", result, lines


def read_csv(path):
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_all_files_are_written_and_hold_the_same_numbers(written):
    directory, result, _ = written
    assert {path.name for path in directory.iterdir()} == FILES
    loaded, images = load_interpolation(directory)
    assert loaded == result == json.loads((directory / "interpolation.json").read_text())
    rows = read_csv(directory / "interpolation.csv")
    assert len(rows) == 2 * 2 * 4
    for row, expected in zip(rows, result["rows"], strict=True):
        assert float(row["log_prior"]) == expected["log_prior"]
        assert row["path"] == expected["path"]
    curve = read_csv(directory / "lambda_curve.csv")
    assert [float(row["lambda"]) for row in curve] == [0.0, 0.5]
    assert {name: part.shape for name, part in images.items()} == {
        "ends": (2, 2, 4, 8, 3), "linear": (2, 4, 4, 8, 3), "projected": (2, 4, 4, 8, 3),
    }  # fmt: skip


def test_paths_end_in_the_images_of_the_pairs(place, written):
    directory, result, _ = written
    _, images = load_interpolation(directory)
    test_images = np.load(place / "images.npz")["test"]
    assert result["pairs"] == [[3, 7], [9, 0]]
    np.testing.assert_array_equal(images["ends"], test_images[[[3, 7], [9, 0]]])
    for path in ("linear", "projected"):
        np.testing.assert_array_equal(images[path][:, [0, -1]], images["ends"])
    assert [row["t"] for row in result["rows"][:4]] == pytest.approx([0, 1 / 3, 2 / 3, 1])


def test_projected_points_are_denser_and_the_lines_say_so(written):
    _, result, lines = written
    density = {path: {} for path in ("linear", "projected")}
    for row in result["rows"]:
        density[row["path"]][row["pair"], row["point"]] = row["log_prior"]
    for (pair, point), linear in density["linear"].items():
        projected = density["projected"][pair, point]
        assert projected == linear if point in (0, 3) else projected > linear
    assert result["num_unmoved"] == 0
    assert any("higher at 4 of 4" in line for line in lines)
    assert f"{density['projected'][1, 2]:.3f}" in " ".join(lines)


def test_curve_agrees_with_the_paths(written):
    """At lambda 0 it is the linear path, at the run's own lambda the projected one."""
    _, result, _ = written
    for row, path in zip(result["lambda_curve"], ("linear", "projected"), strict=True):
        for name, value in result["inner_points"][path].items():
            assert row[name] == pytest.approx(value)
        inner = [
            point["bits_per_dim"]
            for point in result["rows"]
            if point["path"] == path and point["point"] in (1, 2)
        ]
        assert row["bits_per_dim"] == pytest.approx(np.mean(inner))


def test_bits_per_dim_of_the_ends_is_that_of_the_distribution(place, written):
    _, result, _ = written
    pixels = tf_marscf.load(place / "model")
    image = np.load(place / "images.npz")["test"][3:4]
    continuous = pixels.scaling.continuous(tf.constant(image), tf.fill(image.shape, 0.5))
    log_prob = float(pixels.distribution.log_prob(continuous)[0])
    expected = 8 - log_prob / (96 * np.log(2))
    assert result["rows"][0]["bits_per_dim"] == pytest.approx(expected, rel=1e-5)


def test_an_extractor_gives_the_features_of_the_curve(place):
    seen = []

    class Extractor:
        name = "means"

        def __call__(self, images):
            seen.append((images.dtype, len(images)))
            return types.SimpleNamespace(features=images.mean(axis=(1, 2)) / 255.0)

    result = interpolate(
        place, Extractor(), pairs=[(0, 1)], num_points=2, lambda_curve=[0.0],
        output_dir=place / "extractor",
    )  # fmt: skip
    assert result["curve_features"] == "means"
    # Eight test images are no ends of the path.
    assert seen == [(np.uint8, 8), (np.uint8, 2)]


@pytest.mark.parametrize("theme", THEMES)
def test_figures_are_drawn_from_the_files_in_both_themes(written, theme):
    from PIL import Image

    result, images = load_interpolation(written[0])
    draws = [
        lambda figure: draw_interpolation(figure, result, images),
        lambda figure: draw_log_prior(figure, result),
        lambda figure: draw_lambda_curve(figure, result),
    ]
    for draw in draws:
        picture = np.asarray(Image.open(io.BytesIO(render_png(draw, (4.0, 3.0), theme))))
        assert picture.shape[:2] == (450, 600)
        assert picture[..., :3].std() > 5
    width, height = interpolation_size(result)
    assert 0 < height < width


def test_grey_images_of_few_levels_are_spread_over_black_to_white(written):
    """A pair of black images of a data set with 17 levels is black, one of 16s white."""
    from PIL import Image

    result = written[1] | {
        "num_grey_levels": 17, "image_shape": [4, 8, 1], "pairs": [[0, 1]], "num_points": 2,
        "rows": [row for row in written[1]["rows"] if row["pair"] == 0],
    }  # fmt: skip
    shades = []
    for level in (0, 16):
        path = np.full([1, 4, 4, 8, 1], level, np.uint8)
        images = {"ends": path[:, :2], "linear": path, "projected": path}
        content = render_png(
            lambda figure, images=images: draw_interpolation(figure, result, images), theme="dark"
        )
        shades.append(np.asarray(Image.open(io.BytesIO(content)).convert("L"))[:, 300:])
    assert np.mean(shades[0] == 0) > 0.2
    assert np.mean(shades[1] == 255) > 0.2


def test_pairs_are_read_and_drawn():
    assert parse_pairs(["3:7", " 12:40"]) == [(3, 7), (12, 40)]
    pairs = random_pairs(5, 10, seed=1)
    assert sorted(index for pair in pairs for index in pair) == list(range(10))
    assert pairs == random_pairs(5, 10, seed=1) != random_pairs(5, 10, seed=2)


@pytest.mark.parametrize("text", ["3", "3:", "3:4:5", "a:b", "-1:2", "1.5:2", ""])
def test_what_is_no_pair_is_named(text):
    with pytest.raises(ValueError, match="`pairs` must be numbers of images such as 3:7.*got"):
        parse_pairs(["1:2", text])


def test_pairs_that_the_images_do_not_have_are_named():
    images = tf.data.Dataset.from_tensor_slices(np.zeros([5, 2, 2, 1], np.uint8))
    for pair in ((0, 5), (2, 2)):
        with pytest.raises(ValueError, match=f"from 0 to 4 each; got {pair[0]}:{pair[1]}"):
            images_of_pairs(images, [(0, 1), pair])
    with pytest.raises(ValueError, match="at least one pair"):
        images_of_pairs(images, [])
    with pytest.raises(ValueError, match="`num_pairs` must be from 1 to 2, .*got 3"):
        random_pairs(3, 5, seed=0)


def test_wrong_arguments_are_named_and_nothing_is_written(place):
    output = place / "wrong"
    for options, expected in (
        ({"lambda_curve": [-1.0]}, "`lambda_curve` must hold finite numbers >= 0; got -1.0"),
        ({"pairs": [(0, 1)], "num_points": 1}, "`lambda_curve` must be empty for a single point"),
        ({"num_pairs": 5}, "`lambda_curve` must be empty where fewer than 2 images"),
        ({"num_points": 0}, "`num_points` must be an integer >= 1; got 0"),
        ({"split": "all"}, "`split` must be one of"),
        ({"num_pairs": 6}, "`num_pairs` must be from 1 to 5"),
        ({"output_dir": place / "images.npz"}, "`output_dir` must be a directory"),
    ):
        with pytest.raises(ValueError, match=expected):
            interpolate(place, **({"output_dir": output} | options))
    assert not output.exists()


@pytest.mark.slow
def test_command_writes_into_the_training_directory_and_prints(place):
    arguments = [
        f"--train_dir={place / 'model'}", "--dataset=npz", f"--data_dir={place / 'images.npz'}",
        "--num_points=2", "--num_iterations=2", "--progress=none",
    ]  # fmt: skip
    process = run_command(
        "interpolate.py", *arguments, "--pairs=0:1,2:3", "--lambda_curve=0,0.5", "--lambda_1=0.2"
    )
    assert process.returncode == 0, process.stderr
    assert "images 2 to 3" in process.stdout
    assert "higher at 4 of 4" in process.stdout
    result = json.loads((place / "model" / "interpolation" / "interpolation.json").read_text())
    assert result["command"].endswith(
        "--pairs=0:1,2:3 --num_points=2 --lambda_1=0.2 --lambda_2=0.5 --learning_rate=0.05 "
        "--num_iterations=2 --distance=root_mean_square --lambda_curve=0,0.5"
    )
    assert (result["lambda_1"], result["lambda_2"], result["split"]) == (0.2, 0.5, "test")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--pairs=3"], "`pairs` must be numbers of images"),
        (["--pairs=3:99"], "from 0 to 9 each; got 3:99"),
        (["--lambda_1=0"], "`lambda_1` must be a finite number > 0; got 0.0"),
        (["--distance=sum"], "`distance` must be one of"),
        (["--lambda_curve=0,x"], "`lambda_curve` must hold numbers; got 'x'"),
        (["--lambda_curve=-1"], "`lambda_curve` must hold finite numbers >= 0; got -1.0"),
    ],
)
def test_wrong_flags_end_with_status_2_and_one_line(place, arguments, expected):
    process = run_command(
        "interpolate.py", f"--train_dir={place / 'model'}", "--dataset=npz",
        f"--data_dir={place / 'images.npz'}", f"--output_dir={place / 'none'}", *arguments,
    )  # fmt: skip
    assert process.returncode == 2
    assert expected in error_line(process)
    assert not (place / "none").exists()


@pytest.mark.slow
def test_imported_weights_are_interpolated_between_images_of_a_data_set(tmp_path):
    weights = ROOT / "tests" / "interop" / "published" / "affine_L3_K2_C16.weights.npz"
    model = tmp_path / "imported"
    assert not run_command(
        "import_weights.py", f"--input={weights}", f"--output={model}"
    ).returncode
    without_data = run_command("interpolate.py", f"--train_dir={model}")
    assert without_data.returncode == 2
    assert "`dataset` must be given" in error_line(without_data)
    pixels = np.random.default_rng(0).integers(100, 140, size=(6, 32, 32, 3)).astype(np.uint8)
    np.savez(tmp_path / "images.npz", train=pixels[:3], test=pixels[3:])
    process = run_command(
        "interpolate.py", f"--train_dir={model}", "--dataset=npz", "--num_pairs=1",
        f"--data_dir={tmp_path / 'images.npz'}", "--num_points=2", "--num_iterations=2",
        "--lambda_curve=", "--progress=none", f"--output_dir={tmp_path / 'drawn'}",
    )  # fmt: skip
    assert process.returncode == 0, process.stderr
    assert (tmp_path / "drawn" / "interpolation.png").exists()
    assert not (tmp_path / "drawn" / "lambda_curve.png").exists()
    assert not (model / "interpolation").exists()


def test_pictures_of_another_interpolation_are_not_taken_for_these(written, tmp_path):
    directory = shutil.copytree(written[0], tmp_path / "copy")
    load_interpolation(directory)
    for name in sorted(FILES):
        content = (directory / name).read_bytes()
        (directory / name).write_bytes(content[:-9] + b"." + content[-8:])
        with pytest.raises(InputError, match=re.escape(name)):
            load_interpolation(directory)
        (directory / name).write_bytes(content)
    (directory / "interpolation.json").write_text(json.dumps({"pairs": []}))
    with pytest.raises(InputError, match="does not say which files belong to it"):
        load_interpolation(directory)
    with pytest.raises(FileNotFoundError, match="does not exist"):
        load_interpolation(tmp_path / "none")


def test_a_failure_while_it_is_drawn_leaves_the_earlier_one(written, tmp_path, monkeypatch):
    directory, result, _ = written
    directory = shutil.copytree(directory, tmp_path / "copy")
    _, images = load_interpolation(directory)

    def fail(*arguments):
        raise MemoryError

    monkeypatch.setattr(interpolation_output, "draw_log_prior", fail)
    with pytest.raises(MemoryError):
        save_interpolation(directory, result | {"seed": 99}, images)
    assert load_interpolation(directory)[0] == result
    assert {path.name for path in directory.iterdir()} == FILES


def test_the_curve_of_an_earlier_result_goes_with_it(written, tmp_path):
    directory, result, _ = written
    directory = shutil.copytree(directory, tmp_path / "copy")
    _, images = load_interpolation(directory)
    save_interpolation(directory, result | {"lambda_curve": []}, images)
    assert {path.name for path in directory.iterdir()} == {
        name for name in FILES if not name.startswith("lambda_curve")
    }


def test_pairs_of_a_model_with_classes_have_labels(tmp_path):
    tf_marscf.save(
        tf_marscf.Dequantized(small_model(prior="gaussian", num_levels=1, num_classes=10), 17),
        tmp_path / "run",
    )
    config = InterpolationConfig(
        train_dir=str(tmp_path / "run"), dataset="digits", pairs=("0:1", "5:3"), num_points=1,
        lambda_curve=(),
    )  # fmt: skip
    result = write_interpolation(config, SHORT, report=lambda line: None, progress=False)
    labels = load_dataset("digits").labels("test", 10)
    np.testing.assert_array_equal(result["labels"], [labels[[0, 1]], labels[[5, 3]]])
