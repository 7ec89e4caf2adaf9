"""Interpolates between images of a data set with the model of a training directory."""

import os

import numpy as np
import tensorflow as tf

from tf_marscf.command_text import command_text
from tf_marscf.distributions.bits_per_dim import bits_per_dim
from tf_marscf.errors import InputError, warn
from tf_marscf.files.paths import output_directory
from tf_marscf.interpolation.interpolation import Interpolator
from tf_marscf.interpolation.interpolation_config import ProjectionConfig
from tf_marscf.interpolation.interpolation_output import (
    PATHS,
    path_rows,
    result_lines,
    save_interpolation,
)
from tf_marscf.progress import progress_bar
from tf_marscf.quality.kernel_distance import MIN_BLOCK_SIZE, squared_mean_discrepancy
from tf_marscf.runs.restored_run import RestoredRun
from tf_marscf.sampling.image_grid import check_drawable, spread_grey_levels

DEFAULT_DIRECTORY = "interpolation"
_MAX_IMAGES_BESIDE = 1000


def write_interpolation(config, projection=None, extractor=None, report=print, progress=True):
    """Interpolates between images with the model of a training directory, and writes all files.

    In the output directory: `interpolation.png` (Fig. 11: the linear row of each pair above the
    projected one), `log_prior.png`, `lambda_curve.png` (Fig. 12); the numbers behind them in
    `interpolation.csv`, `lambda_curve.csv` and, all of them, in `interpolation.json`; and the
    images in `interpolation.npz`. Of a model with classes, densities are given those of the images.

    Args:
        config: an `InterpolationConfig`.
        projection: a `ProjectionConfig`; default: that of the paper.
        extractor: features for the curve's kernel distance: called with uint8 [n, H, W, 1 or 3]
            of values 0 to 255, it returns an object with `features` [n, D]; default: the pixels.
        report: called with each line of the results.
        progress: whether to show how far it is, on the standard error stream.

    Returns:
        The dict that `interpolation.json` holds.

    Raises:
        DataUnavailableError: if the data cannot be had.
        MissingInputError: if the directory or checkpoint is missing.
        RunError: if a number is not finite, nothing being written then; or if nothing can be
            written.
        InputError: if an argument is wrong, or the data do not fit the model.
    """
    projection = projection or ProjectionConfig()
    output_dir = config.output_dir or os.path.join(config.train_dir, DEFAULT_DIRECTORY)
    output_directory("output_dir", output_dir)
    run = RestoredRun(config)
    check_drawable(run.run_config.model.image_shape, "train_dir")
    images, pairs = run.images_of(config.split), config.pairs
    if pairs is None:
        pairs = random_pairs(config.num_pairs, int(images.cardinality()), config.seed)
    ends, labels = images_of_pairs(images, pairs), None
    num_classes = run.run_config.model.num_classes
    if num_classes is not None:
        labels = run.dataset.labels(config.split, num_classes)[np.array(pairs)]
    if config.lambda_curve:
        if len(pairs) * config.num_points < 2:
            raise InputError(
                "`lambda_curve` must be empty for a single point; its score needs two."
            )
        references = _features(_images_beside(images, pairs), run, extractor)
    scaling = run.images_distribution.scaling
    model = run.images_distribution.distribution
    # In the middle of their grey levels: decoding gives the very pixels.
    middle = tf.fill(ends.shape, tf.constant(0.5, model.dtype))
    first, second = tf.unstack(scaling.continuous(ends, middle), axis=1)
    interpolator = Interpolator(model, first, second, config.num_points, labels, config.jit_compile)
    num_projections = 1 + sum(value > 0.0 for value in config.lambda_curve)
    num_iterations = num_projections * projection.num_iterations
    with progress_bar(num_iterations, "projecting", "iterations", progress) as bar:
        interpolation = interpolator.interpolate(projection, bar.update)
        curve = []
        for value, points in interpolator.lambda_curve(config.lambda_curve, projection, bar.update):
            pixels = scaling.grey_levels(points.images).numpy().reshape(-1, *ends.shape[2:])
            distance = squared_mean_discrepancy(_features(pixels, run, extractor), references)
            curve.append({"lambda": value, **points.summary(), "kernel_distance": distance})
    result = _result(run, interpolation, curve, pairs, projection)
    if labels is not None:
        result["labels"] = labels.tolist()
    result["curve_features"] = "pixels" if extractor is None else extractor.name
    pictures = {
        path: scaling.grey_levels(getattr(interpolation, path).images).numpy() for path in PATHS
    }
    result = save_interpolation(output_dir, result, {"ends": ends, **pictures})
    for line in result_lines(result):
        report(line)
    if result["num_unmoved"]:
        warn(
            f"no denser point was found for {result['num_unmoved']} of "
            f"{result['num_inner_points']} points, which stayed on the linear path."
        )
    report(f"pictures and numbers: {output_dir}")
    return result


