"""Samples beside real images, and rows of samples at several temperatures."""

import io
import os

import numpy as np

from tf_marscf.data import collect_images
from tf_marscf.files.result_files import read_file
from tf_marscf.reporting.html_elements import element, join, picture
from tf_marscf.reporting.html_page import Section, figure, note
from tf_marscf.reporting.image_figure import transparent_image_grid
from tf_marscf.reporting.stored_results import find_result_files, read_bytes
from tf_marscf.sampling.image_grid import encode_png, save_picture
from tf_marscf.sampling.sample_run import write_samples

TITLE = "Samples"
_ARRAY, _NUMBERS, _PICTURE = "samples.npz", "samples.json", "samples.png"
_SEED = 0
_LEAST_GRID_WIDTH = 640  # Pixels; images are enlarged by a whole factor, so that they stay sharp.


def samples_section(context):
    """Draws samples, unless those of these weights are there already.

    Args:
        context: the `ReportContext`.

    Returns:
        A `Section`.

    Raises:
        RunError: if no sample is finite.
    """
    config = context.config
    expected = {
        "format": "npz",
        "num_samples": config.num_samples,
        "seed": _SEED,
        "first_index": 0,
        "temperature": 1.0,
    }
    path = context.path(_NUMBERS)
    numbers = find_result_files(context, path, **expected)
    if numbers is None:
        context.report(f"samples: drawing {config.num_samples}")
        numbers = write_samples(
            config.train_dir,
            context.path(_ARRAY),
            "npz",
            num_samples=config.num_samples,
            seed=_SEED,
            which=config.checkpoint,
            json_path=path,
            progress=context.progress,
        ).to_dict()
        context.report(f"samples: wrote {context.path(_ARRAY)}, {path}")
    else:
        context.report(f"samples: {context.path(_ARRAY)} is of these weights, used again")
    with np.load(io.BytesIO(read_file(path, numbers, _ARRAY)), allow_pickle=False) as archive:
        samples = archive["images"]
    real_images, missing = None, ""
    if context.dataset is None:
        missing = note(f"No real images beside the samples. {context.dataset_problem}")
    else:
        num_images = min(config.num_samples, context.dataset.num_test_images)
        real_images = collect_images(context.dataset.test, num_images)
    num_grey_levels = context.run.pixels.num_grey_levels
    save_picture(context.new_path(_PICTURE), samples, real_images, num_grey_levels)
    blocks = {f"Samples (seed {_SEED})": samples}
    if real_images is not None:
        blocks[f"Test images of {context.dataset.name}"] = real_images
    content = element(
        "div",
        *(_block(title, images, num_grey_levels) for title, images in blocks.items()),
        class_="blocks",
    )
    left_out = ""
    if numbers["num_non_finite"]:
        left_out = (
            f" {numbers['num_non_finite']} of {numbers['num_samples']} samples were not finite, "
            "and are left out."
        )
    body = figure(
        content,
        f"Samples at temperature 1, the first {config.num_samples} of their seed, not chosen "
        f"(Fig. 8 to 10).{left_out}",
        [
            context.command(
                "sample.py",
                **context.model_flags,
                num_samples=config.num_samples,
                seed=_SEED,
                output=context.path(_PICTURE),
            )
        ],
        [
            (_PICTURE, read_bytes(context.new_path(_PICTURE))),
            (os.path.basename(path), read_bytes(path)),
        ],
    )
    return Section("samples", TITLE, join(missing, body))


def _block(title, images, num_grey_levels):
    num_columns = int(np.ceil(np.sqrt(len(images))))
    grid = transparent_image_grid(images, num_grey_levels, num_columns)
    scale = max(1, -(-_LEAST_GRID_WIDTH // grid.shape[1]))
    grid = grid.repeat(scale, axis=0).repeat(scale, axis=1)
    height, width, _ = images.shape[1:]
    alt = f"{title}: {len(images)} images of {height} x {width} pixels in {num_columns} columns."
    return element("div", element("p", title), picture(alt, encode_png(grid), class_="pixels"))
