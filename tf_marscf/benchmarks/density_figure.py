"""Draws the result of the density benchmark."""

import numpy as np

from tf_marscf.benchmarks.comparison_configs import MODEL_LABELS

SIZE = (10.0, 4.6)
_AXES = (("step", "training steps"), ("training_seconds", "seconds of training"))


def draw_density_curves(figure, result):
    """Draws held-out bits/dim against steps (left) and against seconds of training (right).

    Bands are one standard error over the held-out images; all models are scored on the same images,
    so their differences are less uncertain. New models, at step 0, are in the table and not drawn:
    their bits/dim would flatten all else.

    Args:
        figure: an empty Matplotlib figure.
        result: what `density.json` holds.
    """
    left, right = figure.subplots(1, 2, sharey=True)
    notes = []
    for kind in result["config"]["models"]:
        of_kind = [row for row in result["rows"] if row["model"] == kind]
        trained = [row for row in of_kind if row["step"] > 0 and row["bits_per_dim"] is not None]
        label = f"{MODEL_LABELS[kind]}, {of_kind[-1]['num_parameters']:,} parameters"
        bits = np.array([row["bits_per_dim"] for row in trained])
        errors = np.array([row["standard_error"] or 0.0 for row in trained])
        for axes, (name, _) in zip((left, right), _AXES, strict=True):
            x = [row[name] for row in trained]
            (line,) = axes.plot(x, bits, marker=".", label=label if axes is left else None)
            band = {"color": line.get_color(), "alpha": 0.15, "linewidth": 0}
            axes.fill_between(x, bits - errors, bits + errors, **band)
        if of_kind[-1]["stopped"]:
            notes.append(f"{MODEL_LABELS[kind]} stopped: {of_kind[-1]['stopped']}.")
    left.set_ylabel("held-out bits/dim")
    for axes, (_, label) in zip((left, right), _AXES, strict=True):
        axes.set_xlabel(label)
        axes.set_xlim(left=0)
    if notes:
        figure.supxlabel("\n".join(notes), fontsize="small")
    data = result["data"]
    height, width, channels = data["image_shape"]
    figure.legend(
        loc="outside upper center",
        ncols=2,
        fontsize="small",
        title=f"{result['config']['dataset']}, {height}x{width}x{channels}, "
        f"{data['num_evaluation_images']:,} held-out images",
    )
