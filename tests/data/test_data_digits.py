"""Tests of the embedded digits and of the data set container."""

import hashlib
import pickle

import numpy as np
import pytest
import tensorflow as tf
from sklearn import datasets

from tf_marscf.data import (
    DataConfig,
    ImageDataset,
    collect_images,
    dataset_names,
    load_configured_dataset,
    load_dataset,
)
from tf_marscf.data.tfds_images import DataUnavailableError
from tf_marscf.errors import InputError


def all_images(images):
    return collect_images(images, int(images.cardinality()))


def test_digits_have_the_documented_sizes():
    digits = load_dataset("digits")
    assert digits.image_shape == (8, 8, 1)
    assert digits.num_grey_levels == 17
    counts = (digits.num_train_images, digits.num_validation_images, digits.num_test_images)
    assert counts == (1297, 200, 300)


def test_digits_splits_together_are_all_images_once():
    digits = load_dataset("digits")
    images = np.concatenate([all_images(split) for split in digits.splits().values()])
    original = datasets.load_digits().images
    assert images.max() == 16

    def by_content(array):
        return sorted(array.astype(np.uint8).reshape(len(array), 64).tolist())

    assert by_content(images) == by_content(original)


def test_digits_test_set_never_changes():
    # Results of different versions are comparable only while this holds.
    test_images = all_images(load_dataset("digits").test)
    digest = hashlib.sha256(test_images.tobytes()).hexdigest()
    assert digest == "ccd5b41cbafc53da799a51d576fc8980b1070bdc5a7d5b7e4ef57fa13f8f6b61"


def test_digits_test_set_does_not_depend_on_the_validation_set():
    default = load_dataset("digits")
    without = load_dataset("digits", num_validation_images=0)
    assert without.validation is None
    assert without.num_validation_images == 0
    assert without.num_train_images == 1497
    np.testing.assert_array_equal(all_images(default.test), all_images(without.test))


def test_digits_with_three_channels_are_copies():
    images = collect_images(load_dataset("digits", num_channels=3).train, 5)
    grey = collect_images(load_dataset("digits").train, 5)
    assert images.shape == (5, 8, 8, 3)
    np.testing.assert_array_equal(images, np.concatenate([grey] * 3, axis=-1))


def test_unknown_name_is_refused_with_the_known_ones():
    with pytest.raises(ValueError) as error:
        load_dataset("cifar")
    assert "'cifar'" in str(error.value)
    for name in dataset_names():
        assert name in str(error.value)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"num_channels": 2}, "`num_channels` must be None, 1 or 3; got 2"),
        ({"num_validation_images": -1}, "must be an integer >= 0; got -1"),
        ({"num_validation_images": 1.5}, "must be an integer >= 0; got 1.5"),
        ({"num_validation_images": 1497}, "below the 1497 images"),
    ],
)
def test_unsuitable_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        load_dataset("digits", **options)


@pytest.mark.parametrize(
    "train, error, message",
    [
        (np.zeros((2, 4, 4, 1), np.float32), TypeError, "`train` must be a uint8 array"),
        (np.zeros((4, 4, 1), np.uint8), ValueError, "`train` must have shape .num_images, height"),
        (np.zeros((0, 4, 4, 1), np.uint8), ValueError, "`train` must hold at least one image"),
        (np.full((2, 4, 4, 1), 5, np.uint8), ValueError, "below `num_grey_levels` 5; got 5"),
        (np.zeros((2, 4, 6, 1), np.uint8), ValueError, "`test` must hold images"),
    ],
)
def test_unsuitable_arrays_are_refused(train, error, message):
    test_images = np.zeros((1, 4, 4, 1), np.uint8)
    with pytest.raises(error, match=message):
        ImageDataset.from_arrays(train, None, test_images, num_grey_levels=5, name="arrays")


def test_split_of_unknown_size_is_refused():
    images = tf.data.Dataset.from_tensor_slices(np.zeros((3, 4, 4, 1), np.uint8))
    unknown = images.filter(lambda image: True)
    with pytest.raises(ValueError, match="`train` must hold a known, positive number"):
        ImageDataset(unknown, None, images, 256, "filtered")


def test_collecting_more_images_than_there_are_is_refused():
    with pytest.raises(ValueError, match="from 1 to 300; got 301"):
        collect_images(load_dataset("digits").test, 301)


def test_unavailable_data_error_survives_pickling():
    error = DataUnavailableError("mnist", "somewhere", "no\nnetwork")
    copy = pickle.loads(pickle.dumps(error))
    assert str(copy) == str(error)
    assert "no network" in str(copy)


def test_a_directory_for_embedded_images_is_refused_and_not_ignored():
    message = "`data_dir` must be None for dataset 'digits', .*; got 'somewhere'"
    with pytest.raises(InputError, match=message):
        load_dataset("digits", "somewhere")
    with pytest.raises(InputError, match=message):
        load_configured_dataset(DataConfig(name="digits", data_dir="somewhere"))


@pytest.mark.parametrize("name", [None, 3, ["digits"], {"name": "digits"}])
def test_names_that_are_no_strings_are_refused(name):
    with pytest.raises(InputError, match="`name` must be one of"):
        load_dataset(name)
    with pytest.raises(InputError, match="`name` must be one of"):
        DataConfig(name=name)


@pytest.mark.parametrize("value", [True, 1.5, "3"])
def test_numbers_of_channels_are_integers(value):
    with pytest.raises(InputError, match="`num_channels` must be None, 1 or 3; got"):
        load_dataset("digits", num_channels=value)


@pytest.mark.parametrize(
    "data_dir, message",
    [
        ("", "got an empty one"),
        ("gs://bucket/images", "not a URL"),
        ("some*", "without the characters"),
        (3, "must be a path, a string"),
    ],
)
def test_unsuitable_paths_are_refused(data_dir, message):
    for name in ("npz", "folder", "idx", "mnist", "cifar10"):
        with pytest.raises(InputError, match=f"`data_dir` .*{message}"):
            load_dataset(name, data_dir)


def test_home_is_expanded(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    images = np.zeros((3, 4, 4, 1), np.uint8)
    np.savez(tmp_path / "images.npz", train=images, test=images)
    assert load_dataset("npz", "~/images.npz").num_test_images == 3


@pytest.mark.parametrize("shape", [(1, 1, 1, 10**6), (1, 2**14, 2**15, 1)])
def test_images_larger_than_any_are_refused(shape):
    pixel = tf.data.Dataset.from_tensors(tf.zeros([1, 1, 1], tf.uint8))
    images = pixel.map(lambda image: tf.broadcast_to(image, shape[1:]))
    with pytest.raises(InputError, match="at most 1,024 channels and 268,435,456 values"):
        ImageDataset(images, None, images, 256, "large")


def test_images_are_padded_to_multiples_of_eight_and_their_channel_copied():
    images = np.random.RandomState(0).randint(1, 256, (2, 9, 15, 1)).astype(np.uint8)
    dataset = ImageDataset.from_arrays(images, None, images, 256, "odd")
    assert dataset.with_channels(1) is dataset
    padded = dataset.padded().with_channels(3)
    assert padded.image_shape == (16, 16, 3)
    assert padded.padded() is padded
    seen = all_images(padded.train)
    assert seen.dtype == np.uint8
    # Where the padding is odd, the bottom and the right get the pixel more.
    np.testing.assert_array_equal(seen[:, 3:12, :15], np.repeat(images, 3, axis=-1))
    assert np.count_nonzero(seen) == 3 * images.size
