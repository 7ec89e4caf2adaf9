"""An export on the page: all of it with its weights, and what its signatures can do without."""

import shutil

import numpy as np
import pytest
import tensorflow as tf

import tf_marscf
from tests.small_models import randomize
from tests.small_trainers import random_pixels, small_distribution
from tf_marscf.errors import InputError, RunError
from tf_marscf.explore.explore_config import ExploreConfig
from tf_marscf.explore.explorer import NUM_POINTS, Explorer
from tf_marscf.explore.opened_model import open_model
from tf_marscf.explore.saved_model_explorer import SavedModelExplorer
from tf_marscf.serving.export import export_model


def export_of(directory, **options):
    """`(distribution, path of a version with its weights, another without)`."""
    distribution = small_distribution(prior="gaussian", **options)
    randomize(distribution.distribution)
    tf_marscf.save(distribution, directory / "saved")
    whole = export_model(directory / "saved", directory / "whole")
    bare = directory / "bare" / "1"
    shutil.copytree(whole, bare, ignore=shutil.ignore_patterns("assets.extra"))
    return distribution, whole, bare


@pytest.fixture(scope="module", name="exported")
def fixture_exported(tmp_path_factory):
    return export_of(tmp_path_factory.mktemp("exported"))


@pytest.fixture(scope="module", name="bare")
def fixture_bare(exported):
    return SavedModelExplorer(exported[2])


def opened(path, **options):
    return open_model(ExploreConfig(model=str(path), **options))


def test_an_export_with_its_weights_can_do_everything(exported):
    distribution, whole, _ = exported
    for path in (whole, whole.parent):
        model = opened(path)
        assert isinstance(model.explorer, Explorer)
        assert model.explorer.lacks == {}
        assert "give --dataset" in model.compared.problem
        assert ("levels", "2") in model.facts
    assert opened(whole, dataset="digits").compared.num_test_images == 300
    (image,) = random_pixels(1)
    expected = distribution.bits_per_dim(image[np.newaxis], seed=0)[0]
    assert model.explorer.score(image).bits_per_dim == pytest.approx(float(expected), rel=1e-5)


def test_a_saved_model_alone_says_what_it_cannot_do(exported):
    model = opened(exported[2].parent)
    assert isinstance(model.explorer, SavedModelExplorer)
    assert set(model.explorer.lacks) == {"level", "map", "projection", "place"}
    assert all("without its weights" in line for line in model.explorer.lacks.values())
    assert model.compared is None
    with pytest.raises(InputError, match="`dataset` must be None for a SavedModel without its"):
        opened(exported[2], dataset="digits")


def test_what_a_saved_model_is_follows_from_what_it_accepts(bare):
    assert bare.image_shape == (8, 8, 1)
    assert (bare.num_levels, bare.num_grey_levels, bare.num_classes) == (2, 17, None)


def test_its_samples_paths_and_scores_are_those_of_its_signatures(exported, bare):
    distribution, whole, _ = exported
    signatures = tf.saved_model.load(str(whole)).signatures
    batch = bare.sample(3, 5, [0.5, 1.0])
    expected = signatures["sample"](
        num_samples=tf.constant(3), seed=tf.constant(5), temperature=tf.constant([0.5, 1.0])
    )["images"]
    np.testing.assert_array_equal(batch.images, expected)
    np.testing.assert_array_equal(batch.indices, [0, 1, 2])

    first, second = random_pixels(2)
    path = bare.path(first, second)
    assert path.images.shape == (NUM_POINTS, 8, 8, 1)
    np.testing.assert_array_equal(path.images[[0, -1]], [first, second])
    own = Explorer(distribution).path(first, second)
    assert np.mean(path.images != own.images) < 0.02

    score = bare.score(first)
    served = signatures["serving_default"](images=tf.constant(first[np.newaxis]))
    assert score.bits_per_dim == float(served["bits_per_dim"][0])
    assert score.maps is None


def test_wrong_requests_are_named(bare):
    with pytest.raises(InputError, match="`num_samples` must be an integer in 1 ... 64; got 0"):
        bare.sample(0, 0)
    with pytest.raises(InputError, match=r"`seed` must be an integer in 0 ... 2147483647; got -1"):
        bare.sample(1, -1)
    with pytest.raises(InputError, match="`temperature` must be finite and >= 0; got nan"):
        bare.sample(1, 0, float("nan"))
    with pytest.raises(InputError, match="`temperature` must be .* one for each of 2 levels"):
        bare.sample(1, 0, [1.0, 1.0, 1.0])
    with pytest.raises(RunError, match="the SavedModel refuses: .*`images` must hold grey levels"):
        bare.score(np.full([8, 8, 1], 17, np.uint8))


def test_classes_of_a_saved_model(tmp_path):
    distribution, _, bare = export_of(tmp_path, num_levels=1, num_classes=3)
    explorer = SavedModelExplorer(bare)
    assert explorer.num_classes == 3
    np.testing.assert_array_equal(explorer.sample(4, 0).labels, [0, 1, 2, 0])
    assert explorer.sample(4, 0, label=2).images.shape == (4, 8, 8, 1)
    (image,) = random_pixels(1)
    given = [explorer.score(image, label) for label in range(3)]
    best = explorer.score(image)
    assert best.bits_per_dim == min(score.bits_per_dim for score in given)
    assert given[best.label].bits_per_dim == best.bits_per_dim
    assert 1 / 3 < best.label_probability <= 1.0
    with pytest.raises(InputError, match="`label` must be an integer in 0 ... 2; got 3"):
        explorer.score(image, 3)


def test_other_saved_models_are_refused(tmp_path):
    module = tf.Module()
    module.f = tf.function(lambda x: {"y": x}, input_signature=[tf.TensorSpec([], name="x")])
    tf.saved_model.save(module, str(tmp_path / "other"), signatures={"serving_default": module.f})
    with pytest.raises(InputError, match="`model` must be an export of tf_marscf; .* no signature"):
        opened(tmp_path / "other")
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged" / "saved_model.pb").write_bytes(b"\xff\x00nonsense")
    with pytest.raises(InputError, match="`model` must be a SavedModel that can be read"):
        opened(tmp_path / "damaged")
