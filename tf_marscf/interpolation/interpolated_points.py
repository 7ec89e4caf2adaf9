"""Points between images in the latent space, and what a model says of them."""

import dataclasses
import math

import numpy as np
import tensorflow as tf

from tf_marscf.distributions.bits_per_dim import bits_per_dim


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
        log_prob = self.log_prob.astype(np.float64)
        return bits_per_dim(log_prob, self.num_dimensions, num_grey_levels)

    def summary(self):
        """Means over all points: log-densities in nats/dim, distances divided by sqrt(D)."""
        size, nearest = self.num_dimensions, np.min(self.image_distances, axis=-1)
        return {
            "log_prior_per_dim": float(np.mean(self.log_prior)) / size,
            "log_prob_per_dim": float(np.mean(self.log_prob)) / size,
            "latent_distance": float(np.mean(self.latent_distance)) / size**0.5,
            "nearest_image_distance": float(np.mean(nearest)) / size**0.5,
        }

    def inner(self):
        """The points between the images, without the images themselves."""
        return self._map(lambda values: values[:, 1:-1])

    def with_inner(self, points):
        """These points with others, T - 2 a path, in place of the inner ones."""
        return self._map(
            lambda values, inner: np.concatenate([values[:, :1], inner, values[:, -1:]], axis=1),
            points,
        )

    def where(self, mask, points):
        """These points with others in their place where a Boolean mask [B, T] says so."""

        def choose(values, others):
            is_other = mask.reshape(mask.shape + (1,) * (values.ndim - mask.ndim))
            return np.where(is_other, others, values)

        return self._map(choose, points)

    def _map(self, function, *others):
        """Applies a function to each array of these points and of others."""
        arrays = map(vars, (self, *others))
        return InterpolatedPoints(**tf.nest.map_structure(function, *arrays))
