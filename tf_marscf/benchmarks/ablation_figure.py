"""The figure of an ablation: bits/dim against steps and against seconds, over seeds."""

import numpy as np

from tf_marscf.benchmarks.ablation_table import mean_and_error

_AXES = {"step": "training steps", "training_seconds": "seconds of training"}
# What comes before this part of the steps is left out where it would stretch the axis of bits/dim.
_EARLY = 0.1


def draw_ablation(figure, result):
    """Draws the content of `ablation.json` on an empty Matplotlib figure; see `Ablation.draw`."""
    panels = dict(zip(_AXES, figure.subplots(1, 2, sharey=True), strict=True))
    config, axes = result["config"], result["axes"]
    several = [axis for axis in axes if len({row[axis] for row in result["table"]}) > 1]
    colours, tops = {}, []
    for entry in result["table"]:
        variant = tuple(entry[axis] for axis in axes)
        points = _points(axes, variant, entry["average_decay"], result["rows"])
        if not points:
            continue
        label = ", ".join(entry[axis] for axis in several or axes[:1])
        if entry["average_decay"]:
            label += f", average {entry['average_decay']:g}"
        else:
            label += f", {entry['num_parameters']:,} parameters"
        bits, errors = (np.array([point[name] for point in points]) for name in ("bits", "error"))
        steps = np.array([point["step"] for point in points])
        tops.append(bits[steps >= _EARLY * steps[-1]].max())
        for name, panel in panels.items():
            x = [point[name] for point in points]
            (line,) = panel.plot(
                x,
                bits,
                "--" if entry["average_decay"] else "-",
                color=colours.get(variant),
                label=label if name == "step" else None,
            )
            colours[variant] = line.get_color()
            band = {"color": line.get_color(), "alpha": 0.15, "linewidth": 0}
            panel.fill_between(x, bits - errors, bits + errors, **band)
    panels["step"].set_ylabel("held-out bits/dim")
    if tops:
        panels["step"].set_ylim(top=max(tops) + 0.02 * abs(max(tops)))
    for name, panel in panels.items():
        panel.set_xlabel(_AXES[name])
        panel.set_xlim(left=0)
    notes = [
        f"{', '.join(entry[axis] for axis in axes)}: {entry['notes']}"
        for entry in result["table"]
        if entry["notes"]
    ]
    if notes:
        figure.supxlabel("\n".join(dict.fromkeys(notes)), fontsize="small")
    height, width, channels = result["data"]["image_shape"]
    title = (
        f"{config['dataset']}, {height}x{width}x{channels}, "
        f"{result['data']['num_evaluation_images']:,} held-out images, "
        f"seeds {', '.join(map(str, config['seeds']))}"
    )
    if tops:
        figure.legend(loc="outside upper center", ncols=2, fontsize="small", title=title)
    else:
        figure.suptitle(title)


def _points(axes, variant, decay, rows):
    """Means over seeds at steps to which all seeds of a curve came, dicts in their order.

    New models, at step 0, are left out: their bits/dim would flatten all else.
    """
    curves = {}
    for row in rows:
        is_of_curve = tuple(row[axis] for axis in axes) == variant and row["average_decay"] == decay
        if is_of_curve and row["bits_per_dim"] is not None and row["step"] > 0:
            curves.setdefault(row["seed"], {})[row["step"]] = row
    if not curves:
        return []
    points = []
    for step in sorted(set.intersection(*map(set, curves.values()))):
        of_step = [curve[step] for curve in curves.values()]
        bits, error = mean_and_error([row["bits_per_dim"] for row in of_step])
        seconds, _ = mean_and_error([row["training_seconds"] for row in of_step])
        points.append(
            {"step": step, "training_seconds": seconds, "bits": bits, "error": error or 0.0}
        )
    return points
