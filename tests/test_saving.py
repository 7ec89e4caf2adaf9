"""Distributions as directories."""

import numpy as np
import pytest

import tf_marscf
from tests.small_models import small_model
from tf_marscf.errors import RunError
from tf_marscf.serving.export import export_model


@pytest.fixture(name="distribution")
def fixture_distribution():
    return tf_marscf.Dequantized(small_model(), num_grey_levels=17, published_scaling=True)


def assert_equal(first, second):
    assert first.distribution.config == second.distribution.config
    assert first.num_grey_levels == second.num_grey_levels
    assert first.scaling.published == second.scaling.published
    for one, other in zip(first.variables, second.variables, strict=True):
        np.testing.assert_array_equal(one, other)


def test_saved_distribution_is_loaded_bit_for_bit(distribution, tmp_path):
    tf_marscf.save(distribution, tmp_path / "model")
    assert_equal(tf_marscf.load(tmp_path / "model"), distribution)


def test_export_is_loaded_from_its_version_or_its_newest(distribution, tmp_path):
    tf_marscf.save(distribution, tmp_path / "model")
    path = export_model(tmp_path / "model", tmp_path / "served")
    assert_equal(tf_marscf.load(path), distribution)
    assert_equal(tf_marscf.load(tmp_path / "served"), distribution)


def test_saving_overwrites_nothing(distribution, tmp_path):
    tf_marscf.save(distribution, tmp_path)
    with pytest.raises(RunError, match="holds a model already"):
        tf_marscf.save(distribution, tmp_path)


def test_other_directories_are_refused(tmp_path):
    with pytest.raises(ValueError, match="`path` must be a training directory or an export"):
        tf_marscf.load(tmp_path)
    with pytest.raises(FileNotFoundError, match="`path` must be a directory"):
        tf_marscf.load(tmp_path / "missing")
