"""Samples as pictures, PNG directories and .npz archives."""

import json

import numpy as np
import pytest
import tensorflow as tf

import tf_marscf
from tests.small_models import randomize, small_model
from tests.small_trainers import random_pixels, small_distribution
from tf_marscf.data import collect_images, load_dataset
from tf_marscf.errors import InputError, RunError
from tf_marscf.files.result_files import check_files
from tf_marscf.sampling import sample_run
from tf_marscf.sampling.sample_config import SampleConfig
from tf_marscf.sampling.sample_files import write_npz, write_png_directory
from tf_marscf.sampling.sample_stream import SampleBatch, draw_samples


def batches_of(images, indices, size=3):
    for start in range(0, len(images), size):
        part = slice(start, start + size)
        yield SampleBatch(images[part], np.asarray(indices[part]), num_non_finite=0)
    yield SampleBatch(images[:0], np.zeros([0], int), num_non_finite=2)


def write_samples(
    train_dir, output=None, output_format="grid", progress=True, report=print, **options
):
    config = SampleConfig(train_dir=train_dir, output=output, format=output_format, **options)
    return sample_run.write_samples(config, report, progress)


def read_png(path):
    return tf.io.decode_png(tf.io.read_file(str(path))).numpy()


def test_npz_holds_images_and_their_numbers(tmp_path):
    images, indices = random_pixels(7), [0, 1, 4, 5, 6, 8, 9]
    path = tmp_path / "new" / "samples.npz"
    assert write_npz(path, batches_of(images, indices), (8, 8, 1), num_grey_levels=17) == 7
    with np.load(path) as archive:
        assert set(archive.files) == {"images", "indices", "num_grey_levels"}
        np.testing.assert_array_equal(archive["images"], images)
        assert archive["images"].dtype == np.uint8
        np.testing.assert_array_equal(archive["indices"], indices)
        assert archive["num_grey_levels"] == 17
    again = tmp_path / "again.npz"
    write_npz(again, batches_of(images, indices, size=7), (8, 8, 1), num_grey_levels=17)
    assert again.read_bytes() == path.read_bytes()
    assert [entry.name for entry in path.parent.iterdir()] == ["samples.npz"]


def test_png_directory_names_samples_by_their_numbers(tmp_path):
    images, indices = random_pixels(4), [0, 2, 3, 1_000_000]
    path = tmp_path / "new" / "samples"
    assert write_png_directory(path, batches_of(images, indices), num_grey_levels=17) == 4
    names = sorted(file.name for file in path.iterdir())
    assert names == ["000000.png", "000002.png", "000003.png", "1000000.png"]
    for name, image in zip(names, images, strict=True):
        np.testing.assert_array_equal(read_png(path / name), np.rint(image * (255 / 16)))


def test_a_directory_with_files_is_left_alone(tmp_path):
    (tmp_path / "old.png").write_text("mine")
    with pytest.raises(ValueError, match="`output` must be a new or empty directory; .*holds"):
        write_png_directory(tmp_path, batches_of(random_pixels(1), [0]), 17)
    assert [entry.name for entry in tmp_path.iterdir()] == ["old.png"]


@pytest.mark.parametrize("write", ["npz", "png"])
def test_a_failure_half_way_leaves_nothing(tmp_path, write):
    def batches():
        yield from batches_of(random_pixels(4), range(4))
        raise RunError("stopped")

    with pytest.raises(RunError, match="stopped"):
        if write == "npz":
            write_npz(tmp_path / "samples.npz", batches(), (8, 8, 1), 17)
        else:
            write_png_directory(tmp_path / "samples", batches(), 17)
    assert not list(tmp_path.iterdir())


@pytest.fixture(scope="module", name="train_dir")
def fixture_train_dir(tmp_path_factory):
    """A saved model of digits; as an import, its config names no data set."""
    distribution = small_distribution(prior="gaussian")  # Samples take no compilation.
    randomize(distribution.distribution)
    directory = tmp_path_factory.mktemp("samples") / "model"
    tf_marscf.save(distribution, directory)
    return directory


def test_grid_stands_beside_real_images(train_dir, tmp_path, capsys):
    path = tmp_path / "grid.png"
    lines = []
    summary = write_samples(
        train_dir, path, num_samples=5, seed=2, dataset="digits", report=lines.append
    )
    assert (summary["num_finite"], summary["num_real_images"]) == (5, 5)
    assert "5 samples (left), beside 5 test images of digits (right)" in lines[0]
    grid = read_png(path)
    # Images are enlarged eight times, with 2 white pixels around each; blocks are 16 apart.
    right = grid[2:66, 3 * 66 + 2 + 16 + 2 :][:, :64, 0]
    real = collect_images(load_dataset("digits").test, 1)[0, :, :, 0]
    np.testing.assert_array_equal(right[::8, ::8], np.rint(real * (255 / 16)))
    samples = draw_samples(tf_marscf.load(train_dir), 5, seed=2)
    np.testing.assert_array_equal(
        grid[2:66:8, 2:66:8, 0], np.rint(samples[0, :, :, 0] * (255 / 16))
    )
    numbers = json.loads((tmp_path / "grid.json").read_text())
    assert numbers == summary
    assert (numbers["seed"], numbers["temperature"], numbers["num_non_finite"]) == (2, 1.0, 0)
    assert "100%" in capsys.readouterr().err


