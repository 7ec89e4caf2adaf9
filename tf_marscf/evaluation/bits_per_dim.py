"""Bits/dim of a whole data set."""

import dataclasses
import math

import tensorflow as tf

from tf_marscf.errors import RunError


@dataclasses.dataclass(frozen=True)
class BitsPerDim:
    """A mean over images, with its standard error.

    Attributes:
        mean: bits per dimension.
        standard_error: of the mean, from the spread between images; None for a single image.
        num_images: images in the mean.
        num_samples: draws of dequantization noise an image.
    """

    mean: float
    standard_error: float | None
    num_images: int
    num_samples: int

    def __str__(self):
        if self.standard_error is None:
            return f"{self.mean:.4f}"
        return f"{self.mean:.4f} +- {self.standard_error:.4f}"


def evaluate_bits_per_dim(images_distribution, batches, num_samples=1, seed=0):
    """Scores every image of a data set.

    Args:
        images_distribution: a `Dequantized` distribution.
        batches: a data set of uint8 batches [N, H, W, C], as from `evaluation_pipeline`.
        num_samples: draws of dequantization noise an image; more give the tighter
            importance-weighted bound.
        seed: Python `int`, of the noise.

    Returns:
        A `BitsPerDim`.

    Raises:
        RunError: if an image's bits/dim is not finite.
    """
    score = tf.function(
        lambda pixels, seed: images_distribution.bits_per_dim(
            pixels, seed=seed, num_samples=num_samples
        ),
        input_signature=[
            tf.TensorSpec([None, *images_distribution.event_shape], tf.uint8),
            tf.TensorSpec([2], tf.int32),
        ],
    )
    values = tf.concat(
        [score(pixels, tf.constant([seed, batch])) for batch, pixels in enumerate(batches)], axis=0
    )
    values = tf.cast(values, tf.float64).numpy()
    num_wrong = int((~tf.math.is_finite(values).numpy()).sum())
    if num_wrong:
        raise RunError(f"bits/dim of {num_wrong} of {len(values)} images is not finite.")
    standard_error = None
    if len(values) > 1:
        standard_error = float(values.std(ddof=1)) / math.sqrt(len(values))
    return BitsPerDim(
        mean=float(values.mean()),
        standard_error=standard_error,
        num_images=len(values),
        num_samples=num_samples,
    )
