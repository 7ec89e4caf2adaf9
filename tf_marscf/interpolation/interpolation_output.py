"""What an interpolation writes: figures, tables, images, and lines to print."""

import io
import os

import numpy as np

from tf_marscf.figures import save_figure
from tf_marscf.files.atomic_file import write_csv
from tf_marscf.files.result_files import check_files, read_entries, read_file, write_result
from tf_marscf.interpolation.interpolation_figures import (
    LAMBDA_CURVE_SIZE,
    draw_interpolation,
    draw_lambda_curve,
    draw_log_prior,
    interpolation_size,
    log_prior_size,
)

PATHS = ("linear", "projected")
RESULT_FILE, _IMAGES_FILE = "interpolation.json", "interpolation.npz"


def path_rows(interpolation, pairs, num_grey_levels):
    """The numbers of all points of an `Interpolation`, a list with a dict each.

    `log_prior` is in nats; distances, from the linear point and from the images, are root mean
    squares an element.
    """
    rows = []
    for path in PATHS:
        points = getattr(interpolation, path)
        root = points.num_dimensions**0.5
        bits_per_dim = points.bits_per_dim(num_grey_levels)
        for pair, point in np.ndindex(points.log_prior.shape):
            to_first, to_second = points.image_distances[pair, point] / root
            rows.append(
                {
                    "pair": pair,
                    "first_image": pairs[pair][0],
                    "second_image": pairs[pair][1],
                    "path": path,
                    "point": point,
                    "t": float(interpolation.positions[point]),
                    "log_prior": float(points.log_prior[pair, point]),
                    "bits_per_dim": float(bits_per_dim[pair, point]),
                    "latent_distance": float(points.latent_distance[pair, point]) / root,
                    "distance_to_first": float(to_first),
                    "distance_to_second": float(to_second),
                }
            )
    return rows


def save_interpolation(directory, result, images):
    """Writes `interpolation.*`, `log_prior.png` and, if there is a curve, `lambda_curve.*`, as one.

    `result` is the dict for `interpolation.json`, and is returned with digests, as of
    `write_result`. `images` is a dict of uint8 arrays for `interpolation.npz`: `ends`
    [B, 2, H, W, C], `linear` and `projected` [B, T, H, W, C].
    """
    rows, curve = result["rows"], result["lambda_curve"]

    def write_files(directory):
        np.savez_compressed(directory / _IMAGES_FILE, **images)
        write_csv(directory / "interpolation.csv", list(rows[0]), rows)
        save_figure(
            directory / "interpolation.png",
            lambda figure: draw_interpolation(figure, result, images),
            interpolation_size(result),
        )
        save_figure(
            directory / "log_prior.png",
            lambda figure: draw_log_prior(figure, result),
            log_prior_size(result),
        )
        if curve:
            write_csv(directory / "lambda_curve.csv", list(curve[0]), curve)
            save_figure(
                directory / "lambda_curve.png",
                lambda figure: draw_lambda_curve(figure, result),
                LAMBDA_CURVE_SIZE,
            )
        return result

    return write_result(os.path.join(directory, RESULT_FILE), write_files)


def load_interpolation(directory):
    """Reads `(result, images)` that `save_interpolation` wrote, to draw it again.

    `InputError` if there is none, or its files are not those that were written together.
    """
    path = os.path.join(directory, RESULT_FILE)
    result = read_entries(path)
    check_files(path, result)
    content = io.BytesIO(read_file(path, result, _IMAGES_FILE))
    with np.load(content, allow_pickle=False) as archive:
        return result, dict(archive)


def result_lines(result):
    """The lines that a command prints of the dict of `interpolation.json`."""
    lines = ["log p(z) of the prior in nats, from the first image (t = 0) to the second (t = 1)"]
    for pair, (first, second) in enumerate(result["pairs"]):
        for path in PATHS:
            label = f"images {first} to {second}" if path == PATHS[0] else ""
            values = [
                f"{row['log_prior']:10.3f}"
                for row in result["rows"]
                if (row["pair"], row["path"]) == (pair, path)
            ]
            lines.append(f"{label:<22}{path:<10}{''.join(values)}")
    if result["lambda_curve"]:
        lines.append(
            f"{'lambda':>8}{'kernel distance':>17}{'bits/dim':>10}{'log p(z)/D':>12}"
            f"{'to nearer image':>17}"
        )
        lines += [
            f"{row['lambda']:>8g}{row['kernel_distance']:>17.5f}{row['bits_per_dim']:>10.4f}"
            f"{row['log_prior_per_dim']:>12.4f}{row['nearest_image_distance']:>17.4f}"
            for row in result["lambda_curve"]
        ]
    count = result["num_inner_points"]
    linear, projected = (result["inner_points"][path]["log_prior_per_dim"] for path in PATHS)
    lines.append(
        f"prior log-density of {count} inner points: {linear:.4f} nats/dim linear, "
        f"{projected:.4f} projected; higher at {count - result['num_unmoved']} of {count}, by "
        f"{result['least_log_prior_gain']:.3g} nats at least"
    )
    if result["num_retried"]:
        lines.append(
            f"{result['num_retried']} of them had no denser iterate, and were followed in shorter "
            "steps without the image term"
        )
    return lines
