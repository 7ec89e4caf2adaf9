"""Figures of interpolations: the images, their prior density, and the curve against lambda.

A `draw_` function draws on an empty Matplotlib figure; `result` is the dict of
`interpolation.json`. A `_size` function gives width and height of that figure in inches.
"""

import math

import numpy as np

from tf_marscf.sampling.image_grid import spread_grey_levels

LAMBDA_CURVE_SIZE = (10.0, 3.4)  # For `draw_lambda_curve`.
_PATH_LABELS = {"linear": "linear", "projected": "projected (Eq. 11)"}
_PUBLISHED_LAMBDAS = (0.2, 0.5)
_MAX_COLUMNS = 4
_CURVES = {
    "kernel_distance": "kernel distance to real images",
    "bits_per_dim": "bits/dim of the interpolations",
    "log_prior_per_dim": "prior log-density (nats/dim)",
    "nearest_image_distance": "distance to the nearer end image",
}


def interpolation_size(result):
    """The size for `draw_interpolation`."""
    height, width, _ = result["image_shape"]
    num_columns = result["num_points"] + 2
    cell_width = min(0.8, 8.0 / num_columns)
    row_height = cell_width * height / width
    return 1.3 + cell_width * num_columns, 0.5 + len(result["pairs"]) * (2 * row_height + 0.3)


def draw_interpolation(figure, result, images):
    """The linear row of each pair above the projected one (Fig. 11), from `interpolation.npz`."""
    positions = [row["t"] for row in result["rows"] if (row["pair"], row["path"]) == (0, "linear")]
    all_axes = figure.subplots(len(result["pairs"]), squeeze=False)[:, 0]
    for pair, axes in enumerate(all_axes):
        rows = []
        for path in _PATH_LABELS:
            # The images themselves, and not their way through the model and back.
            ends = images["ends"][pair]
            rows.append(np.concatenate([ends[:1], images[path][pair, 1:-1], ends[1:]]))
        picture, centers, row_centers = _transparent_grid(
            np.stack([spread_grey_levels(row, result["num_grey_levels"]) for row in rows])
        )
        axes.imshow(picture, interpolation="nearest")
        axes.grid(False)
        axes.spines[:].set_visible(False)
        axes.tick_params(length=0)
        axes.set_yticks(row_centers, ["linear", "projected"])
        axes.set_xticks([])
        if pair == 0:
            between = [f"t = {position:.3g}" for position in positions[1:-1]]
            axes.set_xticks(centers, ["image A", *between, "image B"], fontsize="small")
            axes.xaxis.tick_top()


def _transparent_grid(images):
    """[rows, columns, H, W, C] -> RGBA picture with clear gaps, and the cells' centers."""
    num_rows, num_columns, height, width, _ = images.shape
    gap = max(1, round(width / 16))
    # The images themselves stand apart from what lies between them.
    lefts = [column * (width + gap) + 2 * gap * (column > 0) for column in range(num_columns)]
    lefts[-1] += 2 * gap
    tops = [row * (height + gap) for row in range(num_rows)]
    picture = np.zeros([tops[-1] + height, lefts[-1] + width, 4], np.uint8)
    for row, top in enumerate(tops):
        for column, left in enumerate(lefts):
            cell = picture[top : top + height, left : left + width]
            cell[..., :3] = images[row, column]
            cell[..., 3] = 255
    centers = (np.array(lefts) + (width - 1) / 2, np.array(tops) + (height - 1) / 2)
    return picture, *centers


def log_prior_size(result):
    """The size for `draw_log_prior`."""
    num_rows, num_columns = _panels(len(result["pairs"]))
    return 1.0 + 2.6 * num_columns, 0.8 + 2.2 * num_rows


def draw_log_prior(figure, result):
    """The prior's log-density along both paths, a panel for each pair."""
    pairs = result["pairs"]
    panels = figure.subplots(*_panels(len(pairs)), sharex=True, squeeze=False).flatten()
    for panel in panels[len(pairs) :]:
        panel.set_axis_off()
    for pair, (axes, (first, second)) in enumerate(zip(panels, pairs, strict=False)):
        for path, marker in zip(_PATH_LABELS, ("o", "s"), strict=True):
            rows = [row for row in result["rows"] if (row["pair"], row["path"]) == (pair, path)]
            axes.plot(
                [row["t"] for row in rows],
                [row["log_prior"] for row in rows],
                marker=marker,
                markersize=4,
                label=_PATH_LABELS[path] if pair == 0 else None,
            )
        axes.set_title(f"image {first} to {second}")
    figure.supxlabel("t")
    figure.supylabel("log p(z) of the prior (nats)")
    figure.legend(loc="outside upper center", ncols=2)


def draw_lambda_curve(figure, result):
    """Scores of the interpolations against lambda (Fig. 12), means over all inner points."""
    curve = sorted(result["lambda_curve"], key=lambda row: row["lambda"])
    lambdas = [row["lambda"] for row in curve]
    panels = figure.subplots(1, len(_CURVES), sharex=True)
    for axes, (name, label) in zip(panels, _CURVES.items(), strict=True):
        axes.axvspan(*_PUBLISHED_LAMBDAS, alpha=0.12, linewidth=0.0)
        axes.plot(lambdas, [row[name] for row in curve], marker="o", markersize=4)
        axes.set_title(label, fontsize="small")
    panels[0].set_ylabel(f"on {result['curve_features']}, lower: more alike", fontsize="small")
    figure.supxlabel(
        "lambda_1 = lambda_2 = lambda   (0: the linear path; shaded: the range of the paper)",
        fontsize="medium",
    )


def _panels(count):
    num_columns = min(count, _MAX_COLUMNS)
    return math.ceil(count / num_columns), num_columns
