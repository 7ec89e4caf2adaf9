"""Images in a figure: blocks of samples, real images and the like, side by side."""

import math

import numpy as np

from tf_marscf.sampling.image_grid import image_grid, spread_grey_levels

_SIDE_INCHES = 3.0


def image_figure_size(num_blocks):
    """Width and height, in inches, of a figure of square blocks for `draw_image_blocks`."""
    return (_SIDE_INCHES * num_blocks, _SIDE_INCHES + 0.3)


def draw_image_blocks(figure, blocks, num_grey_levels=256, num_columns=None, padding=1):
    """Draws blocks of images, each a grid under its title, such as Fig. 8-10 of the paper.

    What is between the images is transparent, so that it has the colour of the theme. Pixels are
    not smoothed.

    Args:
        figure: a `matplotlib.figure.Figure`.
        blocks: a dict from titles to uint8 images [N, H, W, 1 or 3], below `num_grey_levels`.
        num_grey_levels: grey levels are spread over 0 to 255.
        num_columns: images a row; default: about as many as rows, the same in all blocks.
        padding: pixels between images.

    Raises:
        TypeError, ValueError: if an array does not hold such images.
    """
    if num_columns is None:
        num_columns = math.ceil(math.sqrt(max(len(images) for images in blocks.values())))
    for axes, (title, images) in zip(
        np.ravel(figure.subplots(1, len(blocks), squeeze=False)), blocks.items(), strict=True
    ):
        grid = transparent_image_grid(images, num_grey_levels, num_columns, padding)
        axes.imshow(grid, interpolation="nearest")
        axes.set_title(title)
        axes.set_axis_off()


def transparent_image_grid(images, num_grey_levels, num_columns, padding=1):
    """As `image_grid`, with nothing between the images, for paper of any colour.

    Args:
        images: uint8 [N, H, W, 1 or 3], below `num_grey_levels`.
        num_grey_levels: grey levels are spread over 0 to 255.
        num_columns: images a row.
        padding: clear pixels around each image.

    Returns:
        uint8 [height, width, 4]: red, green, blue and opacity.

    Raises:
        TypeError, ValueError: if `images` does not hold such images.
    """
    images = spread_grey_levels(images, num_grey_levels)
    grid = image_grid(images, num_columns, padding)
    grid = np.broadcast_to(grid, (*grid.shape[:2], 3))
    is_gap = image_grid(np.zeros_like(images[..., :1]), num_columns, padding) > 0
    alpha = np.where(is_gap, 0, 255).astype(np.uint8)
    return np.concatenate([grid, alpha], axis=-1)
