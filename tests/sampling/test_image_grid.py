"""Tests of tf_marscf.sampling.image_grid."""

import numpy as np
import pytest
import tensorflow as tf

from tf_marscf.sampling.image_grid import image_grid, save_picture


def numbered_images(count, height=2, width=3, channels=1):
    """Returns images whose every pixel is the image's number."""
    numbers = np.arange(count, dtype=np.uint8).reshape(-1, 1, 1, 1)
    return np.broadcast_to(numbers, (count, height, width, channels)).copy()


def read_png(path):
    return tf.io.decode_png(tf.io.read_file(str(path))).numpy()


def test_grid_places_images_in_rows():
    grid = image_grid(numbered_images(5), num_columns=3, padding=1)
    assert grid.shape == (2 * 3 + 1, 3 * 4 + 1, 1)
    assert grid.dtype == np.uint8
    for number in range(5):
        row, column = divmod(number, 3)
        top, left = 1 + row * 3, 1 + column * 4
        assert (grid[top : top + 2, left : left + 3] == number).all()
    # All that is no image is white.
    assert (grid == 255).sum() == grid.size - 5 * 2 * 3


def test_grid_without_padding_holds_nothing_but_images():
    grid = image_grid(numbered_images(4, channels=3), num_columns=2, padding=0)
    assert grid.shape == (4, 6, 3)
    np.testing.assert_array_equal(np.unique(grid), [0, 1, 2, 3])


@pytest.mark.parametrize(
    "images, error, message",
    [
        (np.zeros((1, 2, 2, 1), np.float32), TypeError, "`images` must be uint8; got float32"),
        (np.full((1, 2, 2, 1), np.nan), TypeError, "with 4 non-finite values"),
        (np.zeros((2, 2, 1), np.uint8), ValueError, r"got shape \(2, 2, 1\)"),
        (np.zeros((0, 2, 2, 1), np.uint8), ValueError, "non-empty"),
        (np.zeros((1, 2, 2, 2), np.uint8), ValueError, "1 or 3"),
    ],
)
def test_grid_refuses_unsuitable_images(images, error, message):
    with pytest.raises(error, match=message):
        image_grid(images, num_columns=1)


@pytest.mark.parametrize("arguments", [{"num_columns": 0}, {"num_columns": 1, "padding": -1}])
def test_grid_refuses_numbers_out_of_range(arguments):
    with pytest.raises(ValueError, match="must be an integer of at least"):
        image_grid(numbered_images(1), **arguments)


def test_saved_grid_spreads_grey_levels_and_repeats_pixels(tmp_path):
    path = tmp_path / "new" / "grid.png"
    save_picture(path, numbered_images(17, 1, 1), None, 17, num_columns=17, scale=3, padding=0)
    saved = read_png(path)
    assert saved.shape == (3, 17 * 3, 1)
    expected = np.rint(np.arange(17) * 255 / 16).astype(np.uint8)
    np.testing.assert_array_equal(saved[..., 0], np.tile(np.repeat(expected, 3), (3, 1)))


def test_saved_grid_is_about_square_by_default(tmp_path):
    save_picture(tmp_path / "grid.png", numbered_images(10, 2, 2), scale=1, padding=0)
    assert read_png(tmp_path / "grid.png").shape == (3 * 2, 4 * 2, 1)


def test_saving_refuses_values_beyond_the_grey_levels(tmp_path):
    with pytest.raises(ValueError, match="below `num_grey_levels` 4; got 4"):
        save_picture(tmp_path / "grid.png", numbered_images(5), num_grey_levels=4)
    assert not any(tmp_path.iterdir())


def test_failed_write_keeps_the_old_file_and_leaves_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "grid.png"
    path.write_bytes(b"old")

    def fail(source, destination):
        raise OSError("disk full")

    monkeypatch.setattr("os.replace", fail)
    with pytest.raises(OSError, match="disk full"):
        save_picture(path, numbered_images(1))
    assert [entry.name for entry in tmp_path.iterdir()] == ["grid.png"]
    assert path.read_bytes() == b"old"


def test_comparison_puts_samples_left_and_real_images_right(tmp_path):
    samples = np.zeros((4, 2, 2, 3), np.uint8)
    real_images = np.full((2, 2, 2, 3), 100, np.uint8)
    path = tmp_path / "comparison.png"
    save_picture(path, samples, real_images, num_columns=2, scale=1, padding=0, gap=5)
    saved = read_png(path)
    assert saved.shape == (4, 4 + 5 + 4, 3)
    assert (saved[:, :4] == 0).all()
    assert (saved[:, 4:9] == 255).all()
    assert (saved[:2, 9:] == 100).all()
    assert (saved[2:, 9:] == 255).all()


def test_comparison_refuses_images_of_different_shapes(tmp_path):
    with pytest.raises(ValueError, match="same shape"):
        save_picture(
            tmp_path / "comparison.png", numbered_images(1), numbered_images(1, channels=3)
        )
