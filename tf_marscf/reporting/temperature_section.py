"""The same noise at several temperatures, a row each."""

import io

import numpy as np

from tf_marscf.errors import RunError
from tf_marscf.figures import render_png, save_figure
from tf_marscf.files.atomic_file import atomic_write
from tf_marscf.files.result_files import read_file, write_result
from tf_marscf.reporting.html_page import Section, figure, wide_figure
from tf_marscf.reporting.image_figure import transparent_image_grid
from tf_marscf.reporting.stored_results import find_result_files, read_bytes
from tf_marscf.sampling.sample_stream import SampleStream

TITLE = "Temperature"
_ARRAY, _NUMBERS, _PICTURE = "temperature.npz", "temperature.json", "temperature.png"
_SEED = 0


def temperature_section(context):
    """Draws the rows, unless those of these weights are there already.

    Args:
        context: the `ReportContext`.

    Returns:
        A `Section`.

    Raises:
        RunError: if no sample of any temperature is finite.
    """
    config = context.config
    expected = {
        "seed": _SEED,
        "temperatures": list(config.temperatures),
        "num_samples": config.samples_per_temperature,
    }
    path = context.path(_NUMBERS)
    numbers = find_result_files(context, path, **expected)
    if numbers is None:
        context.report(f"temperature: drawing {len(config.temperatures)} rows of samples")
        numbers = _draw_rows(context, expected)
    else:
        context.report(f"temperature: {context.path(_ARRAY)} is of these weights, used again")
    rows = _read_rows(read_file(path, numbers, _ARRAY), expected)
    num_grey_levels = context.run.pixels.num_grey_levels
    height, width, _ = context.run.model.image_shape
    cell = 0.75
    size = (
        0.9 + cell * config.samples_per_temperature,
        0.1 + cell * len(rows) * height / width,
    )

    def draw(figure):
        draw_temperature_rows(figure, rows, config.samples_per_temperature, num_grey_levels)

    save_figure(context.new_path(_PICTURE), draw, size)
    chart = wide_figure(
        f"Rows of {config.samples_per_temperature} samples at the temperatures "
        f"{', '.join(f'{value:g}' for value in rows)}.",
        lambda theme: render_png(draw, size, theme),
        size,
    )
    num_non_finite = sum(row["num_non_finite"] for row in numbers["rows"])
    left_out = f" {num_non_finite} samples were not finite: their places are empty."
    body = figure(
        chart,
        "The temperature scales the noise of all priors; a column has the same noise in every row. "
        f"Less noise gives smoother and less varied images.{left_out if num_non_finite else ''}",
        [
            context.command(
                "sample.py",
                **context.model_flags,
                temperature=temperature,
                num_samples=config.samples_per_temperature,
                seed=_SEED,
                output=context.path(f"samples_temperature_{temperature:g}.png"),
            )
            for temperature in rows
        ],
        [(_PICTURE, read_bytes(context.new_path(_PICTURE))), (_NUMBERS, read_bytes(path))],
    )
    return Section("temperature", TITLE, body)


def draw_temperature_rows(figure, rows, num_columns, num_grey_levels=256):
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
    (height, width, channels) = next(iter(rows.values()))[0].shape[1:]
    places = np.zeros([len(rows) * num_columns, height, width, channels], np.uint8)
    is_filled = np.zeros(len(places), bool)
    for row, (images, columns) in enumerate(rows.values()):
        places[row * num_columns + columns] = images
        is_filled[row * num_columns + columns] = True
    grid = transparent_image_grid(places, num_grey_levels, num_columns)
    for row, column in zip(*np.divmod(np.flatnonzero(~is_filled), num_columns), strict=True):
        top, left = row * (height + 1), column * (width + 1)
        grid[top : top + height + 1, left : left + width + 1, 3] = 0
    axes.imshow(grid, interpolation="nearest")
    axes.set_xticks([])
    centers = [row * (height + 1) + (height + 1) / 2 for row in range(len(rows))]
    axes.set_yticks(centers, [f"T = {temperature:g}" for temperature in rows])


def _draw_rows(context, expected):
    num_samples = expected["num_samples"]
    stream = SampleStream(context.distribution, _SEED, batch_size=num_samples)
    rows = {}
    for temperature in expected["temperatures"]:
        (batch,) = stream.at_temperature(temperature).batches(num_samples)
        rows[temperature] = batch.images, batch.indices
    if not any(len(images) for images, _ in rows.values()):
        raise RunError("no sample of any temperature is finite.")
    arrays = {}
    for index, (images, columns) in enumerate(rows.values()):
        arrays |= {f"images_{index}": images, f"columns_{index}": columns}
    spread = context.run.pixels.num_grey_levels - 1
    numbers = [
        {
            "temperature": temperature,
            "num_finite": len(images),
            "num_non_finite": num_samples - len(images),
            "mean_brightness": float(images.mean() / spread) if len(images) else None,
            "standard_deviation": float(images.std() / spread) if len(images) else None,
        }
        for temperature, (images, _) in rows.items()
    ]
    content = {"weights": context.weights, "checkpoint": context.config.checkpoint}
    content |= expected | {"rows": numbers}

    def write_files(directory):
        with atomic_write(directory / _ARRAY) as file:
            np.savez_compressed(file, **arrays)
        return content

    written = write_result(context.path(_NUMBERS), write_files)
    context.report(f"temperature: wrote {context.path(_ARRAY)}, {context.path(_NUMBERS)}")
    return written


def _read_rows(content, expected):
    with np.load(io.BytesIO(content), allow_pickle=False) as archive:
        return {
            temperature: (archive[f"images_{index}"], archive[f"columns_{index}"])
            for index, temperature in enumerate(expected["temperatures"])
        }
