"""Interpolations between test images: linear, and projected to high density."""

import dataclasses
import os
import shlex

from tf_marscf.figures import render_png
from tf_marscf.files.result_files import read_file
from tf_marscf.interpolation.interpolation_figures import (
    draw_interpolation,
    draw_lambda_curve,
    draw_log_prior,
    interpolation_size,
    lambda_curve_size,
    log_prior_size,
)
from tf_marscf.interpolation.interpolation_output import RESULT_FILE, load_interpolation
from tf_marscf.interpolation.interpolation_run import DEFAULT_DIRECTORY, InterpolationRun
from tf_marscf.interpolation.projection_config import ProjectionConfig
from tf_marscf.quality.kernel_distance import MIN_BLOCK_SIZE
from tf_marscf.reporting.html_elements import join
from tf_marscf.reporting.html_page import (
    Section,
    figure,
    note,
    paragraphs,
    wide_figure,
)
from tf_marscf.reporting.stored_results import find_result_files, read_bytes

TITLE = "Interpolation"
_SEED = 0


def interpolation_section(context):
    """Interpolates between test images, unless a result of these weights is there already.

    Args:
        context: the `ReportContext`.

    Returns:
        A `Section`.

    Raises:
        RunError: if a density is not finite.
    """
    if context.dataset is None:
        return Section("interpolation", TITLE, note(context.dataset_problem))
    if context.dataset.num_test_images < 2:
        return Section("interpolation", TITLE, note("The test set has a single image."))
    directory = _stored(context)
    if directory is None:
        directory = context.path(DEFAULT_DIRECTORY)
        _interpolate(context, directory)
    else:
        context.report(f"interpolation: {directory} is of these weights, used again")
    result, images = load_interpolation(directory)
    path = os.path.join(directory, RESULT_FILE)
    charts = [
        (
            draw_interpolation,
            (result, images),
            interpolation_size(result),
            "Fig. 11: between test images A and B, linear in the latent space (upper rows) and "
            "projected to high density by Eq. 11 (lower rows).",
            f"Rows of images between {len(result['pairs'])} pairs of test images, the linear path "
            "above the projected one.",
            "interpolation.csv",
        ),
        (
            draw_log_prior,
            (result,),
            log_prior_size(result),
            "The prior's log-density along both paths; higher is more likely.",
            f"Curves of the prior's log-density over t, for {len(result['pairs'])} pairs.",
            "interpolation.csv",
        ),
    ]
    if result["lambda_curve"]:
        charts.append(
            (
                draw_lambda_curve,
                (result,),
                lambda_curve_size(result),
                "Fig. 12: means over all inner points against lambda. The score is a kernel "
                f"distance to test images on {result['curve_features']}, where the paper has an "
                "Inception network.",
                "Curves of four scores of the interpolations against lambda from "
                f"{min(row['lambda'] for row in result['lambda_curve']):g} to "
                f"{max(row['lambda'] for row in result['lambda_curve']):g}.",
                "lambda_curve.csv",
            )
        )
    command = _command(context, result, directory)
    figures = [
        figure(
            _chart(draw, data, size, alt),
            caption,
            [command],
            [(table_name, read_file(path, result, table_name)), (RESULT_FILE, read_bytes(path))],
        )
        for draw, data, size, caption, alt, table_name in charts
    ]
    return Section("interpolation", TITLE, join(paragraphs(_summary(result)), *figures))


def _chart(draw, data, size, alt):
    return wide_figure(
        alt, lambda theme: render_png(lambda figure: draw(figure, *data), size, theme), size
    )


def _arguments(context):
    """Arguments of the run, and of its projection."""
    arguments, projection = context.config.interpolation
    num_images = context.dataset.num_test_images
    num_pairs = min(arguments["num_pairs"], num_images // 2)
    # The curve is scored with the images that are left.
    lambdas = arguments["lambdas"] if num_images - 2 * num_pairs >= MIN_BLOCK_SIZE else ()
    arguments = arguments | {"num_pairs": num_pairs, "lambdas": lambdas}
    return arguments | {"seed": _SEED}, ProjectionConfig(**projection)


def _stored(context):
    """The directory of a result that is there, or None.

    One of the training directory was asked for by somebody, and goes first, whatever its settings.
    """
    expected = {"dataset": context.dataset.name, "split": "test"}
    theirs = context.train_path(DEFAULT_DIRECTORY)
    arguments, projection = _arguments(context)
    exactly = expected | {
        "seed": arguments["seed"],
        "num_points": arguments["num_points"],
        **dataclasses.asdict(projection),
    }
    for directory, wanted in ((theirs, expected), (context.path(DEFAULT_DIRECTORY), exactly)):
        result = find_result_files(context, os.path.join(directory, RESULT_FILE), **wanted)
        if result is None:
            continue
        lambdas = [row["lambda"] for row in result["lambda_curve"]]
        counts = (len(result["pairs"]), lambdas)
        if wanted is exactly and counts != (arguments["num_pairs"], list(arguments["lambdas"])):
            continue
        return directory
    return None


def _interpolate(context, directory):
    context.report("interpolation: projecting to high density")
    config = context.config
    arguments, projection = _arguments(context)
    InterpolationRun(config.train_dir, config.checkpoint, config.dataset, config.data_dir).run(
        **arguments,
        config=projection,
        output_dir=directory,
        progress=context.progress,
        report=lambda line: None,
    )
    context.report(f"interpolation: wrote {directory}")


def _command(context, result, directory):
    """The command that the result holds, with this training directory in it."""
    words = shlex.split(result["command"])
    place = words.index("--train_dir=TRAIN_DIR")
    words[place] = f"--train_dir={context.config.train_dir}"
    if context.config.data_dir is not None:
        words.append(f"--data_dir={context.config.data_dir}")
    words.append(f"--output_dir={directory}")
    return shlex.join(words)


def _summary(result):
    linear, projected = (
        result["inner_points"][path]["log_prior_per_dim"] for path in ("linear", "projected")
    )
    count = result["num_inner_points"]
    higher = count - result["num_unmoved"]
    return (
        f"The prior's log-density is higher on the projected path at {higher} of {count} inner "
        f"points: {_signed(projected)} nats/dim on average, {_signed(linear)} on the linear path. "
        f"lambda_1 = {result['lambda_1']:g}, lambda_2 = {result['lambda_2']:g}, "
        f"{result['num_iterations']} iterations of Adamax at {result['learning_rate']:g}."
    )


def _signed(value):
    return f"{value:.3f}".replace("-", "−")
