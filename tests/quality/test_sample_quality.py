"""FID, KID and Inception score of streams of images."""

import dataclasses

import numpy as np
import pytest

from tests.small_extractors import MeanAndSpread
from tf_marscf.errors import RunError
from tf_marscf.quality.gaussian_statistics import frechet_distance
from tf_marscf.quality.kernel_distance import squared_mean_discrepancy
from tf_marscf.quality.quality_config import QualityConfig
from tf_marscf.quality.sample_quality import evaluate_sample_quality
from tf_marscf.sampling.sample_stream import SampleBatch


def images_of(levels, seed=0):
    """8x8 images around given grey levels."""
    noise = np.random.default_rng(seed).normal(size=(len(levels), 8, 8, 1))
    return np.clip(np.asarray(levels)[:, None, None, None] + 10 * noise, 0, 255).astype(np.uint8)


def sample_batches(images, size, num_non_finite=0):
    for start in range(0, len(images), size):
        part = images[start : start + size]
        yield SampleBatch(part, np.arange(start, start + len(part)), num_non_finite)
        num_non_finite = 0


SAMPLES = images_of(np.linspace(20, 230, 40))
REAL = images_of(np.linspace(60, 250, 60), seed=1)


FID = QualityConfig(metrics=["fid"])


def measure(sample_size=7, reference_size=11, **options):
    references = [
        REAL[start : start + reference_size] for start in range(0, len(REAL), reference_size)
    ]
    return evaluate_sample_quality(
        MeanAndSpread(), sample_batches(SAMPLES, sample_size), 40, references, 60,
        QualityConfig(**options),
    )  # fmt: skip


def test_figures_are_those_of_all_features_at_once():
    first, second = (MeanAndSpread()(images).features for images in (SAMPLES, REAL))
    found = measure(kid_block_size=1000, num_splits=1)
    expected = frechet_distance(
        first.mean(axis=0), np.cov(first, rowvar=False),
        second.mean(axis=0), np.cov(second, rowvar=False),
    )  # fmt: skip
    assert found.fid == pytest.approx(expected, rel=1e-9)
    assert found.kid.mean == pytest.approx(squared_mean_discrepancy(first, second[:40]))
    # Half of the samples are surely dark, half surely light.
    assert found.inception_score.mean == pytest.approx(2.0, rel=1e-3)
    assert (found.num_samples, found.num_reference_images, found.num_features) == (40, 60, 2)


def test_figures_do_not_depend_on_batches():
    first, second = measure(40, 60, kid_block_size=10), measure(3, 7, kid_block_size=10)
    assert first.fid == pytest.approx(second.fid, rel=1e-9)
    assert first.kid.mean == pytest.approx(second.kid.mean, rel=1e-9)
    assert first.kid.num_blocks == second.kid.num_blocks == 4
    assert first.inception_score == second.inception_score


def test_equal_sets_are_at_distance_zero():
    found = evaluate_sample_quality(MeanAndSpread(), sample_batches(REAL, 9), 60, [REAL], 60, FID)
    assert found.fid == pytest.approx(0.0, abs=1e-12)
    assert found.kid is found.inception_score is None


def test_grey_levels_are_spread_first():
    samples, real = SAMPLES // 16, REAL // 16
    found = evaluate_sample_quality(
        MeanAndSpread(), sample_batches(samples, 9), 40, [real], 60, FID, num_grey_levels=16
    )
    expected = evaluate_sample_quality(
        MeanAndSpread(), sample_batches(samples * 17, 9), 40, [real * 17], 60, FID
    )
    assert found == expected


def test_samples_that_are_not_finite_are_counted():
    reports = []
    found = evaluate_sample_quality(
        MeanAndSpread(), sample_batches(SAMPLES, 10, num_non_finite=3), 43, [REAL], 60,
        report=reports.append,
    )  # fmt: skip
    assert (found.num_samples, found.num_non_finite) == (40, 3)
    assert reports == ["3 of 43 samples are not finite, and left out."]
    nothing = [SampleBatch(SAMPLES[:0], np.zeros([0], int), 4)]
    with pytest.raises(RunError, match="none of 4 samples is finite"):
        evaluate_sample_quality(MeanAndSpread(), nothing, 4, [REAL], 60)


def test_fewer_images_than_features_are_warned_of():
    reports = []
    evaluate_sample_quality(
        MeanAndSpread(), sample_batches(SAMPLES[:2], 2), 2, [REAL], 60, FID,
        report=reports.append,
    )  # fmt: skip
    (text,) = reports
    assert text.startswith("FID is biased upwards: 2 images are too few for the covariance of 2")


def test_inception_score_needs_no_real_images():
    found = evaluate_sample_quality(
        MeanAndSpread(has_features=False), sample_batches(SAMPLES, 9), 40,
        config=QualityConfig(metrics=["inception_score"]),
    )  # fmt: skip
    assert found.fid is found.kid is found.num_features is None
    assert found.num_reference_images == 0
    assert len(found.lines()) == 1


@pytest.mark.parametrize(
    ("arguments", "extractor", "message"),
    [
        ({"metrics": ["fid", "is"]}, {}, "`metrics` must be some of .*'fid,is'"),
        ({"metrics": []}, {}, "`metrics`"),
        ({"metrics": ["kid"], "kid_block_size": 1}, {}, "`kid_block_size`.* >= 2; got 1"),
        ({"metrics": ["fid"]}, {"has_features": False}, "must give features for FID and KID"),
        (
            {"metrics": ["inception_score"]},
            {"has_probabilities": False},
            "must give class probabilities or logits",
        ),
    ],
)
def test_what_does_not_fit_is_named(arguments, extractor, message):
    with pytest.raises(ValueError, match=message):
        evaluate_sample_quality(
            MeanAndSpread(**extractor), sample_batches(SAMPLES, 9), 40, [REAL], 60,
            QualityConfig(**arguments),
        )  # fmt: skip
    with pytest.raises(ValueError, match="at least 2 images.*1 samples and 60 real"):
        evaluate_sample_quality(MeanAndSpread(), sample_batches(SAMPLES[:1], 9), 1, [REAL], 60)
    with pytest.raises(ValueError, match="`reference_batches` must be given"):
        evaluate_sample_quality(MeanAndSpread(), sample_batches(SAMPLES, 9), 40)


def test_result_is_a_dict_of_plain_numbers():
    content = measure().to_dict()
    assert set(content) == {field.name for field in dataclasses.fields(measure())}
    assert isinstance(content["kid"]["mean"], float)
    assert [line.split()[0] for line in measure().lines()] == ["FID", "KID", "Inception"]


@pytest.mark.parametrize("metric", ["fid", "kid"])
def test_features_beyond_what_can_be_squared_are_an_error(metric):
    class Large(MeanAndSpread):
        def __call__(self, images):
            features = super().__call__(images)
            return dataclasses.replace(features, features=1e200 * features.features)

    config = QualityConfig(metrics=[metric])
    with (
        np.errstate(all="ignore"),
        pytest.raises(RunError, match="cannot be computed: the features are too large"),
    ):
        evaluate_sample_quality(Large(), sample_batches(SAMPLES, 9), 40, [REAL], 60, config)
