"""The page of a report: its parts, and how they make one HTML file."""

import dataclasses

from tf_marscf.reporting.html_elements import Markup, data_uri, element, join, picture
from tf_marscf.reporting.page_style import STYLE

# The page shows what it holds itself, and can load nothing else.
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
# Figures have 150 pixels an inch, pages 96: text of 10 points is as large as that of the page.
_PIXEL_RATIO = 150.0 / 96.0
_LEAST_SCALE = 0.7
_MEDIA_TYPES = {"csv": "text/csv", "json": "application/json", "png": "image/png"}


@dataclasses.dataclass(frozen=True)
class Section:
    """One section of a report.

    Attributes:
        name: its anchor in the page.
        title: its heading.
        content: `Markup`, what follows the heading.
        failure: what went wrong, or None.
    """

    name: str
    title: str
    content: Markup
    failure: str | None = None


@dataclasses.dataclass(frozen=True)
class Tile:
    """A key figure.

    Attributes:
        value: the number.
        detail: small text behind it, such as its error.
        label: what it is.
    """

    value: str
    label: str
    detail: str = ""


def html_page(title, lead, facts, tiles, sections, footer):
    """A whole HTML file.

    Args:
        title: of the page; text.
        lead: a sentence below it; text.
        facts: dict from names to texts, a line below it.
        tiles: `Tile`s; the first is the most important one.
        sections: `Section`s.
        footer: `Markup`.

    Returns:
        The file's text.
    """
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        element("title", f"{title} | mAR-SCF report"),
        element("style", Markup(STYLE)),
    )
    header = element(
        "header",
        element("p", "mAR-SCF report", class_="eyebrow"),
        element("h1", title),
        element("p", lead, class_="lead"),
        element(
            "ul",
            *(element("li", f"{name} ", element("b", text)) for name, text in facts.items()),
            class_="facts",
        ),
        class_="top",
    )
    contents = element(
        "nav",
        element("h2", "Contents", id="contents"),
        element(
            "ol",
            *(
                element("li", element("a", section.title, href=f"#{section.name}"))
                for section in sections
            ),
        ),
        aria_labelledby="contents",
    )
    main = element("main", *map(_section, sections), id="main")
    frame = element(
        "div",
        header,
        _tiles(tiles),
        element("div", contents, main, class_="columns"),
        element("footer", footer),
        class_="frame",
    )
    skip = element("a", "Skip to the results", href="#main", class_="skip")
    return f'<!DOCTYPE html>\n<html lang="en">{head}{element("body", skip, frame)}</html>\n'


def _tiles(tiles):
    return element(
        "dl",
        *(
            element(
                "div",
                element("dt", tile.label),
                element("dd", tile.value, element("small", f" {tile.detail}")),
                class_="tile" if index else "tile first",
            )
            for index, tile in enumerate(tiles)
        ),
        class_="tiles",
    )


def _section(section):
    failure = ""
    if section.failure:
        failure = element(
            "p", element("strong", "Failed: "), section.failure, class_="note failure", role="alert"
        )
    heading_id = f"{section.name}-title"
    return element(
        "section",
        element("h2", section.title, id=heading_id),
        failure,
        section.content,
        id=section.name,
        aria_labelledby=heading_id,
    )


def note(*texts):
    """A paragraph on what is missing, and why: texts and `Markup`."""
    return element("p", *texts, class_="note")


def figure(content, caption, commands=(), files=()):
    """A figure, its caption, what makes it again and the numbers behind it.

    Args:
        content: `Markup` of its pictures.
        caption: text.
        commands: command lines, each of which writes the files of (a part of) this figure.
        files: pairs of a file's name and its bytes, to be downloaded from the page.

    Returns:
        `Markup`.
    """
    return element(
        "figure",
        content,
        element("figcaption", element("p", caption), repeat(commands, files)),
    )


def repeat(commands=(), files=(), text=None):
    """The command lines that make something again, and files to download; see `figure`."""
    parts = []
    if commands:
        parts += [
            element("p", text or f"Made alone by{'' if len(commands) == 1 else ' these'}"),
            element("pre", *map(_command, commands), tabindex=0),
        ]
    if files:
        links = []
        for index, (name, content) in enumerate(files):
            uri = data_uri(content, _MEDIA_TYPES[name.rpartition(".")[2]])
            links += [", " if index else "", element("a", name, href=uri, download=name)]
        parts.append(element("p", "Download: ", *links, class_="files"))
    return element("div", *parts, class_="repeat") if parts else Markup("")


def _command(command):
    # A place where a line may be broken between words, and none within them.
    words = [element("span", word) for word in command.split(" ")]
    return element("code", Markup(" ".join(words)))


def themed_figure(alt, render, **attributes):
    """The picture of a Matplotlib figure in both themes.

    Args:
        alt: what it shows.
        render: function of a theme to the bytes of a PNG.
        **attributes: further attributes of the image.

    Returns:
        `Markup`.
    """
    return picture(alt, render("light"), render("dark"), _PIXEL_RATIO, **attributes)


def wide_figure(alt, render, size):
    """As `themed_figure`, and on narrow screens it scrolls before its text is too small to read.

    Args:
        alt: what it shows.
        render: function of a theme to the bytes of a PNG.
        size: of the figure, in inches.
    """
    image = themed_figure(alt, render, style=f"--least: {round(_LEAST_SCALE * 96 * size[0])}px")
    return element("div", image, class_="scroll", tabindex=0, role="group", aria_label=alt)


def paragraphs(*texts):
    """Each text or `Markup` as a paragraph."""
    return join(*(element("p", text) for text in texts))
