"""Image files that are dropped on the page: a model's image, or one line."""

import numpy as np
import pytest
from PIL import Image

from tf_marscf.errors import InputError
from tf_marscf.explore.image_input import read_dropped_image
from tf_marscf.sampling.image_grid import spread_grey_levels


def write_png(path, values):
    Image.fromarray(values).save(path)
    return str(path)


@pytest.fixture(name="levels")
def fixture_levels():
    return np.random.default_rng(0).integers(17, size=(8, 8, 1)).astype(np.uint8)


def test_files_of_256_grey_levels_are_taken_as_they_are(tmp_path):
    values = np.arange(192, dtype=np.uint8).reshape(8, 8, 3)
    path = write_png(tmp_path / "image.png", values)
    np.testing.assert_array_equal(read_dropped_image(path, (8, 8, 3), 256), values)


def test_pictures_of_samples_give_the_samples_again(tmp_path, levels):
    (spread,) = spread_grey_levels(levels[np.newaxis], 17)
    path = write_png(tmp_path / "sample.png", spread[..., 0])
    np.testing.assert_array_equal(read_dropped_image(path, (8, 8, 1), 17), levels)


@pytest.mark.parametrize("num_grey_levels", [2, 32, 128])
def test_grey_levels_are_made_fewer_as_in_training(tmp_path, num_grey_levels):
    values = np.arange(256, dtype=np.uint8).reshape(16, 16)
    path = write_png(tmp_path / "photograph.png", values)
    image = read_dropped_image(path, (16, 16, 1), num_grey_levels, is_reduced=True)
    np.testing.assert_array_equal(image[..., 0], values.astype(int) * num_grey_levels // 256)
    # And so are those of a model's own samples.
    levels = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1) % num_grey_levels
    (spread,) = spread_grey_levels(levels, num_grey_levels)
    path = write_png(tmp_path / "sample.png", spread[..., 0])
    image = read_dropped_image(path, (16, 16, 1), num_grey_levels, is_reduced=True)
    np.testing.assert_array_equal(image, levels[0])


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((8, 16), "got 16 pixels wide, 8 high and grey"),
        ((8, 8, 3), "got 8 pixels wide, 8 high and of colours"),
    ],
)
def test_other_shapes_are_named(tmp_path, shape, expected):
    path = write_png(tmp_path / "image.png", np.zeros(shape, np.uint8))
    with pytest.raises(InputError, match=f"^image.png must be 8 pixels wide.*{expected}"):
        read_dropped_image(path, (8, 8, 1), 17)


def test_other_grey_levels_are_named(tmp_path):
    values = np.zeros([8, 8], np.uint8)
    values[3, 4] = 100
    path = write_png(tmp_path / "image.png", values)
    with pytest.raises(InputError, match="image.png must have only the 17 grey levels .* got 100"):
        read_dropped_image(path, (8, 8, 1), 17)


def test_what_is_no_whole_image_is_named_without_its_directory(tmp_path):
    text = tmp_path / "notes.png"
    text.write_text("no image")
    whole = tmp_path / "whole.png"
    write_png(whole, np.zeros([8, 8], np.uint8))
    cut = tmp_path / "cut.png"
    cut.write_bytes(whole.read_bytes()[:-20])
    empty = tmp_path / "empty.png"
    empty.write_bytes(b"")
    for path in (text, cut, empty):
        with pytest.raises(InputError) as caught:
            read_dropped_image(str(path), (8, 8, 1), 17)
        assert str(caught.value).startswith(path.name)
        assert str(tmp_path) not in str(caught.value)
        assert "\n" not in str(caught.value)
