"""Interpolation between images: linear in the latent space, and projected to high density."""

import dataclasses

import numpy as np

from tf_marscf.distributions.image_distribution import check_value
from tf_marscf.errors import InputError
from tf_marscf.interpolation.interpolated_points import InterpolatedPoints
from tf_marscf.interpolation.interpolation_config import ProjectionConfig, checked_lambdas
from tf_marscf.interpolation.latent_projection import LatentProjection, evaluate_end_points


@dataclasses.dataclass(frozen=True)
class Interpolation:
    """Two paths between the images of each pair; they have the same end points."""

    positions: np.ndarray  # t of each point [T], from 0 (first image) to 1 (second image).
    linear: InterpolatedPoints  # z_lin = (1 - t) z_A + t z_B.
    projected: InterpolatedPoints  # Of Eq. 11.
    is_retried: np.ndarray  # Boolean [B, T - 2], inner points; see `LatentProjection`.

    @property
    def log_prior_gain(self):
        """How much log p(z*) is above log p(z_lin), at the inner points [B, T - 2], in nats."""
        return self.projected.inner().log_prior - self.linear.inner().log_prior

    @property
    def num_unmoved(self):
        """Number of inner points for which no denser one was found, and which stayed linear."""
        return int(np.sum(self.log_prior_gain <= 0.0))


class Interpolator:
    """Interpolates between pairs of images (mAR-SCF, Section 5: Fig. 11 and 12).

    Args:
        model: a `MarScf`.
        first_images: x_A, continuous [B, H, W, C]: a pair is an image and the one of the same
            index in `second_images`.
        second_images: x_B, likewise.
        num_points: points between two images, which are not counted; t is evenly spaced.
        labels: of a model with classes, those of the pairs, integers [B, 2]. A point between two
            classes has that of the nearer image, in the middle that of the first.
        jit_compile: as of `CompilationConfig`.

    Attributes:
        positions: t of each point [T], the images' 0 and 1 included.
        linear: `InterpolatedPoints` of the linear path, T = num_points + 2.
        projection: the `LatentProjection` of its inner points.

    Raises:
        RunError: if a density is not finite, naming the point.
        TypeError, InputError: if an argument is wrong.
    """

    def __init__(
        self, model, first_images, second_images, num_points=7, labels=None, jit_compile="auto"
    ):
        if isinstance(num_points, bool) or not isinstance(num_points, int) or num_points < 1:
            raise InputError(f"`num_points` must be an integer >= 1; got {num_points!r}.")
        first_images = check_value(model, first_images, "first_images")
        second_images = check_value(model, second_images, "second_images")
        shape = first_images.shape
        if shape.rank != 4 or shape[0] == 0 or second_images.shape != shape:
            raise InputError(
                "`first_images` and `second_images` must be of one shape, [num_pairs, height, "
                f"width, channels]; got {shape} and {second_images.shape}."
            )
        self.positions = np.linspace(0.0, 1.0, num_points + 2)
        inner_labels = None
        if labels is not None:
            nearer = (self.positions[1:-1] > 0.5).astype(int)
            labels = np.asarray(labels, np.int32)
            inner_labels = labels[:, nearer]
        ends = evaluate_end_points(model, first_images, second_images, labels, jit_compile)
        inner = linear_latents(ends.latents, self.positions[1:-1])
        self.projection = LatentProjection(
            model, inner, first_images, second_images, inner_labels, jit_compile
        )
        self.linear = ends.with_inner(self.projection.linear)

    def interpolate(self, config=None, on_iteration=None):
        """Projects the linear path to high density; an `Interpolation`.

        `config` is a `ProjectionConfig`, by default that of the paper. `on_iteration` is called
        after each iteration. `RunError` if an iterate is not finite.
        """
        points, is_retried = self.projection.project(config or ProjectionConfig(), on_iteration)
        projected = self.linear.with_inner(points)
        return Interpolation(self.positions, self.linear, projected, is_retried)

    def lambda_curve(self, lambdas, config=None, on_iteration=None):
        """Yields each lambda = lambda_1 = lambda_2, and the inner points for it (Fig. 12).

        At lambda 0 the path is the linear one. `RunError` if an iterate is not finite,
        `InputError` if a lambda is negative or not finite.
        """
        config = config or ProjectionConfig()
        for value in checked_lambdas(lambdas):
            points = self.linear.inner()
            if value:
                weighted = dataclasses.replace(config, lambda_1=value, lambda_2=value)
                points, _ = self.projection.project(weighted, on_iteration)
            yield value, points


def linear_latents(end_latents, positions):
    """`z_lin = (1 - t) z_A + t z_B`: positions t [T], a map a level [B, 2, ...] -> [B, T, ...]."""

    def path(ends):
        position = np.asarray(positions, ends.dtype)[:, np.newaxis, np.newaxis, np.newaxis]
        return (1.0 - position) * ends[:, :1] + position * ends[:, 1:]

    return tuple(path(np.asarray(ends)) for ends in end_latents)
