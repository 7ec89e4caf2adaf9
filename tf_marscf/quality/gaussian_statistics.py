"""Mean and covariance of feature vectors, and the Frechet distance of two Gaussians.

In NumPy and float64, not in TensorFlow: FID is a small difference of large traces, and figures must
be the same on all devices.
"""

import numpy as np


class GaussianStatistics:
    """Mean and covariance of vectors that come batch after batch.

    Memory is that of one covariance, in float64, however many vectors there are. Batches are merged
    around their means (Chan et al. 1979), so that nothing cancels where means are large.
    `num_features` is D, the length of a vector, or None until the first one; `count` the number of
    vectors, and `mean` their mean, float64 [D].
    """

    def __init__(self, num_features=None):
        self.num_features = num_features
        self.count = 0
        self.mean = self._scatter = 0.0

    @property
    def covariance(self):
        """Their covariance, float64 [D, D], with divisor count - 1; `ValueError` if count < 2."""
        if self.count < 2:
            raise ValueError(f"`count` must be at least 2 for a covariance; got {self.count}.")
        return self._scatter / (self.count - 1)

    def add(self, features):
        """Adds vectors, [n, D]; `ValueError` if the shape is another, or a value is not finite."""
        features = checked_features(features, self.num_features)
        count = len(features)
        if not count:
            return
        mean = features.mean(axis=0)
        centred = features - mean
        shift = mean - self.mean
        total = self.count + count
        between = np.outer(shift, shift) * (self.count * count / total)
        self._scatter = self._scatter + centred.T @ centred + between
        self.mean = self.mean + shift * (count / total)
        self.num_features, self.count = len(mean), total


def frechet_distance(mean, covariance, other_mean, other_covariance):
    """The squared 2-Wasserstein distance of two Gaussians, which FID is of Inception features.

        |m - n|^2 + tr(A) + tr(B) - 2 tr((A^(1/2) B A^(1/2))^(1/2))

    (Dowson and Landau 1982; FID: Heusel et al. 2017, Eq. 6.) The last trace is the sum of singular
    values of A^(1/2) B^(1/2). Both roots come from the symmetric eigenvalue problem, so that
    singular covariances (fewer images than features) are no special case, and nothing is complex.

    Args:
        mean: m, [D].
        covariance: A, [D, D], symmetric and positive semi-definite up to rounding, or `ValueError`.
        other_mean: n, as m.
        other_covariance: B, as A.

    Returns:
        A Python float >= 0.
    """
    mean, other_mean = (np.asarray(part, np.float64) for part in (mean, other_mean))
    roots, traces = [], []
    for name, matrix in (("covariance", covariance), ("other_covariance", other_covariance)):
        matrix = np.asarray(matrix, np.float64)
        if not mean.shape == other_mean.shape == matrix.shape[:1] == matrix.shape[1:]:
            raise ValueError(
                f"`{name}` must have shape [D, D] for means of shape [D]; got {matrix.shape} for "
                f"{mean.shape} and {other_mean.shape}."
            )
        roots.append(_square_root(matrix, name))
        traces.append(np.trace(matrix))
    difference = mean - other_mean
    if not np.all(np.isfinite(difference)):
        raise ValueError("`mean` and `other_mean` must be finite; got NaN or infinite values.")
    cross = np.linalg.svd(roots[0] @ roots[1], compute_uv=False).sum()
    # Rounding may leave a little less than nothing.
    return max(0.0, float(difference @ difference + sum(traces) - 2.0 * cross))


def checked_features(features, num_features=None):
    """Features as a finite float64 array [n, D]; `ValueError` if they are not."""
    features = np.asarray(features, np.float64)
    if features.ndim != 2 or num_features not in (None, features.shape[1]):
        wanted = "[n, D]" if num_features is None else f"[n, {num_features}]"
        raise ValueError(f"`features` must have shape {wanted}; got {features.shape}.")
    num_wrong = int(np.sum(~np.isfinite(features)))
    if num_wrong:
        raise ValueError(f"`features` must be finite; got {num_wrong} values that are not.")
    return features


def _square_root(matrix, name):
    """The symmetric square root of a positive semi-definite matrix."""
    if not np.all(np.isfinite(matrix)):
        raise ValueError(f"`{name}` must be finite; got NaN or infinite values.")
    scale = np.abs(matrix).max()
    if not np.allclose(matrix, matrix.T, rtol=0.0, atol=1e-8 * scale):
        raise ValueError(f"`{name}` must be symmetric; got a matrix that is not.")
    eigenvalues, vectors = np.linalg.eigh(matrix)
    tolerance = len(matrix) * np.finfo(np.float64).eps * max(eigenvalues[-1], 0.0)
    if eigenvalues[0] < -max(1e3 * tolerance, 1e-8 * scale):
        raise ValueError(
            f"`{name}` must have eigenvalues >= 0; got {eigenvalues[0]:.3g} as the least one."
        )
    # What is no more than rounding of zero would be no small error any more under the root.
    roots = np.sqrt(np.where(eigenvalues > tolerance, eigenvalues, 0.0))
    return (vectors * roots) @ vectors.T
