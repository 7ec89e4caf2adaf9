"""A figure of what bits/dim is made of."""

import itertools

_LABELS = {"log_det": "log-det"}


def draw_bits_per_dim_terms(figure, bits_per_dim):
    """Draws the terms of bits/dim one below the other, each from where the one before it ends.

    Args:
        figure: a `matplotlib.figure.Figure`.
        bits_per_dim: a `BitsPerDim`.
    """
    terms = {name: value for name, value in bits_per_dim.terms.items() if value != 0.0}
    values = list(terms.values())
    ends = list(itertools.accumulate(values))
    starts = [0.0, *ends[:-1]]
    labels = [_LABELS.get(name, name.replace("_", " ")) for name in terms] + ["bits/dim"]
    # More bits are worse: each kind has a colour of its own.
    colours = ["C1" if value > 0.0 else "C0" for value in values] + ["C6"]
    values, starts = [*values, bits_per_dim.mean], [*starts, 0.0]
    axes = figure.add_subplot()
    axes.barh(labels, values, left=starts, color=colours, height=0.65)
    for row, (value, start) in enumerate(zip(values, starts, strict=True)):
        is_total = row == len(values) - 1
        axes.annotate(
            f"{bits_per_dim}" if is_total else f"{value:+.3f}",
            (max(start, start + value), row),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
        )
    for row, end in enumerate(ends):
        axes.plot([end, end], [row, row + 1], color="C6", linewidth=0.8)
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)
    axes.set_axisbelow(True)
    # Room for the text beside the longest bar.
    axes.set_xlim(min(0.0, *starts, *ends), 1.2 * max(*starts, *ends, 0.0))
    axes.set_xlabel(f"bits/dim, mean over {bits_per_dim.num_images} images")
