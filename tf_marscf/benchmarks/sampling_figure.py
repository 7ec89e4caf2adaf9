"""Draws the result of the sampling benchmark."""

import numpy as np

from tf_marscf.benchmarks.comparison_configs import MODEL_LABELS

SIZE = (10.0, 4.6)
# The squares are larger: what they mark often lies below the triangles.
_MARKERS = {
    "mar": {"marker": "o", "markersize": 5},
    "gaussian": {"marker": "s", "markersize": 8},
    "tfb_glow": {"marker": "^", "markersize": 5},
    "pixel_cnn": {"marker": "D", "markersize": 5},
}


def draw_sampling_times(figure, result):
    """Draws seconds and sequential steps against the size of the images.

    Both axes are logarithmic, so that growth with a power of N is a straight line. The dashed lines
    are y = 2x, twice the time for twice the size, through the first point of mAR-SCF, and on the
    right the closed form of Lemma A.1.

    Args:
        figure: an empty Matplotlib figure.
        result: what `sampling.json` holds.
    """
    config, rows = result["config"], result["rows"]
    seconds, steps = figure.subplots(1, 2)
    for kind in config["models"]:
        of_kind = [row for row in rows if row["model"] == kind]
        timed = [row for row in of_kind if not row["skipped"]]
        line = seconds.errorbar(
            [row["size"] for row in timed],
            [row["mean_seconds"] for row in timed],
            _deviations(timed),
            **_MARKERS[kind],
            capsize=3,
            label=MODEL_LABELS[kind],
        )
        steps.plot(
            [row["size"] for row in of_kind],
            [row["sequential_steps"] for row in of_kind],
            **_MARKERS[kind],
            linestyle="" if kind == "mar" else "-",
            color=line.lines[0].get_color(),
            zorder=3,
        )
    sizes = config["sizes"]
    mar = [row for row in rows if row["model"] == "mar"]
    if mar[0]["mean_seconds"]:
        reference = [mar[0]["mean_seconds"] * size / sizes[0] for size in sizes]
        _dashed(seconds, sizes, reference, "linear growth: y = 2x (twice the size, twice the time)")
    channels, smallest = config["image_channels"], config["smallest_map"]
    _dashed(
        steps,
        sizes,
        [row["lemma_a1_steps"] for row in mar],
        f"Lemma A.1: {channels} (3 N / {smallest} - 2) steps",
        ":",
    )
    seconds.set_ylabel(f"seconds for {config['batch_size']} samples")
    seconds.set_title("Time of a batch (mean and standard deviation)")
    steps.set_ylabel("network passes, one after another")
    steps.set_title("Sequential steps of a sample")
    for axes in (seconds, steps):
        axes.set_xscale("log", base=2)
        axes.set_yscale("log")
        axes.set_xticks(sizes, [str(size) for size in sizes])
        axes.minorticks_off()
        axes.set_xlabel("N (images of N x N pixels)")
    skipped = [row for row in rows if row["skipped"]]
    if skipped:
        figure.supxlabel("\n".join(_skipped_texts(skipped)), fontsize="small")
    figure.legend(loc="outside upper center", ncols=2, fontsize="small")


def _deviations(rows):
    """Error bars: lower and upper. The lower one stays above zero, which the axis does not have."""
    deviations = np.sqrt([row["variance_seconds"] for row in rows])
    means = np.array([row["mean_seconds"] for row in rows])
    return [np.minimum(deviations, 0.9 * means), deviations]


def _dashed(axes, x, y, label, style="--"):
    axes.plot(x, y, style, color=axes.xaxis.label.get_color(), linewidth=1.2, label=label)


def _skipped_texts(rows):
    for kind in dict.fromkeys(row["model"] for row in rows):
        of_kind = [row for row in rows if row["model"] == kind]
        sizes = ", ".join(
            f"N = {row['size']} ({row['expected_seconds']:,.0f} s)" for row in of_kind
        )
        yield f"{MODEL_LABELS[kind]} not run, because of the time expected for a batch: {sizes}"
