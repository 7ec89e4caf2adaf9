"""What the page shows, as HTML; all texts are escaped."""

import functools
import math

import jinja2
import numpy as np

from tf_marscf.explore.pictures import image_addresses, legend_colours, map_address

_NUM_BINS = 30


class Fragments:
    """Parts of the page, of one model.

    In templates/: fragments.html, with a macro for each, and style.css.

    Args:
        explorer: an `Explorer` or `SavedModelExplorer`.
    """

    def __init__(self, explorer):
        self._explorer = explorer
        self._addresses = functools.partial(
            image_addresses, num_grey_levels=explorer.num_grey_levels
        )

    def samples(self, batch, num_samples):
        """Samples in a grid."""
        return _render(
            "samples",
            cells=self._cells(batch, num_samples),
            num_samples=num_samples,
            num_non_finite=batch.num_non_finite,
            num_columns=math.ceil(math.sqrt(num_samples)),
        )

    def rows(self, rows, num_samples):
        """Rows of the same samples: pairs (title, batch)."""
        return _render(
            "rows",
            rows=[(title, self._cells(batch, num_samples)) for title, batch in rows],
            num_samples=num_samples,
        )

    def frames(self, paths):
        """What `point` shows of paths by title: a list, JSON can hold it."""
        return [
            {
                "title": title,
                "addresses": self._addresses(path.images),
                "bits_per_dim": None if path.bits_per_dim is None else path.bits_per_dim.tolist(),
            }
            for title, path in paths.items()
        ]

    def point(self, frames, number):
        """One point of each path, large, above all points of it."""
        return _render("point", frames=frames, number=number)

    def score(self, image, score, place, missing):
        """Bits/dim of an image, where they come from, and its place; `missing` are sentences."""
        return _render(
            "score",
            address=self._addresses(image[np.newaxis])[0],
            score=score,
            maps=[] if score.maps is None else self._maps(score.maps),
            colours=legend_colours(),
            place=place,
            histogram=place and histogram(place.bits_per_dim, score.bits_per_dim),
            missing=missing,
            has_even_log_dets=self._explorer.has_even_log_dets,
        )

    def _cells(self, batch, num_samples):
        """An address a sample, by its number; None where it is not finite."""
        cells = [None] * num_samples
        if len(batch.images):
            for index, address in zip(batch.indices, self._addresses(batch.images), strict=True):
                cells[index] = address
        return cells

    def _maps(self, maps):
        """Of bits/dim at each pixel: the map of all parts, and those of the levels."""
        num_pixels = maps[0].size
        named = [("all parts", maps.sum(axis=0))]
        if len(maps) > 2:
            named += [(f"level {level}", part) for level, part in enumerate(maps[1:], start=1)]
        return [
            {
                "title": title,
                "address": map_address(part),
                "least": float(part.min()) * num_pixels,
                "greatest": float(part.max()) * num_pixels,
                "mean": float(part.sum()),
            }
            for title, part in named
        ]


def problem(line):
    """A line that says what is wrong."""
    return _render("problem", line=line)


def notes(lines):
    """Lines that say what the page cannot do."""
    return _render("notes", lines=lines)


def header(title, facts):
    """The title of the page and what is known of the model: pairs (name, value)."""
    return _render("header", title=title, facts=facts)


def histogram(values, marked):
    """Bars of a histogram, in a box of width and height 1, and where a value stands in it.

    Args:
        values: [N].
        marked: a number, within the range or outside of it.

    Returns:
        A dict: "bars", pairs (left, height) of bars of "width"; "mark"; "least" and "greatest",
        the values at the ends of the box.
    """
    least, greatest = min(values.min(), marked), max(values.max(), marked)
    if greatest <= least:
        least, greatest = least - 0.5, greatest + 0.5
    counts, edges = np.histogram(values, bins=_NUM_BINS, range=(least, greatest))
    lefts = (edges[:-1] - least) / (greatest - least)
    return {
        "bars": list(zip(lefts.tolist(), (counts / counts.max()).tolist(), strict=True)),
        "width": 1.0 / _NUM_BINS,
        "mark": float((marked - least) / (greatest - least)),
        "least": float(least),
        "greatest": float(greatest),
    }


def style_sheet():
    """The page's own CSS."""
    return _templates().get_template("style.css").render()


@functools.cache
def _templates():
    return jinja2.Environment(
        loader=jinja2.PackageLoader("tf_marscf.explore"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _render(macro, **values):
    return str(getattr(_templates().get_template("fragments.html").module, macro)(**values))
