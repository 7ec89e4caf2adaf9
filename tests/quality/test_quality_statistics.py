"""Frechet distance, KID and Inception score against closed forms."""

import numpy as np
import pytest

from tf_marscf.quality.gaussian_statistics import GaussianStatistics, frechet_distance
from tf_marscf.quality.inception_score import InceptionScoreAccumulator
from tf_marscf.quality.kernel_distance import (
    KernelDistanceAccumulator,
    squared_mean_discrepancy,
)


def random_rotation(size, seed=0):
    return np.linalg.qr(np.random.default_rng(seed).normal(size=(size, size)))[0]


def statistics_of(features, batch_size):
    statistics = GaussianStatistics(features.shape[1])
    for start in range(0, len(features), batch_size):
        statistics.add(features[start : start + batch_size])
    return statistics


def inception_score(probabilities, num_splits=1):
    accumulator = InceptionScoreAccumulator(len(probabilities), num_splits)
    accumulator.add(probabilities)
    return accumulator.result()


def distance(first, second):
    return frechet_distance(first.mean, first.covariance, second.mean, second.covariance)


@pytest.mark.parametrize("batch_size", [1, 7, 100])
def test_statistics_batch_by_batch_are_those_of_all(batch_size):
    features = 1e4 + np.random.default_rng(0).normal(size=(100, 5)) @ np.diag([1, 2, 3, 4, 0])
    statistics = statistics_of(features, batch_size)
    assert statistics.count == 100
    np.testing.assert_allclose(statistics.mean, features.mean(axis=0), rtol=1e-14)
    np.testing.assert_allclose(statistics.covariance, np.cov(features, rowvar=False), atol=1e-9)


def test_statistics_refuse_what_is_no_feature():
    statistics = GaussianStatistics(2)
    with pytest.raises(ValueError, match="`count` must be at least 2"):
        _ = statistics.covariance
    with pytest.raises(ValueError, match=r"shape \[n, 2\]; got \(1, 3\)"):
        statistics.add(np.zeros([1, 3]))
    with pytest.raises(ValueError, match="must be finite; got 1 values"):
        statistics.add([[0.0, np.nan]])


def test_frechet_distance_of_gaussians_on_common_axes():
    """With A = Q diag(a) Q^T and B = Q diag(b) Q^T: |m - n|^2 + sum (sqrt a - sqrt b)^2."""
    axes = random_rotation(6)
    variances = np.array([[4.0, 1.0, 0.25, 9.0, 0.0, 1e-6], [1.0, 1.0, 4.0, 0.0, 0.0, 1e6]])
    means = np.random.default_rng(1).normal(size=(2, 6))
    covariances = [(axes * row) @ axes.T for row in variances]
    expected = np.sum((means[0] - means[1]) ** 2) + np.sum(
        (np.sqrt(variances[0]) - np.sqrt(variances[1])) ** 2
    )
    found = frechet_distance(means[0], covariances[0], means[1], covariances[1])
    assert found == pytest.approx(expected, rel=1e-9)


def test_frechet_distance_of_2x2_covariances_that_do_not_commute():
    """tr (A B)^(1/2) of 2x2 matrices is sqrt(tr(A B) + 2 sqrt(det A det B))."""
    first, second = np.array([[2.0, 0.9], [0.9, 1.0]]), np.array([[1.0, -0.5], [-0.5, 3.0]])
    cross = np.sqrt(
        np.trace(first @ second) + 2.0 * np.sqrt(np.linalg.det(first) * np.linalg.det(second))
    )
    expected = 25.0 + np.trace(first) + np.trace(second) - 2.0 * cross
    assert frechet_distance([0, 0], first, [3, 4], second) == pytest.approx(expected, rel=1e-12)
    assert frechet_distance([3, 4], second, [0, 0], first) == pytest.approx(expected, rel=1e-12)


def test_frechet_distance_agrees_with_the_matrix_square_root_of_scipy():
    import scipy.linalg

    generator = np.random.default_rng(0)
    first, second = (generator.normal(size=(12, 8)) for _ in range(2))
    first, second = first.T @ first, second.T @ second
    cross = np.trace(scipy.linalg.sqrtm(first @ second)).real
    expected = np.trace(first) + np.trace(second) - 2.0 * cross
    assert frechet_distance(np.zeros(8), first, np.zeros(8), second) == pytest.approx(expected)


def test_frechet_distance_of_many_draws_nears_that_of_the_gaussians():
    generator = np.random.default_rng(0)
    scales, shift = np.array([1.0, 2.0, 0.5]), np.array([1.0, 0.0, -1.0])
    first = generator.normal(size=(40_000, 3))
    second = generator.normal(size=(40_000, 3)) * scales + shift
    expected = np.sum(shift**2) + np.sum((1.0 - scales) ** 2)
    found = distance(statistics_of(first, 1000), statistics_of(second, 999))
    assert found == pytest.approx(expected, rel=0.03)


@pytest.mark.parametrize("num_images", [5, 200])
def test_equal_sets_have_distance_zero_even_with_fewer_images_than_features(num_images):
    features = 100.0 * np.random.default_rng(0).normal(size=(num_images, 50))
    first, second = statistics_of(features, 7), statistics_of(features, num_images)
    assert distance(first, second) < 1e-7 * np.trace(first.covariance)


