"""Figures of training curves: one panel a quantity."""

import dataclasses
import math
import statistics

SIZE = (11.0, 6.4)
PANEL_SIZE = (4.6, 3.0)
_MANY_POINTS = 40


@dataclasses.dataclass(frozen=True)
class Panel:
    """One quantity over training steps.

    Attributes:
        title: of the panel.
        unit: label of its axis.
        curves: triples of split, tag and label; a tag that ends with "/" stands for all tags that
            begin with it, and the label is put before the rest of their names.
    """

    title: str
    unit: str
    curves: tuple

    def lines(self, curves):
        """Label, steps and values of each line that there is.

        Args:
            curves: `TrainingCurves`.
        """
        for split, tag, label in self.curves:
            for name, values in getattr(curves, split).items():
                is_group = tag.endswith("/") and name.startswith(tag)
                if values and (name == tag or is_group):
                    text = label + name.removeprefix(tag).replace("_", " ") if is_group else label
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


def panels_of(curves):
    """The panels for which there are curves.

    Args:
        curves: `TrainingCurves`.
    """
    return [panel for panel in _PANELS if any(panel.lines(curves))]


def draw_training_curves(figure, curves):
    """Draws all panels.

    Args:
        figure: an empty `matplotlib.figure.Figure`.
        curves: `TrainingCurves`.
    """
    panels = panels_of(curves)
    num_columns = min(len(panels), 3)
    axes = figure.subplots(math.ceil(len(panels) / num_columns), num_columns, squeeze=False)
    for place in axes.flatten()[len(panels) :]:
        place.set_axis_off()
    for place, panel in zip(axes.flatten(), panels, strict=False):
        _draw(place, panel, curves)


def draw_training_panel(figure, curves, panel):
    """Draws one panel.

    Args:
        figure: an empty `matplotlib.figure.Figure`.
        curves: `TrainingCurves`.
        panel: a `Panel`.
    """
    _draw(figure.add_subplot(), panel, curves)


def _draw(axes, panel, curves):
    lines = list(panel.lines(curves))
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