def random_pairs(num_pairs, num_images, seed):
    """Draws pairs of numbers of images, all different; the same seed gives the same pairs.

    `InputError` if there are too few images.
    """
    if not 1 <= num_pairs <= num_images // 2:
        raise InputError(
            f"`num_pairs` must be from 1 to {num_images // 2}, as the split has {num_images} "
            f"images; got {num_pairs}."
        )
    indices = np.random.default_rng(seed).choice(num_images, 2 * num_pairs, replace=False)
    return [tuple(pair) for pair in indices.reshape(-1, 2).tolist()]


def images_of_pairs(images, pairs):
    """Reads the images of pairs, uint8 [num_pairs, 2, H, W, C], from a `tf.data.Dataset` of images.

    `InputError` if there are no pairs, a number is out of range or a pair has one image twice.
    """
    num_images = int(images.cardinality())
    if not pairs:
        raise InputError("`pairs` must hold at least one pair; got none.")
    for first, second in pairs:
        if first == second or not all(0 <= index < num_images for index in (first, second)):
            raise InputError(
                f"`pairs` must be two different images from 0 to {num_images - 1} each; got "
                f"{first}:{second}."
            )
    indices = {index for pair in pairs for index in pair}
    needed = images.enumerate().take(max(indices) + 1)
    found = {int(index): image.numpy() for index, image in needed if int(index) in indices}
    return np.stack([[found[index] for index in pair] for pair in pairs])


def _images_beside(images, pairs):
    """The first other images, at most 1,000, uint8 [N, H, W, C]; `InputError` if there is one."""
    used = sorted({index for pair in pairs for index in pair})
    num_left = int(images.cardinality()) - len(used)
    if num_left < MIN_BLOCK_SIZE:
        raise InputError(
            f"`lambda_curve` must be empty where fewer than {MIN_BLOCK_SIZE} images are left "
            f"beside those of the pairs, since they score the curve; {num_left} are left."
        )
    used = tf.constant(used, tf.int64)
    left = images.enumerate().filter(lambda index, _: tf.reduce_all(index != used))
    return np.stack([image.numpy() for _, image in left.take(_MAX_IMAGES_BESIDE)])


def _features(pixels, run, extractor):
    """The features of grey levels [N, H, W, C]: those of an extractor, or the pixels."""
    pixels = spread_grey_levels(pixels, run.dataset.num_grey_levels)
    if extractor is not None:
        return extractor(pixels).features
    return pixels.reshape(len(pixels), -1) / 255.0 - 0.5


def _result(run, interpolation, curve, pairs, projection):
    """What `interpolation.json` holds, but for the features of the curve."""
    config, num_grey_levels = run.config, run.dataset.num_grey_levels

    def with_bits(row):
        """Log-densities of images as bits/dim, as `bin/evaluate.py` counts them."""
        nats = row.pop("log_prob_per_dim")
        return row | {"bits_per_dim": bits_per_dim(nats, 1, num_grey_levels)}

    facts = {"dataset": run.dataset.name, "split": config.split, "checkpoint": config.checkpoint}
    # What repeats the run, but for where files are.
    flags = {
        "train_dir": "TRAIN_DIR",
        **facts,
        "crop": config.crop,
        "resize": config.resize,
        "pairs": ",".join(f"{first}:{second}" for first, second in pairs),
        "num_points": config.num_points,
        **projection.to_dict(),
        "lambda_curve": ",".join(f"{value:g}" for value in config.lambda_curve),
    }
    inner = {path: getattr(interpolation, path).inner().summary() for path in PATHS}
    return {
        "command": command_text("interpolate", flags),
        **facts,
        "weights": run.weights,
        "pairs": [list(pair) for pair in pairs],
        "seed": config.seed,
        "image_shape": list(run.dataset.image_shape),
        "num_grey_levels": num_grey_levels,
        "num_points": config.num_points,
        **projection.to_dict(),
        "num_inner_points": interpolation.log_prior_gain.size,
        "num_retried": int(interpolation.is_retried.sum()),
        "num_unmoved": interpolation.num_unmoved,
        "least_log_prior_gain": float(interpolation.log_prior_gain.min()),
        "inner_points": {path: with_bits(row) for path, row in inner.items()},
        "rows": path_rows(interpolation, pairs, num_grey_levels),
        "lambda_curve": [with_bits(row) for row in curve],
    }