@pytest.mark.parametrize(
    ("covariance", "message"),
    [
        (np.eye(3), r"`covariance` must have shape \[D, D\]"),
        ([[1.0, 0.5], [0.0, 1.0]], "`covariance` must be symmetric"),
        ([[1.0, 0.0], [0.0, -1.0]], "eigenvalues >= 0; got -1"),
        ([[1.0, 0.0], [0.0, np.nan]], "`covariance` must be finite"),
    ],
)
def test_frechet_distance_refuses_what_is_no_covariance(covariance, message):
    with pytest.raises(ValueError, match=message):
        frechet_distance(np.zeros(2), covariance, np.zeros(2), np.eye(2))


def test_mean_discrepancy_is_the_double_sum():
    generator = np.random.default_rng(0)
    first, second = generator.normal(size=(5, 3)), generator.normal(size=(7, 3)) + 1.0

    def kernel(one, other):
        return (np.dot(one, other) / 3 + 1.0) ** 3

    def within(features):
        count = len(features)
        pairs = [
            kernel(features[i], features[j]) for i in range(count) for j in range(count) if i != j
        ]
        return sum(pairs) / (count * (count - 1))

    between = np.mean([kernel(one, other) for one in first for other in second])
    expected = within(first) + within(second) - 2.0 * between
    assert squared_mean_discrepancy(first, second) == pytest.approx(expected, rel=1e-12)


def test_kernel_distance_has_no_bias():
    """The mean over many small blocks is near the exact value, here that of D = 1 Gaussians.

    k(x, y) = sum_p binomial(3, p) x^p y^p, so the squared discrepancy is the sum over p of
    binomial(3, p) (E x^p - E y^p)^2.
    """
    generator = np.random.default_rng(0)
    shift = 0.5
    accumulator = KernelDistanceAccumulator(block_size=4)
    for _ in range(100):
        accumulator.add("samples", generator.normal(size=(500, 1)) + shift)
        accumulator.add("references", generator.normal(size=(500, 1)))
    moments = {1: (shift, 0.0), 2: (1 + shift**2, 1.0), 3: (shift**3 + 3 * shift, 0.0)}
    expected = sum(
        {1: 3, 2: 3, 3: 1}[power] * (one - other) ** 2 for power, (one, other) in moments.items()
    )
    result = accumulator.result()
    assert result.num_blocks == 12_500
    assert abs(result.mean - expected) < 4 * result.standard_error
    assert result.standard_error < 0.1 * expected


def test_kernel_distance_does_not_depend_on_batches():
    generator = np.random.default_rng(0)
    first, second = generator.normal(size=(25, 3)), generator.normal(size=(31, 3))
    expected = [
        squared_mean_discrepancy(first[start : start + 10], second[start : start + 10])
        for start in (0, 10)
    ]
    for sizes in ((25, 31), (4, 9)):
        accumulator = KernelDistanceAccumulator(block_size=10)
        for start in range(0, 31, sizes[0]):
            accumulator.add("samples", first[start : start + sizes[0]])
        for start in range(0, 31, sizes[1]):
            accumulator.add("references", second[start : start + sizes[1]])
        result = accumulator.result()
        assert result.num_blocks == 2
        assert result.mean == pytest.approx(np.mean(expected), rel=1e-12)
        assert result.standard_error == pytest.approx(np.std(expected, ddof=1) / 2**0.5)


def test_kernel_distance_of_few_images_is_one_block():
    features = np.random.default_rng(0).normal(size=(9, 3))
    accumulator = KernelDistanceAccumulator(block_size=10)
    accumulator.add("samples", features[:4])
    with pytest.raises(ValueError, match="got 4 samples and 0 real images"):
        accumulator.result()
    accumulator.add("references", features[4:])
    result = accumulator.result()
    assert (result.num_blocks, result.block_size, result.standard_error) == (1, 4, None)
    assert result.mean == squared_mean_discrepancy(features[:4], features[4:8])


def test_inception_score_of_sure_and_even_predictions_is_the_number_of_classes():
    assert inception_score(np.tile(np.eye(7), (5, 1))).mean == pytest.approx(7.0, rel=1e-12)
    for probabilities in (np.full([6, 4], 0.25), np.tile([[1.0, 0.0]], (6, 1))):
        assert inception_score(probabilities).mean == pytest.approx(1.0, rel=1e-12)


def test_inception_score_is_its_formula():
    logits = np.random.default_rng(0).normal(size=(30, 4))
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)

    def score(part):
        marginal = part.mean(axis=0)
        return np.exp(np.mean(np.sum(part * np.log(part / marginal), axis=1)))

    expected = [score(part) for part in np.split(probabilities, 3)]
    accumulator = InceptionScoreAccumulator(30, num_splits=3)
    for start in range(0, 30, 7):
        accumulator.add(probabilities[start : start + 7])
    result = accumulator.result()
    assert result.mean == pytest.approx(np.mean(expected), rel=1e-12)
    assert result.standard_deviation == pytest.approx(np.std(expected), rel=1e-9)
    assert (result.num_splits, result.num_classes) == (3, 4)


def test_inception_score_refuses_what_is_no_probability():
    with pytest.raises(ValueError, match="rows >= 0 with sum 1"):
        inception_score(np.ones([3, 2]))
    with pytest.raises(ValueError, match="rows >= 0 with sum 1"):
        inception_score(np.full([3, 2], np.nan))
    with pytest.raises(ValueError, match="from 1 to the 3 samples; got 4"):
        inception_score(np.eye(3), num_splits=4)
    with pytest.raises(ValueError, match="of at least one sample"):
        InceptionScoreAccumulator(3, 1).result()
