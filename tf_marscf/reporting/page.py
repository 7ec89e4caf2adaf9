"""The page of a report: what its templates show, and how they make one HTML file.

In templates/: page.html, sections.html with a macro for each section, elements.html with figures,
tables and the like, and style.css.
"""

import base64
import dataclasses
import io

import jinja2
from PIL import Image

from tf_marscf.sampling.sample_config import temperature_text

_MEDIA_TYPES = {"csv": "text/csv", "json": "application/json", "png": "image/png"}


@dataclasses.dataclass(frozen=True)
class Section:
    """One section of a report.

    Attributes:
        values: arguments of its macro in sections.html; None where there is nothing to show.
        notes: sentences on what is missing, and why.
        tiles: key figures: triples of a value, what it is, and small text such as its error.
        failure: what went wrong, or None.
    """

    values: dict | None = None
    notes: tuple = ()
    tiles: tuple = ()
    failure: str | None = None


@dataclasses.dataclass(frozen=True)
class Picture:
    """A PNG.

    Attributes:
        alt: what it shows, for those who do not see it.
        light: its bytes.
        dark: those for dark screens, or None for the same.
        pixel_ratio: pixels of the PNG for one of the page.
    """

    alt: str
    light: bytes
    dark: bytes | None = None
    pixel_ratio: float = 1.0

    @property
    def size(self):
        """Width and height in pixels of the page."""
        with Image.open(io.BytesIO(self.light)) as image:
            return [round(pixels / self.pixel_ratio) for pixels in image.size]


def data_uri(content, ending):
    """Bytes as an address that holds them itself; `ending` is that of such a file's name."""
    return f"data:{_MEDIA_TYPES[ending]};base64,{base64.b64encode(content).decode()}"


def page_templates():
    """The `jinja2.Environment` of the templates, which escape all text that they are given."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("tf_marscf.reporting"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "data_uri": data_uri,
        "grouped": lambda value: f"{value:,}",
        "temperature": temperature_text,
        "signed": lambda value, form: (form % value).replace("-", "−"),
    }
    return environment
