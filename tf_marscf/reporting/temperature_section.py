"""The same noise at several temperatures, a row each."""

import numpy as np

from tf_marscf.errors import RunError
from tf_marscf.files.result_files import write_result
from tf_marscf.reporting.page import Section
from tf_marscf.reporting.samples_section import transparent_image_grid
from tf_marscf.reporting.stored_results import download, find_result, read_arrays, stored_or_made
from tf_marscf.sampling.sample_stream import SampleStream

_ARRAY, _NUMBERS, _PICTURE = "temperature.npz", "temperature.json", "temperature.png"
_SEED = 0
_CELL = 0.75  # Width of an image in the figure, in inches.


def temperature_section(context):
    """Draws the rows, unless those of these weights are there already.

    Raises:
        RunError: if no sample of any temperature is finite.
    """
    temperatures = context.config.temperatures
    num_samples = context.config.samples_per_temperature
    path = context.path(_NUMBERS)
    expected = {"seed": _SEED, "temperatures": list(temperatures), "num_samples": num_samples}
    numbers = stored_or_made(
        context,
        "temperature",
        find_result(context, path, **expected),
        context.path(_ARRAY),
        f"drawing {len(temperatures)} rows of samples",
        lambda: _write_rows(context, path, expected),
    )
    arrays = read_arrays(path, numbers, _ARRAY)
    rows = {
        temperature: (arrays[f"images_{index}"], arrays[f"columns_{index}"])
        for index, temperature in enumerate(temperatures)
    }
    num_grey_levels = context.run.pixels.num_grey_levels
    height, width, _ = context.run.model.image_shape
    picture = context.picture(
        f"Rows of {num_samples} samples at the temperatures "
        f"{', '.join(f'{value:g}' for value in temperatures)}.",
        lambda figure: _draw_rows(figure, rows, num_samples, num_grey_levels),
        (0.9 + _CELL * num_samples, 0.1 + _CELL * len(rows) * height / width),
        _PICTURE,
    )
    commands = [
        context.command(
            "sample",
            temperature=temperature,
            num_samples=num_samples,
            seed=_SEED,
            output=context.path(f"samples_temperature_{temperature:g}.png"),
        )
        for temperature in temperatures
    ]
    values = {
        "picture": picture,
        "num_non_finite": sum(row["num_non_finite"] for row in numbers["rows"]),
        "commands": commands,
        "files": [download(context.new_path(_PICTURE)), download(path)],
    }
    return Section("temperature", values)


def _draw_rows(figure, rows, num_columns, num_grey_levels):
    """Draws a row of samples for each temperature.

    Args:
        figure: an empty `matplotlib.figure.Figure`.
        rows: dict from temperature to a pair of uint8 images [n, H, W, C] and their columns [n].
        num_columns: places in a row; those without an image stay empty.
        num_grey_levels: grey levels are spread over 0 to 255.
    """
    axes = figure.add_subplot()
    axes.grid(False)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    image_shape = next(iter(rows.values()))[0].shape[1:]
    places = np.zeros([len(rows) * num_columns, *image_shape], np.uint8)
    is_filled = np.zeros(len(places), bool)
    for row, (images, columns) in enumerate(rows.values()):
        places[row * num_columns + columns] = images
        is_filled[row * num_columns + columns] = True
    grid = transparent_image_grid(places, num_grey_levels, num_columns, ~is_filled)
    axes.imshow(grid, interpolation="nearest")
    axes.set_xticks([])
    centers = (np.arange(len(rows)) + 0.5) * (image_shape[0] + 1)
    axes.set_yticks(centers, [f"T = {temperature:g}" for temperature in rows])


def _write_rows(context, path, expected):
    """Draws samples at all temperatures, and writes them and what the JSON file says of them."""
    num_samples = expected["num_samples"]
    stream = SampleStream(context.distribution, _SEED, batch_size=num_samples)
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
        np.savez_compressed(directory / _ARRAY, **arrays)
        weights = {"weights": context.weights, "checkpoint": context.config.checkpoint}
        return weights | expected | {"rows": rows}

    return write_result(path, write_files)
