"""Images with fewer bits than those that are stored."""

import numpy as np
import pytest

from tf_marscf.data import DataConfig, collect_images, load_configured_dataset, load_dataset
from tf_marscf.errors import InputError


def npz(path, num_grey_levels=None, size=4):
    """An .npz file with every grey level in its training images."""
    levels = np.arange(num_grey_levels or 256, dtype=np.uint8)
    train = np.resize(levels, [40, size, size, 1])
    known = {} if num_grey_levels is None else {"num_grey_levels": num_grey_levels}
    np.savez(path, train=train, test=train[:3], validation=train[5:9], **known)
    return path


@pytest.mark.parametrize("num_bits", range(1, 9))
def test_the_highest_bits_are_kept(tmp_path, num_bits):
    path = npz(tmp_path / "images.npz")
    stored, dataset = load_dataset("npz", path), load_dataset("npz", path, num_bits=num_bits)
    assert dataset.num_grey_levels == 2**num_bits
    for name, images in dataset.splits().items():
        count = int(images.cardinality())
        kept = collect_images(images, count)
        expected = collect_images(stored.splits()[name], count) >> (8 - num_bits)
        np.testing.assert_array_equal(kept, expected)
        assert kept.dtype == np.uint8
    levels, counts = np.unique(collect_images(dataset.train, 16), return_counts=True)
    assert levels.tolist() == list(range(2**num_bits))
    assert len(set(counts)) == 1


def test_all_bits_or_none_said_are_the_images_as_stored(tmp_path):
    path = npz(tmp_path / "images.npz")
    stored = load_dataset("npz", path)
    eight = load_dataset("npz", path, num_bits=8)
    assert eight.num_grey_levels == stored.num_grey_levels == 256
    np.testing.assert_array_equal(collect_images(eight.train, 9), collect_images(stored.train, 9))


def test_images_of_fewer_levels_lose_bits_where_all_levels_stay_equally_wide(tmp_path):
    path = npz(tmp_path / "images.npz", num_grey_levels=32)
    stored = collect_images(load_dataset("npz", path).train, 9)
    same = load_dataset("npz", path, num_bits=5)
    assert same.num_grey_levels == 32
    np.testing.assert_array_equal(collect_images(same.train, 9), stored)
    three = load_dataset("npz", path, num_bits=3)
    np.testing.assert_array_equal(collect_images(three.train, 9), stored >> 2)
    with pytest.raises(InputError, match="a divisor of the 32 grey levels of .*npz; got 6"):
        load_dataset("npz", path, num_bits=6)


def test_the_17_levels_of_the_digits_have_no_bits():
    with pytest.raises(InputError) as error:
        load_dataset("digits", num_bits=4)
    assert str(error.value) == (
        "`num_bits` must be None, or 2^num_bits a divisor of the 17 grey levels of 'digits'; got 4."
    )


def test_channels_and_a_limit_of_images_go_with_bits(tmp_path):
    path = npz(tmp_path / "images.npz")
    config = DataConfig(name="npz", data_dir=path, num_bits=2, num_channels=3, max_images=2)
    dataset = load_configured_dataset(config)
    assert (dataset.num_train_images, dataset.image_shape) == (2, (4, 4, 3))
    assert collect_images(dataset.train, 2).max() < 4


@pytest.mark.parametrize("num_bits", [0, 9, -1, 5.0, True, "5"])
def test_other_numbers_of_bits_are_refused(num_bits):
    with pytest.raises(InputError, match="`num_bits` must be an integer in 1 ... 8; got"):
        DataConfig(name="digits", num_bits=num_bits)
