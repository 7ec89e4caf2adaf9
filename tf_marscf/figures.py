"""One style for all figures: light and dark, drawn by Matplotlib, written whole or not at all."""

import io

from tf_marscf.files.atomic_file import atomic_write

THEMES = ("light", "dark")

# Okabe and Ito's colours, which colour-blind readers can tell apart; the dark theme's are lighter.
_COLOURS = {
    "light": ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#8a6d00", "#56b4e9", "#555555"),
    "dark": ("#56b4e9", "#ff9a4d", "#2fcf9f", "#e6a5c9", "#f0e442", "#8ec9f5", "#bbbbbb"),
}
_INK = {"light": "#222222", "dark": "#e6e6e6"}
_PAPER = {"light": "#ffffff", "dark": "#16181d"}
_DOTS_PER_INCH = 150


def render_png(draw, size=(6.0, 4.0), theme="light"):
    """The bytes of the PNG of one figure.

    Args:
        draw: called with an empty `matplotlib.figure.Figure`; it adds axes and plots on them, and
            leaves colours to the style.
        size: width and height in inches, of 150 pixels each.
        theme: "light" or "dark".
    """
    if theme not in THEMES:
        raise ValueError(f"`theme` must be one of {THEMES}; got {theme!r}.")
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with mpl.rc_context(_style(theme, mpl)):
        figure = Figure(figsize=size, dpi=_DOTS_PER_INCH, layout="constrained")
        draw(figure)
        buffer = io.BytesIO()
        # No date and no version in the file: equal figures are equal bytes.
        FigureCanvasAgg(figure).print_png(buffer, metadata={"Software": None})
    return buffer.getvalue()


def save_figure(path, draw, size=(6.0, 4.0), theme="light"):
    """Writes the PNG of one figure; arguments as of `render_png`."""
    content = render_png(draw, size, theme)
    with atomic_write(path) as file:
        file.write(content)


def _style(theme, mpl):
    ink, paper = _INK[theme], _PAPER[theme]
    return {
        "axes.edgecolor": ink,
        "axes.facecolor": paper,
        "axes.grid": True,
        "axes.labelcolor": ink,
        "axes.prop_cycle": mpl.cycler(color=_COLOURS[theme]),
        "axes.spines.right": False,
        "axes.spines.top": False,
        "axes.titlesize": "medium",
        "figure.facecolor": paper,
        "font.size": 10.0,
        "grid.alpha": 0.25,
        "grid.color": ink,
        "legend.frameon": False,
        "lines.linewidth": 1.8,
        "savefig.facecolor": paper,
        "text.color": ink,
        "xtick.color": ink,
        "ytick.color": ink,
    }
