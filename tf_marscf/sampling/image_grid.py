"""Pictures of many images at once: a grid, or two grids side by side, written as PNG."""

import math

import numpy as np
import tensorflow as tf

from tf_marscf.errors import InputError
from tf_marscf.files.atomic_file import atomic_write

_BACKGROUND = 255
_MIN_PICTURE_HEIGHT = 64  # Smaller images are enlarged, by a whole factor, to at most this height.


def check_drawable(image_shape, argument):
    """Raises `InputError`, which names the argument, if images [H, W, C] cannot be drawn."""
    if image_shape[-1] not in (1, 3):
        raise InputError(
            f"`{argument}` must be of images with 1 or 3 channels, to be drawn; got "
            f"{image_shape[-1]}."
        )


def image_grid(images, num_columns, padding=2):
    """Lays out images, uint8 [N, H, W, 1 or 3], in rows on white, which is around each image, too.

    The grid is [num_rows * (H + padding) + padding, num_columns * (W + padding) + padding, C].
    `TypeError` if `images` is not uint8; `ValueError` if another argument is wrong.
    """
    images = _check_images(images, "images")
    for name, value, least in (("num_columns", num_columns, 1), ("padding", padding, 0)):
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise ValueError(f"`{name}` must be an integer of at least {least}; got {value!r}.")
    num_images, height, width, channels = images.shape
    num_rows = math.ceil(num_images / num_columns)
    cell_shape = (height + padding, width + padding, channels)
    cells = np.full((num_rows * num_columns, *cell_shape), _BACKGROUND, np.uint8)
    cells[:num_images, padding:, padding:] = images
    cells = cells.reshape(num_rows, num_columns, *cell_shape).swapaxes(1, 2)
    grid = cells.reshape(num_rows * cell_shape[0], num_columns * cell_shape[1], channels)
    return np.pad(grid, ((0, padding), (0, padding), (0, 0)), constant_values=_BACKGROUND)


def save_picture(
    path,
    samples,
    real_images=None,
    num_grey_levels=256,
    *,
    num_columns=None,
    scale=None,
    padding=2,
    gap=16,
):
    """Writes a PNG of samples (left), beside real images (right) where they are given.

    The file appears whole or not at all; its directory is created if missing.

    Args:
        path: the file to write.
        samples: as of `spread_grey_levels`.
        real_images: likewise, or None.
        num_grey_levels: grey levels 0 to `num_grey_levels - 1` become 0 to 255.
        num_columns: images a row in each grid; default: about as many as rows.
        scale: how often each pixel is repeated along both axes; default: so that images are about
            64 pixels high or more.
        padding: white pixels around each image, not scaled.
        gap: further white pixels between samples and real images, not scaled.
    """
    blocks = [spread_grey_levels(samples, num_grey_levels, "samples")]
    if real_images is not None:
        blocks.append(spread_grey_levels(real_images, num_grey_levels, "real_images"))
        if blocks[0].shape[1:] != blocks[1].shape[1:]:
            raise ValueError(
                "`samples` and `real_images` must hold images of the same shape; got "
                f"{blocks[0].shape[1:]} and {blocks[1].shape[1:]}."
            )
    scale = scale or max(1, _MIN_PICTURE_HEIGHT // blocks[0].shape[1])
    num_columns = num_columns or math.ceil(math.sqrt(max(map(len, blocks))))
    grids = [
        image_grid(images.repeat(scale, axis=1).repeat(scale, axis=2), num_columns, padding)
        for images in blocks
    ]
    width = sum(grid.shape[1] for grid in grids) + gap * (len(grids) - 1)
    picture = np.full([max(map(len, grids)), width, grids[0].shape[2]], _BACKGROUND, np.uint8)
    picture[: len(grids[0]), : grids[0].shape[1]] = grids[0]
    picture[: len(grids[-1]), -grids[-1].shape[1] :] = grids[-1]
    with atomic_write(path) as file:
        file.write(encode_png(picture))


def spread_grey_levels(images, num_grey_levels, argument="images"):
    """Spreads grey levels 0 to `num_grey_levels - 1` of uint8 [N, H, W, 1 or 3] over 0 to 255.

    `TypeError` if `images` is not uint8; `ValueError` if a shape or value is another.
    """
    images = _check_images(images, argument)
    if not 2 <= num_grey_levels <= 256:
        raise ValueError(f"`num_grey_levels` must be from 2 to 256; got {num_grey_levels}.")
    if images.max() >= num_grey_levels:
        raise ValueError(
            f"`{argument}` must hold values below `num_grey_levels` {num_grey_levels}; got "
            f"{images.max()}."
        )
    palette = np.rint(np.arange(num_grey_levels) * (255.0 / (num_grey_levels - 1)))
    return palette.astype(np.uint8)[images]


def rows_of_classes(images, labels, num_grey_levels=256):
    """Images in an order in which each row of a grid holds those of one class.

    Args:
        images: uint8 [N, H, W, C].
        labels: their classes, integers [N].
        num_grey_levels: the last one, white, fills what is left of shorter rows.

    Returns:
        `(images, num_columns)`: [rows * num_columns, H, W, C], the classes that there are in order.
    """
    classes, counts = np.unique(labels, return_counts=True)
    num_columns = int(counts.max())
    shape = (len(classes), num_columns, *images.shape[1:])
    places = np.full(shape, num_grey_levels - 1, images.dtype)
    for row, number in zip(places, classes, strict=True):
        found = images[labels == number]
        row[: len(found)] = found
    return places.reshape(-1, *images.shape[1:]), num_columns


def encode_png(image):
    """The content of a PNG file of an image, uint8 [H, W, 1, 3 or 4]."""
    return tf.io.encode_png(image).numpy()


def _check_images(images, argument):
    images = np.asarray(images)
    if images.dtype != np.uint8:
        seen = str(images.dtype)
        # Floats are refused, not rounded: a NaN would otherwise become some grey unnoticed.
        if np.issubdtype(images.dtype, np.floating):
            seen += f" with {np.count_nonzero(~np.isfinite(images))} non-finite values"
        raise TypeError(f"`{argument}` must be uint8; got {seen}.")
    if images.ndim != 4 or images.size == 0 or images.shape[-1] not in (1, 3):
        raise ValueError(
            f"`{argument}` must be a non-empty array [num_images, height, width, 1 or 3]; got "
            f"shape {images.shape}."
        )
    return images
