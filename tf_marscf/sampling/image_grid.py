"""Pictures of many images at once: a grid, or two grids side by side, written as PNG."""

from __future__ import annotations

import math
import os

import numpy as np
import tensorflow as tf

from tf_marscf.errors import InputError
from tf_marscf.files.atomic_file import atomic_write

BACKGROUND = 255


def check_drawable(image_shape: tuple[int, int, int], argument: str) -> None:
    """Checks, before any work, that images can be drawn.

    Args:
        image_shape: (height, width, channels).
        argument: the argument that the images follow from.

    Raises:
        InputError: if they have other than 1 or 3 channels.
    """
    if image_shape[-1] not in (1, 3):
        raise InputError(
            f"`{argument}` must be of images with 1 or 3 channels, to be drawn; got "
            f"{image_shape[-1]}."
        )


def image_grid(images: np.ndarray, num_columns: int, padding: int = 2) -> np.ndarray:
    """Lays out images in rows, on white.

    Args:
        images: uint8 `[num_images, height, width, channels]`, of values 0 to 255.
        num_columns: images a row; the last row may hold fewer.
        padding: white pixels around each image.

    Returns:
        uint8 `[num_rows * (height + padding) + padding,
        num_columns * (width + padding) + padding, channels]`.

    Raises:
        TypeError: if `images` is not uint8.
        ValueError: if `images` is not of rank 4, is empty or does not have 1 or 3 channels,
            `num_columns` is below 1 or `padding` is negative.
    """
    images = _check_images(images, "images")
    _check_at_least(num_columns, "num_columns", 1)
    _check_at_least(padding, "padding", 0)
    num_images, height, width, channels = images.shape
    num_rows = math.ceil(num_images / num_columns)
    cells = np.full(
        (num_rows * num_columns, height + padding, width + padding, channels),
        BACKGROUND,
        dtype=np.uint8,
    )
    cells[:num_images, padding:, padding:] = images
    cells = cells.reshape(num_rows, num_columns, *cells.shape[1:])
    grid = cells.transpose(0, 2, 1, 3, 4).reshape(
        num_rows * (height + padding), num_columns * (width + padding), channels
    )
    return np.pad(grid, ((0, padding), (0, padding), (0, 0)), constant_values=BACKGROUND)


def save_image_grid(
    path: str | os.PathLike[str],
    images: np.ndarray,
    num_columns: int | None = None,
    *,
    num_grey_levels: int = 256,
    scale: int = 1,
    padding: int = 2,
) -> None:
    """Writes images as one PNG file.

    The file appears whole or not at all: it is written under another name and renamed. The
    directory is created if missing.

    Args:
        path: the file to write.
        images: uint8 `[num_images, height, width, channels]`, of values below `num_grey_levels`.
        num_columns: images a row, or None for about as many rows as columns.
        num_grey_levels: values 0 to `num_grey_levels - 1` become 0 to 255.
        scale: how often each pixel is repeated along both axes.
        padding: white pixels around each image, not scaled.

    Raises:
        TypeError: if `images` is not uint8.
        ValueError: if `images` is not of rank 4, is empty, does not have 1 or 3 channels or holds
            too large a value, or a number is out of range.
    """
    enlarged = _enlarge(images, "images", num_grey_levels, scale)
    columns = _square_columns(len(enlarged)) if num_columns is None else num_columns
    _write_png(path, image_grid(enlarged, columns, padding))


def save_comparison_grid(
    path: str | os.PathLike[str],
    samples: np.ndarray,
    real_images: np.ndarray,
    num_columns: int | None = None,
    *,
    num_grey_levels: int = 256,
    scale: int = 1,
    padding: int = 2,
    gap: int = 16,
) -> None:
    """Writes samples (left) beside real images (right) as one PNG file.

    The file appears whole or not at all, as with `save_image_grid`.

    Args:
        path: the file to write.
        samples: uint8 `[num_samples, height, width, channels]`, of values below
            `num_grey_levels`.
        real_images: uint8 `[num_real_images, height, width, channels]`, likewise.
        num_columns: images a row in each block, or None for about as many rows as columns.
        num_grey_levels: values 0 to `num_grey_levels - 1` become 0 to 255.
        scale: how often each pixel is repeated along both axes.
        padding: white pixels around each image, not scaled.
        gap: further white pixels between the two blocks, not scaled.

    Raises:
        TypeError: if `samples` or `real_images` is not uint8.
        ValueError: if one of them is not of rank 4, is empty, does not have 1 or 3 channels or
            holds too large a value, their image shapes differ, or a number is out of range.
    """
    _check_at_least(gap, "gap", 0)
    left = _enlarge(samples, "samples", num_grey_levels, scale)
    right = _enlarge(real_images, "real_images", num_grey_levels, scale)
    if left.shape[1:] != right.shape[1:]:
        raise ValueError(
            "`samples` and `real_images` must hold images of the same shape; got "
            f"{np.shape(samples)[1:]} and {np.shape(real_images)[1:]}."
        )
    columns = num_columns
    if columns is None:
        columns = _square_columns(max(len(left), len(right)))
    blocks = [image_grid(block, columns, padding) for block in (left, right)]
    height = max(block.shape[0] for block in blocks)
    separator = np.full((height, gap, left.shape[-1]), BACKGROUND, dtype=np.uint8)
    left_grid, right_grid = (
        np.pad(
            block,
            ((0, height - block.shape[0]), (0, 0), (0, 0)),
            constant_values=BACKGROUND,
        )
        for block in blocks
    )
    _write_png(path, np.concatenate([left_grid, separator, right_grid], axis=1))


def spread_grey_levels(
    images: np.ndarray, num_grey_levels: int, argument: str = "images"
) -> np.ndarray:
    """Returns the images with grey levels 0 to `num_grey_levels - 1` spread over 0 to 255.

    Args:
        images: uint8 `[num_images, height, width, 1 or 3]`, of values below `num_grey_levels`.
        num_grey_levels: 2 to 256.
        argument: what to call the images in an error.

    Returns:
        uint8, of the shape of `images`.

    Raises:
        TypeError: if `images` is not uint8.
        ValueError: if `images` is not of rank 4, is empty, does not have 1 or 3 channels or holds
            too large a value, or `num_grey_levels` is out of range.
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


def _enlarge(images: np.ndarray, argument: str, num_grey_levels: int, scale: int) -> np.ndarray:
    """Returns the images with 256 grey levels and every pixel repeated `scale` times."""
    _check_at_least(scale, "scale", 1)
    images = spread_grey_levels(images, num_grey_levels, argument)
    return images.repeat(scale, axis=1).repeat(scale, axis=2)


def encode_png(image: np.ndarray) -> bytes:
    """Returns the content of a PNG file of an image, uint8 `[height, width, 1, 3 or 4]`."""
    return tf.io.encode_png(image).numpy()


def _check_images(images: np.ndarray, argument: str) -> np.ndarray:
    """Returns `images` as an array after checking dtype, rank and channels."""
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


def _check_at_least(value: int, argument: str, minimum: int) -> None:
    """Checks that an argument is an integer of at least `minimum`."""
    if isinstance(value, bool) or not isinstance(value, int) or value < minimum:
        raise ValueError(f"`{argument}` must be an integer of at least {minimum}; got {value!r}.")


def _square_columns(num_images: int) -> int:
    """Returns the columns of the squarest grid."""
    return math.ceil(math.sqrt(num_images))


def _write_png(path: str | os.PathLike[str], image: np.ndarray) -> None:
    """Writes `image`, uint8 `[height, width, channels]`, through a temporary file."""
    with atomic_write(path) as file:
        file.write(encode_png(image))
