"""Points between images in the latent space, and what a model says of them."""

import dataclasses
import math

import numpy as np


@dataclasses.dataclass(frozen=True)
class InterpolatedPoints:
    """Points on the paths between pairs of images.

    Shapes: B pairs, T points a path, the images themselves among them as first and last.

    Attributes:
        latents: a map a level, [B, T, H / 2^i, W / 2^i, C_i]; together they are z.
        images: g(z), continuous values [B, T, H, W, C].
        log_prior: log p(z) [B, T], in nats: the prior's log-density of all levels.
        log_prob: log p(x) of x = g(z) [B, T], in nats: the log-prior plus the log-dets.
        latent_distance: |z - z_lin| [B, T], Euclidean, from the point of the linear path.
        image_distances: |g(z) - x_A| and |g(z) - x_B| [B, T, 2], Euclidean.
    """

    latents: tuple
    images: np.ndarray
    log_prior: np.ndarray
    log_prob: np.ndarray
    latent_distance: np.ndarray
    image_distances: np.ndarray

    @property
    def num_dimensions(self):
        """D = H * W * C."""
        return math.prod(self.images.shape[2:])

    def bits_per_dim(self, num_grey_levels=256):
        """The density of each image as bits/dim [B, T], as `Dequantized` counts them."""
        return np.log2(num_grey_levels) - self.log_prob / (self.num_dimensions * math.log(2.0))

    def inner(self):
        """The points between the images, without the images themselves."""
        return self._map(lambda values: values[:, 1:-1])

    def with_inner(self, points):
        """These points with others in place of the inner ones.

        Args:
            points: `InterpolatedPoints` of as many pairs, with T - 2 points a path.

        Returns:
            `InterpolatedPoints`.
        """
        return self._map(
            lambda values, inner: np.concatenate([values[:, :1], inner, values[:, -1:]], axis=1),
            points,
        )

    def where(self, mask, points):
        """These points with others in their place where a mask says so.

        Args:
            mask: Boolean [B, T].
            points: `InterpolatedPoints` of the same shapes.

        Returns:
            `InterpolatedPoints`.
        """
        return self._map(
            lambda values, others: np.where(
                mask.reshape(mask.shape + (1,) * (values.ndim - mask.ndim)), others, values
            ),
            points,
        )

    def _map(self, function, *others):
        """Applies a function to each array of these points and of others."""
        parts = {
            field.name: [getattr(points, field.name) for points in (self, *others)]
            for field in dataclasses.fields(self)
        }
        latents = zip(*parts.pop("latents"), strict=True)
        return InterpolatedPoints(
            latents=tuple(function(*maps) for maps in latents),
            **{name: function(*arrays) for name, arrays in parts.items()},
        )
