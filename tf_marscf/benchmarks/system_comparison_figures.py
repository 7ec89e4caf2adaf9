"""Figures of a comparison of systems: density against sampling time, and samples side by side."""

import numpy as np

from tf_marscf.benchmarks.model_kinds import MODEL_LABELS
from tf_marscf.sampling.image_grid import image_grid, spread_grey_levels

_PANEL_INCHES = 2.6
_MAX_COLUMNS = 4
_NUM_COLUMNS = 5  # Images a row of a panel.


def draw_comparison(figure, result):
    """Draws held-out bits/dim against seconds of a sample, each model a point.

    Left and down is better. Bars are one standard error over the held-out images. A model without
    either figure is named below.
    """
    axes = figure.subplots()
    missing = []
    for row in result["rows"]:
        label = MODEL_LABELS[row["model"]]
        if row["bits_per_dim"] is None or not row["seconds_per_sample"]:
            missing.append(f"{label}: {row['notes'] or 'not measured'}")
            continue
        if row["kid"] is not None:
            label += f", KID {row['kid']:.4f}"
        axes.errorbar(
            row["seconds_per_sample"],
            row["bits_per_dim"],
            row["standard_error"] or 0.0,
            marker="o",
            markersize=7,
            linestyle="",
            capsize=3,
            label=label,
        )
    axes.set_xscale("log")
    axes.set_xlabel(f"seconds a sample, in batches of {result['config']['measured_batch_size']}")
    axes.set_ylabel("held-out bits/dim")
    if missing:
        figure.supxlabel("\n".join(missing), fontsize="small")
    height, width, channels = result["data"]["image_shape"]
    title = (
        f"{result['config']['dataset']}, {height}x{width}x{channels}, "
        f"{result['data']['num_evaluation_images']:,} held-out images"
    )
    if len(missing) < len(result["rows"]):
        figure.legend(loc="outside upper center", ncols=2, fontsize="small", title=title)
    else:
        figure.suptitle(title)


def samples_size(num_panels):
    """Width and height in inches of what `draw_samples` draws."""
    num_rows = -(-num_panels // _MAX_COLUMNS)
    return _PANEL_INCHES * min(num_panels, _MAX_COLUMNS), (_PANEL_INCHES + 0.3) * num_rows


def draw_samples(figure, panels, num_grey_levels):
    """Draws grids of images side by side, each below its name.

    Args:
        figure: an empty Matplotlib figure.
        panels: dict from names to images, uint8 [n, H, W, 1 or 3]; n may be 0.
        num_grey_levels: grey levels 0 to `num_grey_levels - 1` become black to white.
    """
    num_columns = min(len(panels), _MAX_COLUMNS)
    cells = figure.subplots(-(-len(panels) // num_columns), num_columns, squeeze=False).ravel()
    for axes in cells:
        axes.set_axis_off()
    for axes, (name, images) in zip(cells, panels.items(), strict=False):
        axes.set_title(name, fontsize="small", wrap=True)
        if len(images):
            grid = image_grid(spread_grey_levels(images, num_grey_levels), _NUM_COLUMNS, 1)
            axes.imshow(np.broadcast_to(grid, (*grid.shape[:2], 3)), interpolation="nearest")