def test_without_data_the_grid_stands_alone_and_a_line_says_why(train_dir, tmp_path, capsys):
    path = tmp_path / "grid.png"
    summary = write_samples(train_dir, path, num_samples=4, progress=False)
    assert summary["num_real_images"] == 0
    error = capsys.readouterr().err
    assert error.startswith("warning: no real images beside the samples: `dataset` must be given")
    assert len(error.splitlines()) == 1
    assert read_png(path).shape == (2 * 66 + 2, 2 * 66 + 2, 1)
    with pytest.raises(ValueError, match="`dataset` must be given"):
        write_samples(train_dir, path, num_samples=4, beside_real=True)


@pytest.mark.parametrize("output_format", ["png", "npz"])
def test_formats_hold_the_same_samples(train_dir, tmp_path, output_format):
    path = tmp_path / ("samples" if output_format == "png" else "samples.npz")
    summary = write_samples(
        train_dir, path, output_format, num_samples=5, batch_size=2, first_index=1, progress=False
    )
    assert summary["json_path"] == str(tmp_path / "samples.json")
    expected = draw_samples(tf_marscf.load(train_dir), 6, batch_size=2)[1:]
    if output_format == "png":
        images = np.stack([read_png(path / f"{index:06d}.png") for index in range(1, 6)])
        expected = np.rint(expected * (255 / 16))
    else:
        images = np.load(path)["images"]
    assert np.mean(images != expected) < 0.01


def test_samples_that_are_not_finite_are_counted_in_the_files(train_dir, tmp_path, monkeypatch):
    def batches(self, num_samples, first_index, temperature):
        yield SampleBatch(random_pixels(3), np.array([0, 1, 3]), num_non_finite=1)

    monkeypatch.setattr(sample_run.SampleStream, "batches", batches)
    path = tmp_path / "samples.npz"
    lines = []
    write_samples(train_dir, path, "npz", num_samples=4, progress=False, report=lines.append)
    assert "; 1 of 4 not finite, left out; numbers: " in lines[0]
    numbers = json.loads((tmp_path / "samples.json").read_text())
    assert (numbers["num_finite"], numbers["num_non_finite"]) == (3, 1)

    def no_batches(self, num_samples, first_index, temperature):
        yield SampleBatch(random_pixels(1)[:0], np.zeros([0], int), num_non_finite=4)

    monkeypatch.setattr(sample_run.SampleStream, "batches", no_batches)
    for output_format, name in (("npz", "none.npz"), ("png", "none"), ("grid", "none.png")):
        with pytest.raises(RunError, match="none of 4 samples is finite"):
            write_samples(
                train_dir, tmp_path / name, output_format, num_samples=4, progress=False,
                beside_real=False,
            )  # fmt: skip
    assert {entry.name for entry in tmp_path.iterdir()} == {"samples.npz", "samples.json"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"output_format": "gif"}, "`format` must be one of"),
        ({"num_samples": 0}, "`num_samples` must be an integer >= 1; got 0"),
        ({"num_samples": 20_000}, "`num_samples` must be at most 10000 in a grid; got 20000"),
        ({"temperature": float("nan")}, "`temperature`"),
        ({"temperature": ["0.9", "x"]}, "`temperature` must be finite and >= 0; got 'x'"),
        ({"temperature": (0.9, -1.0)}, "`temperature` must be finite and >= 0; got -1.0"),
        ({"temperature": []}, "`temperature` must be a number, or one a level; got \\[\\]"),
        ({"output_format": "npz", "beside_real": True}, "`beside_real`"),
        ({"output": "x.npz"}, "`output` must end with '.png' for format 'grid'; got 'x.npz'"),
        ({"output": "x.png", "output_format": "png"}, "`output` must be a directory"),
    ],
)
def test_wrong_arguments_are_found_before_the_model_is_read(tmp_path, arguments, message):
    with pytest.raises(ValueError, match=message):
        write_samples(tmp_path / "missing", **arguments)


def test_numbers_and_name_have_the_temperature_of_each_level(train_dir):
    arguments = {"output_format": "npz", "num_samples": 2, "progress": False}
    levels = len(tf_marscf.load(train_dir).distribution.levels)
    numbers = write_samples(train_dir, temperature=["0.5"] + ["0.25"] * (levels - 1), **arguments)
    temperatures = [0.5] + [0.25] * (levels - 1)
    assert numbers["temperature"] == (temperatures if levels > 1 else 0.5)
    name = "_".join(map(str, temperatures))
    assert numbers["output"].endswith(f"/samples_seed_0_temperature_{name}.npz")
    message = f"one for each of {levels} levels; got {levels + 1}"
    with pytest.raises(InputError, match=message):
        write_samples(train_dir, temperature=[0.5] * (levels + 1), **arguments)


