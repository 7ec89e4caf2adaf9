"""Tests of the TensorFlow Datasets sources, without network."""

import io
import os
import shutil
import time

import numpy as np
import pytest
import requests
import tensorflow_datasets as tfds

from tf_marscf.data import DataUnavailableError, collect_images, load_dataset
from tf_marscf.errors import InputError

STORED_CONTENT = {
    "cifar10": ("3.0.2", (32, 32, 3)),
    "mnist": ("3.0.1", (28, 28, 1)),
}


@pytest.fixture(scope="module", name="data_dir")
def fixture_data_dir(tmp_path_factory):
    """A data directory with small data sets, prepared as TFDS would."""
    directory = tmp_path_factory.mktemp("tfds")
    random = np.random.RandomState(0)
    for name, (version, shape) in STORED_CONTENT.items():
        features = tfds.features.FeaturesDict(
            {
                "image": tfds.features.Image(shape=shape),
                "label": tfds.features.ClassLabel(num_classes=10),
            }
        )
        splits = {
            split: [
                (
                    index,
                    {"image": random.randint(1, 256, shape).astype(np.uint8), "label": index % 10},
                )
                for index in range(count)
            ]
            for split, count in (("train", 12), ("test", 5))
        }
        tfds.dataset_builders.store_as_tfds_dataset(
            name, version, features, splits, data_dir=directory
        )
    return directory


@pytest.fixture(name="offline")
def fixture_offline(monkeypatch):
    """Makes every request fail at once, and tells how many there were."""
    urls = []

    def refuse(session, method, url, **kwargs):
        urls.append(url)
        raise requests.ConnectionError("no network\nin this test")

    monkeypatch.setattr(requests.Session, "request", refuse)
    return urls


def test_prepared_data_set_is_read_without_network(data_dir, offline):
    cifar = load_dataset("cifar10", data_dir, num_validation_images=4)
    assert cifar.image_shape == (32, 32, 3)
    assert cifar.num_grey_levels == 256
    counts = (cifar.num_train_images, cifar.num_validation_images, cifar.num_test_images)
    assert counts == (8, 4, 5)
    assert not offline


def test_validation_images_are_the_end_of_the_training_images(data_dir):
    parts = load_dataset("cifar10", data_dir, num_validation_images=4)
    whole = load_dataset("cifar10", data_dir, num_validation_images=0)
    assert whole.validation is None
    joined = np.concatenate([collect_images(parts.train, 8), collect_images(parts.validation, 4)])
    np.testing.assert_array_equal(joined, collect_images(whole.train, 12))
    np.testing.assert_array_equal(collect_images(parts.test, 5), collect_images(whole.test, 5))


@pytest.mark.parametrize("num_channels", [None, 1, 3])
def test_mnist_is_padded_to_32_pixels(data_dir, num_channels):
    mnist = load_dataset("mnist", data_dir, num_channels=num_channels, num_validation_images=2)
    images = collect_images(mnist.test, 5)
    assert images.shape == (5, 32, 32, num_channels or 1)
    assert (images[:, 2:30, 2:30] > 0).all()
    assert np.count_nonzero(images) == images[:, 2:30, 2:30].size
    np.testing.assert_array_equal(images[..., 0], images[..., -1])


def test_unsuitable_options_are_refused(data_dir):
    with pytest.raises(ValueError, match="`num_channels` must be 3 for 'cifar10'; got 1"):
        load_dataset("cifar10", data_dir, num_channels=1)
    with pytest.raises(ValueError, match="below the 12 images .* got 5000"):
        load_dataset("cifar10", data_dir)


@pytest.mark.parametrize("name", ["cifar10", "fashion_mnist", "downsampled_imagenet/64x64"])
def test_missing_data_set_fails_quickly_in_one_line(tmp_path, offline, name):
    start = time.monotonic()
    with pytest.raises(DataUnavailableError) as error:
        load_dataset(name, tmp_path)
    assert time.monotonic() - start < 5.0
    assert len(offline) == 1
    message = str(error.value)
    assert "\n" not in message
    for part in (name, str(tmp_path), "no network in this test", f"tfds build {name} --data_dir"):
        assert part in message
    assert not any(tmp_path.iterdir())


def test_missing_data_set_is_not_looked_for_elsewhere_without_download(tmp_path, offline):
    with pytest.raises(DataUnavailableError, match="downloads are off"):
        load_dataset("mnist", tmp_path, download=False)
    assert not offline


def test_server_that_refuses_the_file_is_reported(tmp_path, monkeypatch):
    def not_found(session, method, url, **kwargs):
        response = requests.Response()
        response.status_code, response.url, response.reason = 404, url, "Not Found"
        response.raw = io.BytesIO()
        return response

    monkeypatch.setattr(requests.Session, "request", not_found)
    with pytest.raises(DataUnavailableError, match="404 Client Error: Not Found"):
        load_dataset("cifar10", tmp_path)


@pytest.fixture(name="copied_dir")
def fixture_copied_dir(data_dir, tmp_path):
    """A copy of the data directory, to damage."""
    return shutil.copytree(data_dir, tmp_path / "copied")


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: content[: len(content) // 2],
        lambda content: content.replace(b"name", b"nqme"),
        lambda content: b"[]",
        lambda content: b"\xff" + content,
        lambda content: content.replace(b'"train"', b'"trane"'),
    ],
)
def test_a_damaged_description_is_reported_in_one_line(copied_dir, damage):
    path = copied_dir / "mnist" / "3.0.1" / "dataset_info.json"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(InputError, match="must hold a whole data set") as caught:
        load_dataset("mnist", copied_dir, download=False)
    assert "\n" not in str(caught.value) and str(copied_dir) in str(caught.value)


def test_a_missing_file_of_a_data_set_is_named(copied_dir):
    (path,) = (copied_dir / "mnist" / "3.0.1").glob("*test*")
    path.unlink()
    with pytest.raises(InputError, match=f"{path} must be a readable file"):
        load_dataset("mnist", copied_dir, download=False)
    os.mkfifo(path)
    with pytest.raises(InputError, match="got a FIFO"):
        load_dataset("mnist", copied_dir, download=False)
