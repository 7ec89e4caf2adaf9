"""An image file that somebody drops on the page, as the grey levels of a model's images."""

import os

import numpy as np

from tf_marscf.data.image_file import read_image_file
from tf_marscf.errors import InputError
from tf_marscf.sampling.image_grid import spread_grey_levels


def read_dropped_image(path, image_shape, num_grey_levels, is_reduced=False):
    """Reads an image file as one of a model's images.

    Files have 256 grey levels. Where a model has fewer, they are either those that training made
    fewer (`num_bits`), and the same is done here, k -> floor(k n / 256); or the data have no more,
    and a file must show them as the files of `bin/sample.py` do: spread over 0 to 255.

    Args:
        path: the file.
        image_shape: (H, W, C) of the model.
        num_grey_levels: n of the model.
        is_reduced: whether grey levels are made fewer.

    Returns:
        uint8 [H, W, C], of grey levels 0 to n - 1.

    Raises:
        InputError: in one line that names the file, if it is no image, damaged, or of another size,
            number of channels or grey levels.
        OSError: if it cannot be read.
    """
    name = os.path.basename(path)
    try:
        image, _ = read_image_file(path)
    except InputError as error:  # Where the page keeps the file is nobody's business.
        raise InputError(str(error).replace(str(path), name)) from error
    if image.shape != tuple(image_shape):
        raise InputError(
            f"{name} must be {_shape_text(image_shape)}, as the images of this model; got "
            f"{_shape_text(image.shape)}."
        )
    if is_reduced:
        return image // (256 // num_grey_levels)
    return _levels_of(image, name, num_grey_levels)


def _shape_text(shape):
    height, width, num_channels = shape
    channels = {1: "grey (1 channel)", 3: "of colours (3 channels)"}.get(
        num_channels, f"of {num_channels} channels"
    )
    return f"{width} pixels wide, {height} high and {channels}"


def _levels_of(image, name, num_grey_levels):
    """The grey levels that stand for the values of a file."""
    levels = np.arange(num_grey_levels, dtype=np.uint8)
    palette = spread_grey_levels(levels[:, np.newaxis, np.newaxis, np.newaxis], num_grey_levels)
    level_of = np.full([256], -1)
    level_of[palette.ravel()] = levels
    found = level_of[image]
    if found.min() < 0:
        raise InputError(
            f"{name} must have only the {num_grey_levels} grey levels of this model's images, "
            f"spread over 0 to 255 as in files of its samples; got {image[found < 0][0]}."
        )
    return found.astype(np.uint8)
