"""Pictures of samples beside real images."""

import numpy as np
import tensorflow as tf

from tf_marscf.errors import RunError, warn
from tf_marscf.evaluation.image_grid import save_comparison_grid, save_image_grid

_MIN_PICTURE_HEIGHT = 32  # Smaller images are enlarged to about this many pixels.


def draw_samples(
    images_distribution, num_samples, seed, temperature=1.0, batch_size=64, report=warn
):
    """Draws samples batch after batch, in bounded memory.

    A flow that is not trained well can send noise beyond all numbers. Such samples are left out,
    and counted in a warning.

    Args:
        images_distribution: a `Dequantized` distribution.
        num_samples: how many.
        seed: Python `int`; a sample depends on it and on `batch_size` only.
        temperature: scales the prior's noise.
        batch_size: samples drawn at a time.
        report: called with the warning.

    Returns:
        uint8 [n, H, W, C] NumPy array; n is `num_samples` less those that are not finite.

    Raises:
        RunError: if no sample is finite.
    """

    @tf.function
    def draw(seed):
        values = images_distribution.distribution.sample(
            batch_size, seed=seed, temperature=temperature
        )
        is_finite = tf.reduce_all(tf.math.is_finite(values), axis=[1, 2, 3])
        return images_distribution.scaling.grey_levels(values), is_finite

    batches = [draw(tf.constant([seed, batch])) for batch in range(-(-num_samples // batch_size))]
    images, is_finite = (
        np.concatenate(parts)[:num_samples] for parts in zip(*batches, strict=True)
    )
    num_wrong = int(np.sum(~is_finite))
    if num_wrong == num_samples:
        raise RunError(f"none of {num_samples} samples is finite.")
    if num_wrong:
        report(f"{num_wrong} of {num_samples} samples are not finite, and left out.")
    return images[is_finite]


def save_sample_picture(path, images_distribution, real_images=None, *, seed=0, **kwargs):
    """Writes a PNG of samples, beside real images where they are given.

    Args:
        path: the file to write.
        images_distribution: a `Dequantized` distribution.
        real_images: uint8 [N, H, W, C], or None.
        seed: Python `int`.
        **kwargs: further arguments of `draw_samples`; `num_samples` is N where there are real
            images.

    Returns:
        The samples, uint8 [n, H, W, C], as from `draw_samples`.

    Raises:
        RunError: if no sample is finite; nothing is written then.
    """
    if real_images is not None:
        kwargs.setdefault("num_samples", len(real_images))
    samples = draw_samples(images_distribution, seed=seed, **kwargs)
    options = {
        "num_grey_levels": images_distribution.num_grey_levels,
        "scale": max(1, _MIN_PICTURE_HEIGHT // samples.shape[1]),
    }
    if real_images is None:
        save_image_grid(path, samples, **options)
    else:
        save_comparison_grid(path, samples, real_images, **options)
    return samples
