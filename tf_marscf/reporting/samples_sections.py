"""Samples beside real images, and the same noise at several temperatures."""

import math

import numpy as np

from tf_marscf.data import collect_images
from tf_marscf.errors import RunError
from tf_marscf.files.result_files import write_result
from tf_marscf.reporting.page import Picture, Section
from tf_marscf.reporting.report_context import download, read_arrays
from tf_marscf.sampling.image_grid import (
    encode_png,
    image_grid,
    rows_of_classes,
    save_picture,
    spread_grey_levels,
)
from tf_marscf.sampling.sample_config import SampleConfig, temperature_text
from tf_marscf.sampling.sample_run import write_samples
from tf_marscf.sampling.sample_stream import SampleStream

_SEED = 0
_LEAST_GRID_WIDTH = 640  # Pixels; images are enlarged by a whole factor, so that they stay sharp.
_CELL = 0.75  # Width of an image in the figure of temperatures, in inches.


def samples_section(context):
    """Draws samples, unless those of these weights are there already.

    Raises:
        RunError: if no sample is finite.
    """
    config = context.config
    path, array, file = (context.path(f"samples.{ending}") for ending in ("json", "npz", "png"))
    arguments = {"num_samples": 16 if config.fast else 64, "seed": _SEED}
    expected = arguments | {"format": "npz", "first_index": 0, "temperature": 1.0}
    if context.run.model.num_classes is not None:
        expected["label"] = "all"
    numbers = context.stored_or_made(
        "samples",
        context.find_result(path, **expected),
        array,
        f"drawing {arguments['num_samples']}",
        lambda: write_samples(
            SampleConfig(
                train_dir=config.train_dir,
                checkpoint=config.checkpoint,
                jit_compile=config.jit_compile,
                format="npz",
                output=array,
                json_path=path,
                **arguments,
            ),
            report=lambda line: None,
            progress=context.progress,
        ),
    )
    arrays = read_arrays(path, numbers, "samples.npz")
    samples, num_columns = arrays["images"], None
    num_grey_levels = context.run.pixels.num_grey_levels
    if "labels" in arrays:
        samples, num_columns = rows_of_classes(samples, arrays["labels"], num_grey_levels)
    blocks, real_images, notes = {f"Samples (seed {_SEED})": samples}, None, ()
    if context.dataset is None:
        notes = (f"No real images beside the samples. {context.dataset_problem}",)
    else:
        num_images = min(arguments["num_samples"], context.dataset.num_test_images)
        real_images = collect_images(context.dataset.test, num_images)
        blocks[f"Test images of {context.dataset.name}"] = real_images
    picture = context.new_path("samples.png")
    save_picture(picture, samples, real_images, num_grey_levels, num_columns=num_columns)
    values = {
        "blocks": {
            title: _grid_picture(title, images, num_grey_levels, num_columns)
            for title, images in blocks.items()
        },
        "numbers": numbers,
        "commands": [context.command("sample", **arguments, output=file)],
        "files": [download(picture), download(path)],
    }
    return Section(values, notes)


def temperature_section(context):
    """Draws a row of samples at each temperature, unless those of these weights are there already.

    Raises:
        RunError: if no sample of any temperature is finite.
    """
    temperatures = [0.7, 1.0] if context.config.fast else [0.5, 0.7, 0.8, 0.9, 1.0]
    given = context.config.to_dict()["temperature"]
    if given is not None and given not in temperatures:
        temperatures.append(given)
    num_samples = 10
    path = context.path("temperature.json")
    expected = {"seed": _SEED, "temperatures": temperatures, "num_samples": num_samples}
    numbers = context.stored_or_made(
        "temperature",
        context.find_result(path, **expected),
        context.path("temperature.npz"),
        f"drawing {len(temperatures)} rows of samples",
        lambda: _write_rows(context, path, expected),
    )
    arrays = read_arrays(path, numbers, "temperature.npz")
    height, width, _ = context.run.model.image_shape
    picture = context.picture(
        f"Rows of {num_samples} samples at the temperatures "
        f"{', '.join(map(temperature_text, temperatures))}.",
        lambda figure: _draw_rows(figure, numbers, arrays, context.run.pixels.num_grey_levels),
        (0.9 + _CELL * num_samples, 0.1 + _CELL * len(temperatures) * height / width),
        "temperature.png",
    )
    commands = [
        context.command(
            "sample",
            temperature=temperature,
            num_samples=num_samples,
            seed=_SEED,
            output=context.path(f"samples_temperature_{temperature_text(temperature, '_')}.png"),
        )
        for temperature in temperatures
    ]
    values = {
        "picture": picture,
        "num_non_finite": sum(row["num_non_finite"] for row in numbers["rows"]),
        "commands": commands,
        "files": [download(context.new_path("temperature.png")), download(path)],
    }
    return Section(values)


