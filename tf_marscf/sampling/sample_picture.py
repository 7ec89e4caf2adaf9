"""Pictures of samples beside real images."""

from tf_marscf.sampling.image_grid import check_drawable, save_comparison_grid, save_image_grid
from tf_marscf.sampling.sample_stream import draw_samples

_MIN_PICTURE_HEIGHT = 64  # Smaller images are enlarged, by a whole factor, to at most this height.


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
        InputError: if the images have other than 1 or 3 channels.
        RunError: if no sample is finite; nothing is written then.
    """
    check_drawable(images_distribution.event_shape, "dataset")
    if real_images is not None:
        kwargs.setdefault("num_samples", len(real_images))
    samples = draw_samples(images_distribution, seed=seed, **kwargs)
    save_picture(path, samples, real_images, images_distribution.num_grey_levels)
    return samples


def save_picture(path, samples, real_images=None, num_grey_levels=256):
    """Writes a PNG of samples (left), beside real images (right) where they are given.

    Args:
        path: the file to write.
        samples: uint8 [n, H, W, C], of values below `num_grey_levels`.
        real_images: uint8 [N, H, W, C], or None.
        num_grey_levels: grey levels are spread over 0 to 255.
    """
    options = {
        "num_grey_levels": num_grey_levels,
        "scale": max(1, _MIN_PICTURE_HEIGHT // samples.shape[1]),
    }
    if real_images is None:
        save_image_grid(path, samples, **options)
    else:
        save_comparison_grid(path, samples, real_images, **options)
