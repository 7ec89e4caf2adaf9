"""FID, KID and Inception score of a model's samples."""

import dataclasses
import itertools

import numpy as np

from tf_marscf.errors import InputError, RunError, warn
from tf_marscf.quality.gaussian_statistics import GaussianStatistics, frechet_distance
from tf_marscf.quality.inception_score import InceptionScore, InceptionScoreAccumulator
from tf_marscf.quality.kernel_distance import (
    MIN_BLOCK_SIZE,
    KernelDistance,
    KernelDistanceAccumulator,
)
from tf_marscf.quality.quality_config import QualityConfig
from tf_marscf.sampling.image_grid import spread_grey_levels
from tf_marscf.sampling.sample_stream import check_num_finite

_MAX_MOMENT = 1e150


@dataclasses.dataclass(frozen=True)
class SampleQuality:
    """Quality of samples, measured with one feature extractor.

    `fid` is the Frechet distance of the features of samples and real images; a metric that was not
    asked for is None. `num_non_finite` are further samples that were left out. For the Inception
    score alone there are no reference images, and no `num_features`, the length of a vector.
    """

    fid: float | None
    kid: KernelDistance | None
    inception_score: InceptionScore | None
    num_samples: int
    num_non_finite: int
    num_reference_images: int
    num_features: int | None
    feature_extractor: str

    def to_dict(self):
        """A dict that JSON can hold."""
        return dataclasses.asdict(self)

    def lines(self):
        """One line a metric."""
        images = f"{self.num_samples} samples"
        against = f"{images}, {self.num_reference_images} real images"
        lines = []
        if self.fid is not None:
            lines.append(f"FID {self.fid:.3f} ({against})")
        if self.kid is not None:
            plural = "" if self.kid.num_blocks == 1 else "s"
            blocks = f"{self.kid.num_blocks} block{plural} of {self.kid.block_size}"
            lines.append(f"KID {self.kid} ({against}; {blocks})")
        if self.inception_score is not None:
            splits = f"{self.inception_score.num_splits} splits"
            lines.append(f"Inception score {self.inception_score} ({images}; {splits})")
        return lines


def check_features(extracted, name, metrics):
    """Raises `InputError` if the `ImageFeatures` of an extractor lack what metrics need."""
    if {"fid", "kid"} & set(metrics) and extracted.features is None:
        raise InputError(
            f"`feature_extractor` must give features for FID and KID; {name} gives class "
            "probabilities only."
        )
    if "inception_score" in metrics and extracted.probabilities is None:
        raise InputError(
            "`feature_extractor` must give class probabilities or logits for the Inception score; "
            f"{name} gives none."
        )


def evaluate_sample_quality(
    extractor,
    sample_batches,
    num_samples,
    reference_batches=None,
    num_reference_images=None,
    config=None,
    num_grey_levels=256,
    report=warn,
):
    """Measures samples against real images, batch by batch.

    Samples and real images are read side by side and kept as sums in float64 only (KID: a block
    of features of each), so that memory does not grow with their number.

    Args:
        extractor: a `FeatureExtractor`.
        sample_batches: an iterable of `SampleBatch`es.
        num_samples: how many samples these are, finite or not.
        reference_batches: an iterable of uint8 arrays [n, H, W, C] of real images; None for the
            Inception score alone.
        num_reference_images: how many real images these are.
        config: a `QualityConfig` with the metrics; its blocks and splits are smaller and fewer
            where there are fewer images.
        num_grey_levels: grey levels of both kinds of images; the extractor sees 0 to 255.
        report: called with each warning.

    Returns:
        A `SampleQuality`.

    Raises:
        RunError: if no sample is finite, or the extractor's outputs are not.
        InputError: if an argument is wrong, or the extractor lacks what a metric needs.
    """
    config = config or QualityConfig()
    metrics = config.metrics
    needs_features = bool({"fid", "kid"} & set(metrics))
    if needs_features and (reference_batches is None or not num_reference_images):
        raise InputError("`reference_batches` must be given for FID and KID; got None.")
    kernel_distance, score = None, None
    if "kid" in metrics:
        block_size = min(config.kid_block_size, num_samples, num_reference_images)
        if block_size < MIN_BLOCK_SIZE:
            raise InputError(
                "KID must have at least 2 images of each kind in a block; got "
                f"kid_block_size={config.kid_block_size}, {num_samples} samples and "
                f"{num_reference_images} real images."
            )
        kernel_distance = KernelDistanceAccumulator(block_size)
    if "inception_score" in metrics:
        score = InceptionScoreAccumulator(num_samples, min(config.num_splits, num_samples))
    num_non_finite, counts = 0, {"samples": 0, "references": 0}
    statistics = {kind: GaussianStatistics() for kind in counts}
    pairs = itertools.zip_longest(sample_batches, reference_batches if needs_features else ())
    for batch, real_images in pairs:
        images = {"references": () if real_images is None else np.asarray(real_images)}
        if batch is not None:
            num_non_finite += batch.num_non_finite
            images["samples"] = batch.images
        for kind, part in images.items():
            if not len(part):
                continue
            counts[kind] += len(part)
            extracted = extractor(spread_grey_levels(part, num_grey_levels))
            check_features(extracted, extractor.name, metrics)
            if "fid" in metrics:
                statistics[kind].add(extracted.features)
            if kernel_distance is not None:
                kernel_distance.add(kind, extracted.features)
            if score is not None and kind == "samples":
                score.add(extracted.probabilities)
    check_num_finite(counts["samples"], counts["samples"] + num_non_finite, report)
    return SampleQuality(
        fid=_fid(*statistics.values(), report) if "fid" in metrics else None,
        kid=None if kernel_distance is None else _kid(kernel_distance),
        inception_score=None if score is None else _result(score),
        num_samples=counts["samples"],
        num_non_finite=num_non_finite,
        num_reference_images=counts["references"],
        num_features=extracted.features.shape[1] if needs_features else None,
        feature_extractor=extractor.name,
    )


def _fid(samples, references, report):
    fewest = min(samples.count, references.count)
    if fewest < 2:
        raise RunError(
            f"FID needs at least 2 images of each kind; got {samples.count} samples and "
            f"{references.count} real images."
        )
    if fewest <= samples.num_features:
        report(
            f"FID is biased upwards: {fewest} images are too few for the covariance of "
            f"{samples.num_features} features; KID has no such bias"
        )
    moments = (samples.mean, samples.covariance, references.mean, references.covariance)
    # Far above all features, and so that their squares are finite.
    if not all(np.all(np.abs(part) < _MAX_MOMENT) for part in moments):
        raise RunError("FID cannot be computed: the features are too large for float64.")
    return frechet_distance(*moments)


def _kid(kernel_distance):
    distance = _result(kernel_distance)
    if not np.isfinite([distance.mean, distance.standard_error or 0.0]).all():
        raise RunError("KID cannot be computed: the features are too large for float64.")
    return distance


def _result(accumulator):
    """What was left out may leave too little, which no argument could tell beforehand."""
    try:
        return accumulator.result()
    except ValueError as error:
        raise RunError(f"too few samples are finite: {error}") from error