def _write_rows(context, path, expected):
    """Draws samples at all temperatures, and writes them and what the JSON file says of them."""
    num_samples = expected["num_samples"]
    stream = SampleStream(
        context.distribution, _SEED, num_samples, jit_compile=context.config.jit_compile
    )
    spread = context.run.pixels.num_grey_levels - 1
    arrays, rows = {}, []
    for index, temperature in enumerate(expected["temperatures"]):
        (batch,) = stream.batches(num_samples, temperature=temperature)
        images = batch.images
        arrays |= {f"images_{index}": images, f"columns_{index}": batch.indices}
        rows.append(
            {
                "temperature": temperature,
                "num_finite": len(images),
                "num_non_finite": num_samples - len(images),
                "mean_brightness": float(images.mean() / spread) if len(images) else None,
                "standard_deviation": float(images.std() / spread) if len(images) else None,
            }
        )
    if not any(row["num_finite"] for row in rows):
        raise RunError("no sample of any temperature is finite.")

    def write_files(directory):
        np.savez_compressed(directory / "temperature.npz", **arrays)
        weights = {"weights": context.weights, "checkpoint": context.config.checkpoint}
        return weights | expected | {"rows": rows}

    return write_result(path, write_files)


def _draw_rows(figure, numbers, arrays, num_grey_levels):
    """Draws a row of images for each temperature; places without an image stay empty."""
    num_rows, num_columns = len(numbers["temperatures"]), numbers["num_samples"]
    image_shape = arrays["images_0"].shape[1:]
    places = np.zeros([num_rows, num_columns, *image_shape], np.uint8)
    is_missing = np.ones([num_rows, num_columns], bool)
    for row in range(num_rows):
        columns = arrays[f"columns_{row}"]
        places[row, columns] = arrays[f"images_{row}"]
        is_missing[row, columns] = False
    grid = _transparent_image_grid(
        places.reshape(-1, *image_shape), num_grey_levels, num_columns, is_missing.flatten()
    )
    axes = figure.add_subplot()
    axes.grid(False)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    axes.imshow(grid, interpolation="nearest")
    axes.set_xticks([])
    centers = (np.arange(num_rows) + 0.5) * (image_shape[0] + 1)
    # Of several levels below each other: there is room for one number beside the images.
    labels = ["T = " + temperature_text(value, "\n") for value in numbers["temperatures"]]
    axes.set_yticks(centers, labels)


def _grid_picture(title, images, num_grey_levels, num_columns=None):
    num_columns = num_columns or math.ceil(math.sqrt(len(images)))
    grid = _transparent_image_grid(images, num_grey_levels, num_columns)
    scale = max(1, -(-_LEAST_GRID_WIDTH // grid.shape[1]))
    height, width, _ = images.shape[1:]
    alt = f"{title}: {len(images)} images of {height} x {width} pixels in {num_columns} columns."
    return Picture(alt, encode_png(grid.repeat(scale, axis=0).repeat(scale, axis=1)))


def _transparent_image_grid(images, num_grey_levels, num_columns, is_missing=None):
    """Images in rows, those of `is_missing` left out: uint8 RGBA, clear around each image."""
    images = spread_grey_levels(images, num_grey_levels)
    grid = image_grid(images, num_columns, padding=1)
    grid = np.broadcast_to(grid, (*grid.shape[:2], 3))
    gaps = np.zeros_like(images[..., :1])
    if is_missing is not None:
        gaps[is_missing] = 255
    # What is beside the images is white in a grid.
    return np.concatenate([grid, 255 - image_grid(gaps, num_columns, padding=1)], axis=-1)
