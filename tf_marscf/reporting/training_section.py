"""Curves of the training run: one panel a quantity."""

import dataclasses
import math
import statistics

from tf_marscf.figures import save_figure
from tf_marscf.files.atomic_file import write_csv
from tf_marscf.reporting.page import Section
from tf_marscf.reporting.report_context import download
from tf_marscf.reporting.training_curves import COLUMNS, LOGS

_FIGURE, _TABLE = "training.png", "training.csv"
_SIZE, _PANEL_SIZE = (11.0, 6.4), (4.6, 3.0)
_MANY_POINTS = 40


@dataclasses.dataclass(frozen=True)
class Panel:
    """One quantity over training steps.

    Attributes:
        title: of the panel.
        unit: label of its axis.
        curves: triples of split, tag and label; a tag that ends with "/" stands for all tags that
            begin with it, and the rest of their names are the labels.
    """

    title: str
    unit: str
    curves: tuple

    def lines(self, curves):
        """Label, steps and values of each line that `TrainingCurves` have."""
        return [
            (label or name.removeprefix(tag).replace("_", " "), list(values), list(values.values()))
            for split, tag, label in self.curves
            for name, values in getattr(curves, split).items()
            if name == tag or (tag.endswith("/") and name.startswith(tag))
        ]


_PANELS = (
    Panel(
        "Bits/dim",
        "bits/dim",
        (
            ("train", "bits_per_dim", "training batch"),
            ("validation", "bits_per_dim", "validation"),
            ("validation", "average_bits_per_dim", "validation, average of the weights"),
        ),
    ),
    Panel("Prior", "bits/dim", (("train", "prior_bits_per_dim/", ""),)),
    Panel("Log-det", "bits/dim", (("train", "log_det_bits_per_dim/", ""),)),
    Panel("Dequantization", "bits/dim", (("train", "dequantization_bits_per_dim", ""),)),
    Panel("Learning rate", "", (("train", "learning_rate", ""),)),
    Panel("Gradient norm (of bits/dim, before clipping)", "", (("train", "gradient_norm", ""),)),
    Panel("Speed", "images per second", (("train", "images_per_second", ""),)),
)


def training_section(context):
    """Draws the `TrainingCurves` of the run's TensorBoard logs."""
    curves = context.curves
    panels = panels_of(curves)
    if not panels:
        where = context.train_path(LOGS)
        text = f"No curves: there are no TensorBoard logs in {where}, as for imported weights."
        return Section(notes=(*curves.problems, text))
    write_csv(context.new_path(_TABLE), COLUMNS, curves.rows())
    save_figure(
        context.new_path(_FIGURE), lambda figure: draw_training_curves(figure, curves), _SIZE
    )
    values = {
        "panels": [_picture(context, panel, panel.lines(curves)) for panel in panels],
        "commands": [context.section_command("training")],
        "files": [download(context.new_path(_TABLE))],
    }
    return Section(values, notes=curves.problems)


def panels_of(curves):
    """The panels for which `TrainingCurves` have lines."""
    return [panel for panel in _PANELS if panel.lines(curves)]


def draw_training_curves(figure, curves):
    """Draws all panels of `TrainingCurves` on an empty `matplotlib.figure.Figure`."""
    panels = panels_of(curves)
    num_columns = min(len(panels), 3)
    axes = figure.subplots(math.ceil(len(panels) / num_columns), num_columns, squeeze=False)
    for place in axes.flatten()[len(panels) :]:
        place.set_axis_off()
    for place, panel in zip(axes.flatten(), panels, strict=False):
        _draw_panel(place, panel, panel.lines(curves))


def _picture(context, panel, lines):
    last = "; ".join(f"{label} ends at {values[-1]:.4g}".lstrip() for label, _, values in lines)
    return context.picture(
        f"{panel.title} over training steps: {last}.",
        lambda figure: _draw_panel(figure.add_subplot(), panel, lines),
        _PANEL_SIZE,
    )


def _draw_panel(axes, panel, lines):
    for label, steps, values in lines:
        few = {"marker": ".", "linewidth": 1.8}
        style = few if len(steps) <= _MANY_POINTS else {"linewidth": 1.1}
        axes.plot(steps, values, label=label or None, **style)
    axes.set_title(panel.title)
    axes.set_xlabel("training steps")
    axes.set_ylabel(panel.unit)
    axes.set_xlim(left=0)
    if any(label for label, *_ in lines):
        axes.legend(fontsize="small")
    values = [value for *_, values in lines for value in values]
    if panel.title == "Bits/dim":
        _leave_out_the_start(axes, values)
    elif min(values) >= 0.0:
        axes.set_ylim(bottom=0.0)


def _leave_out_the_start(axes, values):
    """Limits the axis to where most values are, and says so in the title.

    The bits/dim of a new model is large, and would flatten all else.
    """
    low, high = min(values), max(values)
    limit = low + 4.0 * (statistics.median(values) - low)
    if low < limit < high:
        axes.set_ylim(low - 0.06 * (limit - low), limit)
        axes.set_title(f"{axes.get_title()} (from {high:.2f} at the start)")
