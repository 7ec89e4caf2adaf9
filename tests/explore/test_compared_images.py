"""The place of an image among test images, and where their numbers come from."""

import dataclasses

import numpy as np
import pytest

import tf_marscf
from tests.small_trainers import small_distribution
from tf_marscf.data import DataConfig, DataUnavailableError
from tf_marscf.errors import InputError
from tf_marscf.evaluation.stored_scores import scores_entry
from tf_marscf.explore.compared_images import ComparedImages, Place
from tf_marscf.files.atomic_file import write_csv, write_json
from tf_marscf.runs.restored_run import RestoredRun
from tf_marscf.runs.run_config import RestoredRunConfig


@pytest.fixture(scope="module", name="directory")
def fixture_directory(tmp_path_factory):
    directory = tmp_path_factory.mktemp("compared") / "model"
    tf_marscf.save(small_distribution(num_levels=1, prior="gaussian"), directory)
    return directory


def restored(directory, **options):
    return RestoredRun(RestoredRunConfig(train_dir=str(directory), **options))


@pytest.mark.parametrize(
    ("bits_per_dim", "num_lower"), [(0.5, 0), (2.0, 1), (2.5, 2), (4.0, 3), (9.0, 4)]
)
def test_a_place_counts_those_with_fewer_bits(bits_per_dim, num_lower):
    place = Place.of(bits_per_dim, np.array([3.0, 2.0, 1.0, 4.0]), "made up")
    assert (place.num_lower, place.num_images) == (num_lower, 4)
    np.testing.assert_array_equal(place.bits_per_dim, [1.0, 2.0, 3.0, 4.0])


def test_test_images_are_scored_once(directory):
    compared = ComparedImages(restored(directory, dataset="digits"), 30)
    assert (compared.name, compared.num_test_images, compared.problem) == ("digits", 300, None)
    done = []
    place = compared.place(2.0, lambda *counts: done.append(counts))
    assert done == [(0, 30), (20, 30)]
    assert place.num_images == 30
    assert "the first 30 test images of digits, scored here" in place.source
    again = compared.place(99.0, lambda *counts: done.append(counts))
    assert len(done) == 2
    assert again.num_lower == 30


def test_images_have_numbers(directory):
    compared = ComparedImages(restored(directory, dataset="digits"), 30)
    images = list(compared._dataset.test.take(4).as_numpy_iterator())
    np.testing.assert_array_equal(compared.image(3), images[3])
    assert compared.label(3) is None
    for number in (-1, 300, 1.5, None):
        with pytest.raises(InputError, match="`from` must be that of a test image, from 0 to 299"):
            compared.image(number, "from")


def test_all_scores_of_an_evaluation_are_used_if_they_are_of_the_weights(directory):
    run = restored(directory, dataset="digits")
    json_path, csv_path = directory / "evaluation_digits_test.json", directory / "scores.csv"
    write_csv(csv_path, ["bits_per_dim"], [{"bits_per_dim": index / 100} for index in range(300)])
    content = {"weights": run.weights, "num_samples": 1, "num_images": 300}
    content["scores"] = scores_entry(str(json_path), str(csv_path))
    write_json(json_path, content)
    place = ComparedImages(run, 30).place(1.005)
    assert (place.num_lower, place.num_images) == (101, 300)
    assert place.source == f"all 300 test images of digits, from {csv_path}"
    # Of other weights, they are not.
    write_json(json_path, content | {"weights": "other"})
    place = ComparedImages(restored(directory, dataset="digits"), 20).place(2.0)
    assert place.num_images == 20
    json_path.unlink()


def test_without_a_data_set_there_is_a_sentence(directory):
    compared = ComparedImages(restored(directory), 30)
    assert "no data set is known for this model: give --dataset" in compared.problem
    assert (compared.name, compared.num_test_images) == (None, 0)


def test_a_data_set_is_named_or_its_absence_is_a_sentence(directory, monkeypatch):
    def unavailable(self, download=True):
        raise DataUnavailableError("mnist", "/data", "it is not prepared")

    monkeypatch.setattr(RestoredRun, "load_dataset", unavailable)
    with pytest.raises(DataUnavailableError):
        ComparedImages(restored(directory, dataset="mnist"), 30)
    run = restored(directory)
    run.run_config = dataclasses.replace(run.run_config, data=DataConfig(name="mnist"))
    compared = ComparedImages(run, 30)
    assert "the data set is not at hand: Data set 'mnist' is not available" in compared.problem
