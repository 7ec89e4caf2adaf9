"""HTML as text: elements whose contents are escaped unless they are HTML already."""

import base64
import html

_VOID = frozenset({"br", "img", "link", "meta", "source"})


class Markup(str):
    """Text that is HTML already, and is not escaped again."""


def element(tag, *children, **attributes):
    """One element.

    Args:
        tag: its name.
        *children: `Markup`, or other text, which is escaped.
        **attributes: `class_` is the attribute class, `aria_label` is aria-label; None leaves an
            attribute out, and True gives one without a value.

    Returns:
        `Markup`.
    """
    start = tag
    for name, value in attributes.items():
        name = name.rstrip("_").replace("_", "-")
        if value is True:
            start += f" {name}"
        elif value is not None:
            start += f' {name}="{html.escape(str(value))}"'
    if tag in _VOID:
        return Markup(f"<{start}>")
    return Markup(f"<{start}>{join(*children)}</{tag}>")


def join(*children):
    """`Markup` of elements and text one after another; text is escaped."""
    return Markup(
        "".join(
            child if isinstance(child, Markup) else html.escape(str(child)) for child in children
        )
    )


def data_uri(content, media_type):
    """Bytes as an address that holds them itself.

    Args:
        content: bytes.
        media_type: such as "image/png".

    Returns:
        A string.
    """
    return f"data:{media_type};base64,{base64.b64encode(content).decode()}"


def table(columns, rows, caption=None, row_headers=True):
    """A table that scrolls by itself where the page is narrow.

    Args:
        columns: texts of the header cells; those of numbers begin with "#", which is not shown:
            their cells are set flush right.
        rows: sequences of texts or `Markup`.
        caption: text above it, or None.
        row_headers: whether the first cell of a row names it.

    Returns:
        `Markup`.
    """
    kinds = ["number" if column.startswith("#") else None for column in columns]
    head = element(
        "tr",
        *(
            element("th", column.removeprefix("#"), scope="col", class_=kind)
            for column, kind in zip(columns, kinds, strict=True)
        ),
    )
    body = []
    for row in rows:
        cells = []
        for index, (cell, kind) in enumerate(zip(row, kinds, strict=True)):
            if row_headers and index == 0:
                cells.append(element("th", cell, scope="row"))
            else:
                cells.append(element("td", cell, class_=kind))
        body.append(element("tr", *cells))
    content = element(
        "table",
        element("caption", caption) if caption else "",
        element("thead", head),
        element("tbody", *body),
    )
    return element(
        "div", content, class_="wide", tabindex=0, role="region",
        aria_label=caption or ", ".join(column.removeprefix("#") for column in columns),
    )  # fmt: skip


def picture(alt, light, dark=None, pixel_ratio=1.0, **attributes):
    """A PNG that is held by the page itself.

    Args:
        alt: what it shows, for those who do not see it.
        light: bytes of the PNG.
        dark: bytes of the PNG for dark screens, or None for the same.
        pixel_ratio: pixels of the PNG for one of the page.
        **attributes: further attributes of the image, such as `class_`.

    Returns:
        `Markup`.
    """
    width, height = (round(size / pixel_ratio) for size in _png_size(light))
    image = element(
        "img",
        src=data_uri(light, "image/png"), alt=alt, width=width, height=height, **attributes,
    )  # fmt: skip
    if dark is None:
        return image
    source = element(
        "source",
        media="screen and (prefers-color-scheme: dark)",
        srcset=data_uri(dark, "image/png"),
        type="image/png",
    )
    return element("picture", source, image)


def _png_size(content):
    # The header of a PNG: 8 bytes of signature, 8 of length and name, then width and height.
    return int.from_bytes(content[16:20], "big"), int.from_bytes(content[20:24], "big")
