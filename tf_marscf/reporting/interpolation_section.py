"""Interpolations between test images: linear, and projected to high density."""

import dataclasses
import os

from tf_marscf.files.result_files import read_file
from tf_marscf.interpolation import interpolation_figures as figures
from tf_marscf.interpolation.interpolation_config import InterpolationConfig, ProjectionConfig
from tf_marscf.interpolation.interpolation_output import RESULT_FILE, load_interpolation
from tf_marscf.interpolation.interpolation_run import DEFAULT_DIRECTORY, write_interpolation
from tf_marscf.quality.kernel_distance import MIN_BLOCK_SIZE
from tf_marscf.reporting.page import Section
from tf_marscf.reporting.report_context import download

_SEED = 0


def interpolation_section(context):
    """Interpolates between test images, unless a result of these weights is there already.

    Raises:
        RunError: if a density is not finite.
    """
    if context.dataset is None:
        return Section(notes=(context.dataset_problem,))
    if context.dataset.num_test_images < 2:
        return Section(notes=("The test set has a single image.",))
    arguments, projection = _arguments(context)
    stored = _stored(context, arguments, projection)
    directory = stored or context.path(DEFAULT_DIRECTORY)
    config = context.config

    def interpolate():
        write_interpolation(
            InterpolationConfig(**context.restored_fields, **arguments, output_dir=directory),
            projection,
            report=lambda line: None,
            progress=context.progress,
        )

    context.stored_or_made(
        "interpolation", stored, directory, "projecting to high density", interpolate
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
        "lambda_curve": None,
        "commands": [context.stored_command(result, directory, config.data_dir)],
        "files": lambda name: [(name, read_file(path, result, name)), download(path)],
    }
    lambdas = [row["lambda"] for row in result["lambda_curve"]]
    if lambdas:
        values["lambda_curve"] = context.picture(
            "Curves of four scores of the interpolations against lambda from "
            f"{min(lambdas):g} to {max(lambdas):g}.",
            lambda figure: figures.draw_lambda_curve(figure, result),
            figures.LAMBDA_CURVE_SIZE,
        )
    return Section(values)


def _arguments(context):
    """Arguments of the run, and its `ProjectionConfig`."""
    fast, num_images = context.config.fast, context.dataset.num_test_images
    num_pairs = min(2 if fast else 4, num_images // 2)
    lambdas = (0.0, 0.2, 0.5, 1.0) if fast else (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0)
    # The curve is scored with the images that are left.
    if num_images - 2 * num_pairs < MIN_BLOCK_SIZE:
        lambdas = ()
    num_points = 5 if fast else 7
    arguments = {"num_pairs": num_pairs, "num_points": num_points, "lambda_curve": lambdas}
    projection = ProjectionConfig(num_iterations=30) if fast else ProjectionConfig()
    return arguments | {"seed": _SEED}, projection


def _stored(context, arguments, projection):
    """The directory of a result that is there, or None.

    One of the training directory was asked for by somebody, and goes first, whatever its settings.
    """
    expected = {"dataset": context.dataset.name, "split": "test"}
    theirs, ours = context.train_path(DEFAULT_DIRECTORY), context.path(DEFAULT_DIRECTORY)
    if context.find_result(os.path.join(theirs, RESULT_FILE), **expected):
        return theirs
    expected |= {name: arguments[name] for name in ("seed", "num_points")}
    expected |= dataclasses.asdict(projection)
    result = context.find_result(os.path.join(ours, RESULT_FILE), **expected)
    if result is None or len(result["pairs"]) != arguments["num_pairs"]:
        return None
    lambdas = tuple(row["lambda"] for row in result["lambda_curve"])
    return ours if lambdas == arguments["lambda_curve"] else None
