"""Samples beside real images."""

import math

import numpy as np

from tf_marscf.data import collect_images
from tf_marscf.reporting.page import Picture, Section
from tf_marscf.reporting.stored_results import download, find_result, read_arrays, stored_or_made
from tf_marscf.sampling.image_grid import encode_png, image_grid, save_picture, spread_grey_levels
from tf_marscf.sampling.sample_config import SampleConfig
from tf_marscf.sampling.sample_run import write_samples

_ARRAY, _NUMBERS, _PICTURE = "samples.npz", "samples.json", "samples.png"
_SEED = 0
_LEAST_GRID_WIDTH = 640  # Pixels; images are enlarged by a whole factor, so that they stay sharp.


def samples_section(context):
    """Draws samples, unless those of these weights are there already.

    Raises:
        RunError: if no sample is finite.
    """
    config, path, array = context.config, context.path(_NUMBERS), context.path(_ARRAY)
    arguments = {"num_samples": config.num_samples, "seed": _SEED}
    expected = arguments | {"format": "npz", "first_index": 0, "temperature": 1.0}
    numbers = stored_or_made(
        context,
        "samples",
        find_result(context, path, **expected),
        array,
        f"drawing {config.num_samples}",
        lambda: write_samples(
            SampleConfig(
                train_dir=config.train_dir,
                checkpoint=config.checkpoint,
                format="npz",
                output=array,
                json_path=path,
                **arguments,
            ),
            report=lambda line: None,
            progress=context.progress,
        ),
    )
    samples = read_arrays(path, numbers, _ARRAY)["images"]
    blocks, real_images, notes = {f"Samples (seed {_SEED})": samples}, None, ()
    if context.dataset is None:
        notes = (f"No real images beside the samples. {context.dataset_problem}",)
    else:
        num_images = min(config.num_samples, context.dataset.num_test_images)
        real_images = collect_images(context.dataset.test, num_images)
        blocks[f"Test images of {context.dataset.name}"] = real_images
    num_grey_levels = context.run.pixels.num_grey_levels
    save_picture(context.new_path(_PICTURE), samples, real_images, num_grey_levels)
    command = context.command("sample", **arguments, output=context.path(_PICTURE))
    values = {
        "blocks": {
            title: _picture(title, images, num_grey_levels) for title, images in blocks.items()
        },
        "numbers": numbers,
        "commands": [command],
        "files": [download(context.new_path(_PICTURE)), download(path)],
    }
    return Section("samples", values, notes)


def transparent_image_grid(images, num_grey_levels, num_columns, is_missing=None):
    """Lays out images in rows with nothing between them, for paper of any colour.

    Args:
        images: uint8 [N, H, W, 1 or 3], below `num_grey_levels`.
        num_grey_levels: grey levels are spread over 0 to 255.
        num_columns: images a row.
        is_missing: bool [N], places that stay empty; default: none.

    Returns:
        uint8 [height, width, 4]: red, green, blue and opacity; clear pixels around each image.

    Raises:
        TypeError, ValueError: if `images` does not hold such images.
    """
    images = spread_grey_levels(images, num_grey_levels)
    grid = image_grid(images, num_columns, padding=1)
    grid = np.broadcast_to(grid, (*grid.shape[:2], 3))
    gaps = np.zeros_like(images[..., :1])
    if is_missing is not None:
        gaps[is_missing] = 255
    # What is beside the images is white in a grid.
    return np.concatenate([grid, 255 - image_grid(gaps, num_columns, padding=1)], axis=-1)


def _picture(title, images, num_grey_levels):
    num_columns = math.ceil(math.sqrt(len(images)))
    grid = transparent_image_grid(images, num_grey_levels, num_columns)
    scale = max(1, -(-_LEAST_GRID_WIDTH // grid.shape[1]))
    height, width, _ = images.shape[1:]
    alt = f"{title}: {len(images)} images of {height} x {width} pixels in {num_columns} columns."
    return Picture(alt, encode_png(grid.repeat(scale, axis=0).repeat(scale, axis=1)))
