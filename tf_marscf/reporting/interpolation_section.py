"""Interpolations between test images: linear, and projected to high density."""

import dataclasses
import os
import shlex

from tf_marscf.files.result_files import read_file
from tf_marscf.interpolation import interpolation_figures as figures
from tf_marscf.interpolation.interpolation_config import InterpolationConfig, ProjectionConfig
from tf_marscf.interpolation.interpolation_output import RESULT_FILE, load_interpolation
from tf_marscf.interpolation.interpolation_run import DEFAULT_DIRECTORY, write_interpolation
from tf_marscf.quality.kernel_distance import MIN_BLOCK_SIZE
from tf_marscf.reporting.page import Section
from tf_marscf.reporting.stored_results import download, find_result, stored_or_made

_SEED = 0


def interpolation_section(context):
    """Interpolates between test images, unless a result of these weights is there already.

    Raises:
        RunError: if a density is not finite.
    """
    if context.dataset is None:
        return Section("interpolation", notes=(context.dataset_problem,))
    if context.dataset.num_test_images < 2:
        return Section("interpolation", notes=("The test set has a single image.",))
    stored = _stored(context)
    directory = stored or context.path(DEFAULT_DIRECTORY)
    stored_or_made(
        context,
        "interpolation",
        stored,
        directory,
        "projecting to high density",
        lambda: _interpolate(context, directory),
    )
    result, images = load_interpolation(directory)
    path = os.path.join(directory, RESULT_FILE)
    num_pairs = len(result["pairs"])
    values = {
        "result": result,
        "images": context.picture(
            f"Rows of images between {num_pairs} pairs of test images, the linear path above the "
            "projected one.",
            lambda figure: figures.draw_interpolation(figure, result, images),
            figures.interpolation_size(result),
        ),
        "log_prior": context.picture(
            f"Curves of the prior's log-density over t, for {num_pairs} pairs.",
            lambda figure: figures.draw_log_prior(figure, result),
            figures.log_prior_size(result),
        ),
        "lambda_curve": _lambda_curve(context, result),
        "commands": [_command(context, result, directory)],
        "files": lambda name: [(name, read_file(path, result, name)), download(path)],
    }
    return Section("interpolation", values)


def _lambda_curve(context, result):
    lambdas = [row["lambda"] for row in result["lambda_curve"]]
    if not lambdas:
        return None
    return context.picture(
        "Curves of four scores of the interpolations against lambda from "
        f"{min(lambdas):g} to {max(lambdas):g}.",
        lambda figure: figures.draw_lambda_curve(figure, result),
        figures.LAMBDA_CURVE_SIZE,
    )


def _arguments(context):
    """Arguments of the run, and of its projection."""
    arguments, projection = context.config.interpolation
    num_images = context.dataset.num_test_images
    num_pairs = min(arguments["num_pairs"], num_images // 2)
    # The curve is scored with the images that are left.
    curve = arguments["lambda_curve"] if num_images - 2 * num_pairs >= MIN_BLOCK_SIZE else ()
    arguments = arguments | {"num_pairs": num_pairs, "lambda_curve": curve, "seed": _SEED}
    return arguments, ProjectionConfig(**projection)


def _stored(context):
    """The directory of a result that is there, or None.

    One of the training directory was asked for by somebody, and goes first, whatever its settings.
    """
    expected = {"dataset": context.dataset.name, "split": "test"}
    theirs, ours = context.train_path(DEFAULT_DIRECTORY), context.path(DEFAULT_DIRECTORY)
    if find_result(context, os.path.join(theirs, RESULT_FILE), **expected):
        return theirs
    arguments, projection = _arguments(context)
    expected |= {name: arguments[name] for name in ("seed", "num_points")}
    expected |= dataclasses.asdict(projection)
    result = find_result(context, os.path.join(ours, RESULT_FILE), **expected)
    if result is None or len(result["pairs"]) != arguments["num_pairs"]:
        return None
    lambdas = tuple(row["lambda"] for row in result["lambda_curve"])
    return ours if lambdas == tuple(arguments["lambda_curve"]) else None


def _interpolate(context, directory):
    config = context.config
    arguments, projection = _arguments(context)
    interpolation = InterpolationConfig(
        train_dir=config.train_dir,
        checkpoint=config.checkpoint,
        dataset=config.dataset,
        data_dir=config.data_dir,
        output_dir=directory,
        **arguments,
    )
    write_interpolation(
        interpolation, projection, report=lambda line: None, progress=context.progress
    )


def _command(context, result, directory):
    """The command that the result holds, with this training directory in it."""
    words = shlex.split(result["command"])
    words[words.index("--train_dir=TRAIN_DIR")] = f"--train_dir={context.config.train_dir}"
    if context.config.data_dir is not None:
        words.append(f"--data_dir={context.config.data_dir}")
    return shlex.join([*words, f"--output_dir={directory}"])
