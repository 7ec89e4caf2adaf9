"""The Inception score: how sure and how diverse a classifier finds samples."""

import dataclasses

import numpy as np
from scipy.special import entr

_TOLERANCE = 1e-3  # Of a sum of float32 probabilities.


@dataclasses.dataclass(frozen=True)
class InceptionScore:
    """A mean over splits of the samples."""

    mean: float  # From 1 (bad) to the number of classes.
    standard_deviation: float | None  # Between splits, as it is published; None for one split.
    num_splits: int
    num_classes: int  # Of the classifier.

    def __str__(self):
        if self.standard_deviation is None:
            return f"{self.mean:.4f}"
        return f"{self.mean:.4f} +- {self.standard_deviation:.4f}"


def is_probabilities(outputs):
    """Whether all rows of [n, K] are probabilities, up to rounding: >= 0, with sum 1."""
    return bool(np.all(outputs >= 0.0) and np.allclose(outputs.sum(axis=1), 1.0, atol=_TOLERANCE))


class InceptionScoreAccumulator:
    """The score of samples whose class probabilities come batch after batch.

        exp(mean_x KL(p(y | x) || p(y))),   p(y) = mean_x p(y | x)

    (Salimans et al. 2016, Section 4), for each of some consecutive splits of the samples, and then
    the mean over splits. A split keeps a vector and a number: memory does not grow.

    `num_images` are the samples in all, so that splits are of one size; `ValueError` if there are
    fewer than splits.
    """

    def __init__(self, num_images, num_splits=10):
        if not 1 <= num_splits <= num_images:
            raise ValueError(
                f"`num_splits` must be from 1 to the {num_images} samples; got {num_splits!r}."
            )
        self._num_images = num_images
        self._num_splits = num_splits
        self._num_seen = 0
        self._counts = np.zeros([num_splits])
        self._entropies = np.zeros([num_splits])
        self._probabilities = None

    def add(self, probabilities):
        """Adds class probabilities, [n, K]; `ValueError` if they are none, or too many."""
        probabilities = np.asarray(probabilities, np.float64)
        if probabilities.ndim != 2 or not is_probabilities(probabilities):
            raise ValueError(
                "`probabilities` must have shape [n, K], and rows >= 0 with sum 1; got shape "
                f"{probabilities.shape}."
            )
        if self._probabilities is None:
            self._probabilities = np.zeros([self._num_splits, probabilities.shape[1]])
        numbers = self._num_seen + np.arange(len(probabilities))
        self._num_seen += len(probabilities)
        if self._num_seen > self._num_images:
            raise ValueError(
                f"`probabilities` must be of {self._num_images} samples; got {self._num_seen}."
            )
        splits = numbers * self._num_splits // self._num_images
        np.add.at(self._counts, splits, 1.0)
        np.add.at(self._probabilities, splits, probabilities)
        np.add.at(self._entropies, splits, entr(probabilities).sum(axis=1))

    def result(self):
        """The `InceptionScore` of the splits that have samples; `ValueError` if none has."""
        is_filled = self._counts > 0.0
        if not np.any(is_filled):
            raise ValueError("`probabilities` must be of at least one sample; got none.")
        counts = self._counts[is_filled]
        marginals = self._probabilities[is_filled] / counts[:, None]
        # The mean KL divergence is the entropy of the mean less the mean entropy.
        divergences = entr(marginals).sum(axis=1) - self._entropies[is_filled] / counts
        scores = np.exp(divergences)
        return InceptionScore(
            mean=float(scores.mean()),
            standard_deviation=float(scores.std()) if len(scores) > 1 else None,
            num_splits=len(scores),
            num_classes=self._probabilities.shape[1],
        )
