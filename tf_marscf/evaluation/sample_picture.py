"""Pictures of samples beside real images."""

import tensorflow as tf

from tf_marscf.evaluation.image_grid import save_comparison_grid, save_image_grid

_MIN_PICTURE_HEIGHT = 32  # Smaller images are enlarged to about this many pixels.


def draw_samples(images_distribution, num_samples, seed, temperature=1.0, batch_size=64):
    """Draws samples batch after batch, in bounded memory.

    Args:
        images_distribution: a `Dequantized` distribution.
        num_samples: how many.
        seed: Python `int`; a sample depends on it and on `batch_size` only.
        temperature: scales the prior's noise.
        batch_size: samples drawn at a time.

    Returns:
        uint8 [num_samples, H, W, C] NumPy array.

    Raises:
        InvalidArgumentError: if a sample is not finite.
    """
    draw = tf.function(
        lambda seed: images_distribution.sample(batch_size, seed=seed, temperature=temperature)
    )
    batches = [draw(tf.constant([seed, batch])) for batch in range(-(-num_samples // batch_size))]
    return tf.concat(batches, axis=0)[:num_samples].numpy()


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
        The samples, uint8 [N, H, W, C].
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
