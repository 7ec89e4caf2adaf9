"""Samples of models with classes: streams, grids with a row for each class, files."""

import json

import numpy as np
import pytest

import tf_marscf
from tests.small_models import randomize
from tests.small_trainers import small_distribution
from tf_marscf.errors import InputError
from tf_marscf.sampling.image_grid import rows_of_classes
from tf_marscf.sampling.sample_config import SampleConfig
from tf_marscf.sampling.sample_run import write_samples
from tf_marscf.sampling.sample_stream import SampleStream

OPTIONS = {"num_levels": 1, "prior": "gaussian"}


@pytest.fixture(scope="module", name="distribution")
def fixture_distribution():
    distribution = small_distribution(**OPTIONS, num_classes=3)
    randomize(distribution.distribution, scale=0.3)
    return distribution


@pytest.fixture(scope="module", name="train_dir")
def fixture_train_dir(distribution, tmp_path_factory):
    directory = tmp_path_factory.mktemp("classes") / "run"
    tf_marscf.save(distribution, directory)
    return directory


def test_sample_i_is_one_of_class_i_modulo_their_number(distribution):
    stream = SampleStream(distribution, seed=1, batch_size=4)
    batch = stream.draw_batch(7)
    np.testing.assert_array_equal(batch.labels, [0, 1, 2, 0, 1, 2, 0])
    (last,) = stream.batches(2, first_index=5)
    np.testing.assert_array_equal(last.images, batch.images[5:])
    of_one = SampleStream(distribution, seed=1, batch_size=4, label=2).draw_batch(7)
    np.testing.assert_array_equal(of_one.labels, 2)
    is_equal = np.all(of_one.images == batch.images, axis=(1, 2, 3))
    np.testing.assert_array_equal(is_equal, batch.labels == 2)


def test_labels_that_a_stream_cannot_have(distribution):
    with pytest.raises(InputError, match="`label` of Dequantized must be integers from 0 to 2.*3"):
        SampleStream(distribution, label=3)
    with pytest.raises(InputError, match="`label` of Dequantized must be None"):
        SampleStream(small_distribution(**OPTIONS), label=0)


def test_a_grid_has_a_row_for_each_class():
    images = np.arange(5, dtype=np.uint8).reshape(5, 1, 1, 1)
    places, num_columns = rows_of_classes(images, np.array([4, 1, 4, 4, 1]), num_grey_levels=17)
    assert num_columns == 3
    np.testing.assert_array_equal(places.reshape(2, 3), [[1, 4, 16], [0, 2, 3]])


def test_files(train_dir, tmp_path):
    def write(name, **options):
        config = SampleConfig(
            train_dir=str(train_dir), output=str(tmp_path / name), beside_real=None,
            num_samples=7, **options,
        )  # fmt: skip
        return write_samples(config, report=lambda line: None, progress=False)

    numbers = write("samples.npz", format="npz")
    assert numbers["label"] == "all"
    with np.load(tmp_path / "samples.npz") as archive:
        np.testing.assert_array_equal(archive["labels"], np.arange(7) % 3)
    numbers = write("some.npz", format="npz", label="2")
    assert json.loads((tmp_path / "some.json").read_text())["label"] == 2
    with np.load(tmp_path / "some.npz") as archive:
        np.testing.assert_array_equal(archive["labels"], 2)
    write("grid.png")
    assert (tmp_path / "grid.png").stat().st_size > 0
    with pytest.raises(InputError, match="`label` must be 'all' or from 0 to 2, since.*; got 3"):
        write("none.npz", format="npz", label="3")


def test_models_without_classes_have_no_label(tmp_path):
    tf_marscf.save(small_distribution(**OPTIONS), tmp_path / "run")
    config = SampleConfig(train_dir=str(tmp_path / "run"), format="npz", label="all")
    with pytest.raises(InputError, match="`label` must be None, since.*no classes.*; got 'all'"):
        write_samples(config)
    config = SampleConfig(train_dir=str(tmp_path / "run"), format="npz", num_samples=1)
    assert "label" not in write_samples(config, report=lambda line: None, progress=False)


@pytest.mark.parametrize("label", ["-1", "cat", "1.5", ""])
def test_labels_that_are_none(label):
    with pytest.raises(InputError, match="`label` must be an integer >= 0 or 'all'; got"):
        SampleConfig(train_dir=".", label=label)
