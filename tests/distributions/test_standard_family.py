"""Families of distributions of mean 0 and variance 1, against SciPy."""

import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

from tf_marscf.distributions.standard_family import STANDARD_FAMILIES

SCIPY = {
    "normal": scipy.stats.norm(),
    "logistic": scipy.stats.logistic(scale=np.sqrt(3.0) / np.pi),
}
families = pytest.mark.parametrize("name", SCIPY)


@families
def test_log_density_is_that_of_variance_1(name):
    family, expected = STANDARD_FAMILIES[name], SCIPY[name]
    assert expected.var() == pytest.approx(1.0)
    x = tf.constant(np.linspace(-200.0, 200.0, 401))
    log_density = family.exponent(x) - family.log_normalizer
    np.testing.assert_allclose(log_density, expected.logpdf(x), rtol=1e-12, atol=1e-12)


@families
@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-5), ("float64", 1e-10)])
def test_normal_noise_gets_the_distribution(name, dtype, tolerance):
    """Quantiles of the same probability, to what TFP's asymptotic series of `log_cdf` is worth."""
    lower = np.linspace(-30.0, 0.0, 61)
    logarithm = scipy.stats.norm.logcdf(lower)
    expected = lower
    if name == "logistic":  # logit(p) = log p - log(1 - p), without forming p.
        expected = np.sqrt(3.0) / np.pi * (logarithm - np.log1p(-np.exp(logarithm)))
    for sign in (1.0, -1.0):
        noise = tf.constant(sign * lower, dtype)
        actual = STANDARD_FAMILIES[name].from_normal(noise)
        np.testing.assert_allclose(actual, sign * expected, rtol=tolerance, atol=tolerance)
        assert np.all(sign * np.diff(actual) > 0.0)


def test_logistic_noise_has_mean_0_variance_1_and_heavier_tails():
    normal = tf.random.stateless_normal([100_000], [1, 2], dtype="float64")
    noise = STANDARD_FAMILIES["logistic"].from_normal(normal).numpy()
    assert np.mean(noise) == pytest.approx(0.0, abs=0.02)
    assert np.var(noise) == pytest.approx(1.0, abs=0.03)
    assert scipy.stats.kurtosis(noise) == pytest.approx(1.2, abs=0.3)
