"""Curves of the training run: one panel a quantity."""

import dataclasses
import math
import os
import statistics

from tf_marscf.figures import save_figure
from tf_marscf.files.atomic_file import write_csv
from tf_marscf.reporting.event_files import read_scalars
from tf_marscf.reporting.page import Section
from tf_marscf.reporting.stored_results import download

_LOGS, _FIGURE, _TABLE = "logs", "training.png", "training.csv"
_COLUMNS = ("split", "tag", "step", "value")
_SIZE, _PANEL_SIZE = (11.0, 6.4), (4.6, 3.0)
_MANY_POINTS = 40


@dataclasses.dataclass(frozen=True)
class TrainingCurves:
    """Numbers over training steps.

    Attributes:
        train: dict from tag, as `TrainingLog` writes them, to a dict from step to number.
        validation: likewise.
        problems: sentences on what could not be read.
    """

    train: dict
    validation: dict
    problems: tuple = ()

    @classmethod
    def load(cls, train_dir):
        """Reads the TensorBoard logs of a training directory; no logs give no curves."""
        train, problems = read_scalars(os.path.join(train_dir, _LOGS, "train"))
        validation, others = read_scalars(os.path.join(train_dir, _LOGS, "validation"))
        return cls(train, validation, (*problems, *others))

    def __bool__(self):
        return bool(self.train or self.validation)

    @property
    def last_step(self):
        """The last step that any curve has."""
        return max(row["step"] for row in self.rows())

    def rows(self):
        """A dict of split, tag, step and value for each number."""
        return [
            dict(zip(_COLUMNS, (split, tag, step, value), strict=True))
            for split in ("train", "validation")
            for tag, values in getattr(self, split).items()
            for step, value in values.items()
        ]

    def best_validation(self):
        """Step and bits/dim of the lowest validation value; None without any."""
        points = [
            (value, step) for values in self.validation.values() for step, value in values.items()
        ]
        return min(points)[::-1] if points else None


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
        for split, tag, label in self.curves:
            for name, values in getattr(curves, split).items():
                if name == tag or (tag.endswith("/") and name.startswith(tag)):
                    text = label or name.removeprefix(tag).replace("_", " ")
                    yield text, list(values), list(values.values())


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
    Panel("Learning rate", "", (("train", "learning_rate", ""),)),
    Panel("Gradient norm (of bits/dim, before clipping)", "", (("train", "gradient_norm", ""),)),
    Panel("Speed", "images per second", (("train", "images_per_second", ""),)),
)


def training_section(context, curves):
    """Draws the `TrainingCurves` of the run's TensorBoard logs."""
    panels = panels_of(curves)
    if not panels:
        where = context.train_path(_LOGS)
        text = f"No curves: there are no TensorBoard logs in {where}, as for imported weights."
        return Section("training", notes=(*curves.problems, text))
    write_csv(context.new_path(_TABLE), _COLUMNS, curves.rows())
    save_figure(
        context.new_path(_FIGURE), lambda figure: draw_training_curves(figure, curves), _SIZE
    )
    values = {
        "panels": [_picture(context, panel, list(panel.lines(curves))) for panel in panels],
        "commands": [context.section_command("training")],
        "files": [download(context.new_path(_TABLE))],
    }
    return Section("training", values, notes=curves.problems)


def panels_of(curves):
    """The panels for which `TrainingCurves` have lines."""
    return [panel for panel in _PANELS if any(panel.lines(curves))]


def draw_training_curves(figure, curves):
    """Draws all panels of `TrainingCurves` on an empty `matplotlib.figure.Figure`."""
    panels = panels_of(curves)
    num_columns = min(len(panels), 3)
    axes = figure.subplots(math.ceil(len(panels) / num_columns), num_columns, squeeze=False)
    for place in axes.flatten()[len(panels) :]:
        place.set_axis_off()
    for place, panel in zip(axes.flatten(), panels, strict=False):
        _draw_panel(place, panel, list(panel.lines(curves)))


def _picture(context, panel, lines):
    last = "; ".join(f"{label} ends at {values[-1]:.4g}".lstrip() for label, _, values in lines)
    return context.picture(
        f"{panel.title} over training steps: {last}.",
        lambda figure: _draw_panel(figure.add_subplot(), panel, lines),
        _PANEL_SIZE,
    )


def _draw_panel(axes, panel, lines):
    for label, steps, values in lines:
        few = len(steps) <= _MANY_POINTS
        axes.plot(
            steps,
            values,
            marker="." if few else None,
            linewidth=1.8 if few else 1.1,
            label=label or None,
        )
    title = panel.title
    axes.set_xlabel("training steps")
    axes.set_ylabel(panel.unit)
    axes.set_xlim(left=0)
    if any(label for label, *_ in lines):
        axes.legend(fontsize="small")
    if panel.title == "Bits/dim":
        title += _leave_out_the_start(axes, [value for *_, values in lines for value in values])
    elif all(value >= 0.0 for _, _, values in lines for value in values):
        axes.set_ylim(bottom=0.0)
    axes.set_title(title)


def _leave_out_the_start(axes, values):
    """Limits the axis to where most values are; returns what the title says of it.

    The bits/dim of a new model is large, and would flatten all else.
    """
    low, high = min(values), max(values)
    limit = low + 4.0 * (statistics.median(values) - low)
    if low < limit < high:
        axes.set_ylim(low - 0.06 * (limit - low), limit)
        return f" (from {high:.2f} at the start)"
    return ""
