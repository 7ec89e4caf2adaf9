"""Curves of the training run."""

from tf_marscf.figures import render_png, save_figure
from tf_marscf.files.text_files import write_csv
from tf_marscf.reporting.html_elements import element, join
from tf_marscf.reporting.html_page import Section, figure, note, themed_figure
from tf_marscf.reporting.stored_results import read_bytes
from tf_marscf.reporting.training_curves import COLUMNS, LOGS
from tf_marscf.reporting.training_figure import (
    PANEL_SIZE,
    SIZE,
    draw_training_curves,
    draw_training_panel,
    panels_of,
)

TITLE = "Training"
_FIGURE, _TABLE = "training.png", "training.csv"


def training_section(context, curves):
    """Draws the curves of the run's TensorBoard logs.

    Args:
        context: the `ReportContext`.
        curves: `TrainingCurves`.

    Returns:
        A `Section`.
    """
    problems = join(*(note(text) for text in curves.problems))
    panels = panels_of(curves)
    if not panels:
        where = context.train_path(LOGS)
        text = f"No curves: there are no TensorBoard logs in {where}, as for imported weights."
        return Section("training", TITLE, join(problems, note(text)))
    write_csv(context.new_path(_TABLE), COLUMNS, curves.rows())
    save_figure(
        context.new_path(_FIGURE), lambda figure: draw_training_curves(figure, curves), SIZE
    )
    pictures = [_picture(curves, panel) for panel in panels]
    body = figure(
        element("div", *pictures, class_="panels"),
        "Values of single steps; validation after each epoch. Prior and log-det of the levels, "
        "with the bits of a grey level, add up to the bits/dim of the batch.",
        [
            context.command(
                "report.py",
                **context.model_flags,
                sections="training",
                output=context.path("training.html"),
            )
        ],
        [(_TABLE, read_bytes(context.new_path(_TABLE)))],
    )
    return Section("training", TITLE, join(problems, body))


def _picture(curves, panel):
    last = "; ".join(
        f"{label} ends at {values[-1]:.4g}" if label else f"ends at {values[-1]:.4g}"
        for label, _, values in panel.lines(curves)
    )
    return themed_figure(
        f"{panel.title} over training steps: {last}.",
        lambda theme: render_png(
            lambda figure: draw_training_panel(figure, curves, panel), PANEL_SIZE, theme
        ),
    )
