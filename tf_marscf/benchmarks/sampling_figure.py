"""The figure of sampling time: seconds and sequential steps against the size of the images."""

import numpy as np

from tf_marscf.benchmarks.model_kinds import MODEL_LABELS

# The squares are larger: what they mark often lies below the triangles.
_MARKERS = {
    "mar": {"marker": "o", "markersize": 5},
    "gaussian": {"marker": "s", "markersize": 8},
    "tfb_glow": {"marker": "^", "markersize": 5},
    "pixel_cnn": {"marker": "D", "markersize": 5},
}
_OTHER_MARKER = {"marker": "v", "markersize": 5}
# Lines of the parts of a sample, in the colour of the whole.
_PARTS = {
    "prior_seconds": (":", "thin: its priors alone, at fixed r"),
    "flow_seconds": ("-.", "thin: its inverse couplings alone, at fixed latents"),
}
_LEAST_GROWTH = 0.05  # A power of N below which the cost of a step is constant in a figure.


def draw_sampling(figure, result):
    """Draws the content of `sampling.json` on an empty figure; see `SamplingBenchmark.draw`."""
    config, rows = result["config"], result["rows"]
    seconds, steps = figure.subplots(1, 2)
    part_labels = {name: label for name, (_, label) in _PARTS.items()}
    for kind in config["models"]:
        of_kind = [row for row in rows if row["model"] == kind]
        timed = [row for row in of_kind if not row["skipped"]]
        means = np.array([row["mean_seconds"] for row in timed])
        deviations = np.sqrt([row["variance_seconds"] for row in timed])
        line = seconds.errorbar(
            [row["size"] for row in timed],
            means,
            # The lower bar stays above zero, which the axis does not have.
            [np.minimum(deviations, 0.9 * means), deviations],
            **_MARKERS.get(kind, _OTHER_MARKER),
            capsize=3,
            label=MODEL_LABELS[kind],
        )
        colour = line.lines[0].get_color()
        for name, (style, _) in _PARTS.items():
            # Results of earlier versions, and models of others, have no parts.
            points = [(row["size"], row[name]) for row in timed if row.get(name)]
            if points:
                label = part_labels.pop(name, None)
                seconds.plot(*np.transpose(points), style, linewidth=1, color=colour, label=label)
        steps.plot(
            [row["size"] for row in of_kind],
            [row["sequential_steps"] for row in of_kind],
            **_MARKERS.get(kind, _OTHER_MARKER),
            linestyle="" if kind == "mar" else "-",
            color=colour,
            zorder=3,
        )
    sizes = config["sizes"]
    dashes = {"color": seconds.xaxis.label.get_color(), "linewidth": 1.2}
    mar = [row for row in rows if row["model"] == "mar"]
    if mar[0]["mean_seconds"]:
        linear = [mar[0]["mean_seconds"] * size / sizes[0] for size in sizes]
        label = "linear growth: y = 2x (twice the size, twice the time)"
        seconds.plot(sizes, linear, "--", label=label, **dashes)
    label = f"Lemma A.1: {config['image_channels']} (3 N / {config['smallest_map']} - 2) steps"
    steps.plot(sizes, [row["lemma_a1_steps"] for row in mar], ":", label=label, **dashes)
    plural = "" if config["batch_size"] == 1 else "s"
    seconds.set_ylabel(f"seconds for {config['batch_size']} sample{plural}")
    seconds.set_title("Time of a batch (mean, deviation; medians of parts)")
    steps.set_ylabel("network passes, one after another")
    steps.set_title("Sequential steps of a sample")
    for axes in (seconds, steps):
        axes.set_xscale("log", base=2)
        axes.set_yscale("log")
        axes.set_xticks(sizes, [str(size) for size in sizes])
        axes.minorticks_off()
        axes.set_xlabel("N (images of N x N pixels)")
    texts = [*growth_texts(result), *_skipped_texts(rows)]
    if texts:
        figure.supxlabel("\n".join(texts), fontsize="small")
    figure.legend(loc="outside upper center", ncols=2, fontsize="small")


def growth_texts(result):
    """What grows how fast, a line, if a step of mAR-SCF's priors costs more in larger images.

    The priors' power is the sum of that of the steps and that of the cost of one. Results of
    earlier versions have no parts, and no line.
    """
    powers = {
        column: exponents["mar"]
        for column, exponents in result.get("part_growth_exponents", {}).items()
        if "mar" in exponents and "mar" in result["growth_exponents"]
    }
    of_step = powers.get("prior_step_seconds", 0.0)
    if of_step < _LEAST_GROWTH:
        return []
    of_priors, of_flow = powers["prior_seconds"], powers["flow_seconds"]
    return [
        f"{MODEL_LABELS['mar']} grows as N^{result['growth_exponents']['mar']:.2f}: its priors as "
        f"N^{of_priors:.2f} (their steps as N^{of_priors - of_step:.2f}, the cost of a step as "
        f"N^{of_step:.2f}), its inverse couplings as N^{of_flow:.2f}."
    ]


def _skipped_texts(rows):
    skipped = [row for row in rows if row["skipped"]]
    for kind in dict.fromkeys(row["model"] for row in skipped):
        sizes = ", ".join(
            f"N = {row['size']} ({row['expected_seconds']:,.0f} s)"
            for row in skipped
            if row["model"] == kind
        )
        yield f"{MODEL_LABELS[kind]} not run, because of the time expected for a batch: {sizes}"
