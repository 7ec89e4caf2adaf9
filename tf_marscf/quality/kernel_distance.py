"""KID: the squared maximum mean discrepancy of features under a polynomial kernel."""

import dataclasses
import math

import numpy as np

from tf_marscf.quality.gaussian_statistics import checked_features

MIN_BLOCK_SIZE = 2


@dataclasses.dataclass(frozen=True)
class KernelDistance:
    """A mean over blocks of images, without bias: it may be a little below 0."""

    mean: float
    standard_error: float | None  # From the spread between blocks; None for a single block.
    num_blocks: int
    block_size: int  # Images of either kind in a block.

    def __str__(self):
        if self.standard_error is None:
            return f"{self.mean:.5f}"
        return f"{self.mean:.5f} +- {self.standard_error:.5f}"


def polynomial_kernel(first, second):
    """`k(x, y) = (x . y / D + 1)^3` of all pairs: [n, D], [m, D] -> [n, m]."""
    return (first @ second.T / first.shape[1] + 1.0) ** 3


def squared_mean_discrepancy(first, second):
    """The unbiased estimate of the squared maximum mean discrepancy, a Python float.

        sum_{i != j} k(x_i, x_j) / (n (n - 1)) + sum_{i != j} k(y_i, y_j) / (m (m - 1))
            - 2 sum_{i, j} k(x_i, y_j) / (n m)

    (Gretton et al. 2012, Eq. 3; KID: Binkowski et al. 2018, Section 3.) `ValueError` unless x and
    y are finite, [n, D] and [m, D], with n, m >= 2.
    """
    first = checked_features(first)
    second = checked_features(second, first.shape[1])
    within = 0.0
    for features in (first, second):
        count = len(features)
        if count < MIN_BLOCK_SIZE:
            raise ValueError(f"features must be of at least 2 images; got {count}.")
        kernel = polynomial_kernel(features, features)
        within += (kernel.sum() - np.trace(kernel)) / (count * (count - 1))
    return float(within - 2.0 * polynomial_kernel(first, second).mean())


class KernelDistanceAccumulator:
    """KID of two streams of features: the mean over blocks that do not overlap.

    Each block of samples meets one of real images. The mean over blocks is as unbiased as that over
    the 100 random subsets of 1,000 images that are usual; its standard error is an honest one,
    since no image is in two blocks; and no more than a block of each stream is kept.

    `block_size` is the number of images of either kind in a block, >= 2; else `ValueError`.
    """

    def __init__(self, block_size=1000):
        if block_size < MIN_BLOCK_SIZE:
            raise ValueError(f"`block_size` must be an integer >= 2; got {block_size!r}.")
        self._block_size = block_size
        self._waiting = {"samples": [], "references": []}  # Vectors that are in no block yet.
        self._values = []

    def add(self, kind, features):
        """Adds features [n, D] of "samples" or of "references", the real images."""
        self._waiting[kind] += list(features)
        while min(self._num_waiting) >= self._block_size:
            self._values.append(self._discrepancy(self._block_size))
            for waiting in self._waiting.values():
                del waiting[: self._block_size]

    def result(self):
        """The `KernelDistance` of all whole blocks; where there is none, of what there is.

        `ValueError` if there are fewer than two images of a kind.
        """
        values, block_size = self._values, self._block_size
        if not values:
            block_size = min(self._num_waiting)
            if block_size < MIN_BLOCK_SIZE:
                num_samples, num_references = self._num_waiting
                raise ValueError(
                    f"`block_size` must be at least 2; got {num_samples} samples and "
                    f"{num_references} real images."
                )
            values = [self._discrepancy(block_size)]
        standard_error = None
        if len(values) > 1:
            standard_error = float(np.std(values, ddof=1)) / math.sqrt(len(values))
        return KernelDistance(float(np.mean(values)), standard_error, len(values), block_size)

    @property
    def _num_waiting(self):
        return [len(waiting) for waiting in self._waiting.values()]

    def _discrepancy(self, size):
        """That of the first vectors of each kind."""
        return squared_mean_discrepancy(*(waiting[:size] for waiting in self._waiting.values()))