def test_names_tell_samples_of_a_directory_apart(train_dir):
    paths = {
        write_samples(train_dir, None, "npz", num_samples=1, progress=False, **arguments)["output"]
        for arguments in ({}, {"seed": 1}, {"temperature": 0.5}, {"first_index": 3})
    }
    assert {path.removeprefix(str(train_dir)) for path in paths} == {
        "/samples_seed_0.npz",
        "/samples_seed_1.npz",
        "/samples_seed_0_temperature_0.5.npz",
        "/samples_seed_0_from_3.npz",
    }


def test_formats_of_one_name_keep_their_numbers_apart(train_dir, tmp_path):
    """In any order, again and again; and beside a file that is somebody's."""
    outputs = {"grid": "x.png", "npz": "x.npz", "png": "x"}
    for round_number in range(2):
        for output_format, name in outputs.items():
            if round_number and output_format == "png":
                continue  # A directory of images is never replaced.
            seed = 3 * round_number + len(name)
            summary = write_samples(
                train_dir, tmp_path / name, output_format, num_samples=2, seed=seed,
                beside_real=False, progress=False,
            )  # fmt: skip
            assert json.loads(open(summary["json_path"], "rb").read()) == summary
        numbers = {path.name: json.loads(path.read_text()) for path in tmp_path.glob("*.json")}
        assert set(numbers) == {"x.json", "x.npz.json", "x.png.json"}
        for path, content in numbers.items():
            assert list(content["sha256"]["files"]) == [outputs[content["format"]]]
            check_files(tmp_path / path, content)


def test_the_json_file_of_somebody_else_stays(train_dir, tmp_path):
    for index, text in enumerate(('{"mine": 1}', "no json", "[]", '{"output": 3}')):
        (tmp_path / f"{index}.json").write_text(text)
        summary = write_samples(
            train_dir, tmp_path / f"{index}.npz", "npz", num_samples=1, progress=False
        )
        assert summary["json_path"] == str(tmp_path / f"{index}.npz.json")
        assert (tmp_path / f"{index}.json").read_text() == text
        (tmp_path / f"{index}.npz.json").write_text(text)
        with pytest.raises(InputError, match="`output` must have a name of its own"):
            write_samples(train_dir, tmp_path / f"{index}.npz", "npz", num_samples=1)


def test_samples_that_fail_leave_the_earlier_ones(train_dir, tmp_path, monkeypatch):
    summary = write_samples(train_dir, tmp_path / "x.npz", "npz", num_samples=2, progress=False)

    def batches(self, num_samples, first_index, temperature):
        yield SampleBatch(random_pixels(1), np.array([0]), num_non_finite=0)
        raise OSError("disk full")

    monkeypatch.setattr(sample_run.SampleStream, "batches", batches)
    with pytest.raises(OSError, match="disk full"):
        write_samples(train_dir, tmp_path / "x.npz", "npz", num_samples=2, progress=False)
    content = json.loads((tmp_path / "x.json").read_text())
    assert content == summary
    check_files(tmp_path / "x.json", content)


def test_the_numbers_go_where_they_are_asked_for(train_dir, tmp_path):
    (tmp_path / "numbers.json").write_text("an earlier one, cut o")
    arguments = {"num_samples": 1, "json_path": tmp_path / "numbers.json", "progress": False}
    summary = write_samples(train_dir, tmp_path / "x.npz", "npz", **arguments)
    assert summary["json_path"] == str(tmp_path / "numbers.json")
    assert json.loads((tmp_path / "numbers.json").read_text()) == summary
    with pytest.raises(InputError, match="`json_path` must be in the directory of `output`"):
        write_samples(train_dir, tmp_path / "new" / "x.npz", "npz", **arguments)


@pytest.mark.parametrize(
    "arguments",
    [
        {"output_format": "npz", "dataset": "digits"},
        {"output_format": "png", "data_dir": "x"},
        {"beside_real": False, "dataset": "digits"},
    ],
)
def test_a_data_set_that_nobody_would_see_is_refused(tmp_path, arguments):
    with pytest.raises(InputError, match="must be None where there are no real images beside"):
        write_samples(tmp_path / "missing", **arguments)


def test_images_that_cannot_be_drawn_are_sampled_as_arrays_alone(tmp_path):
    model = small_model((4, 4, 2), num_levels=1)
    tf_marscf.save(tf_marscf.Dequantized(model), tmp_path / "model")
    for output_format in ("grid", "png"):
        with pytest.raises(InputError, match="`train_dir` must be of images with 1 or 3 channels"):
            write_samples(tmp_path / "model", None, output_format, num_samples=1)
    summary = write_samples(tmp_path / "model", None, "npz", num_samples=1, progress=False)
    assert np.load(summary["output"])["images"].shape == (1, 4, 4, 2)
