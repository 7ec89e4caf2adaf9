import base64
import importlib.resources
import re

import jinja2
import numpy as np
import pytest

from tests.html_document import HtmlDocument
from tf_marscf.reporting.page import Picture, data_uri, page_templates
from tf_marscf.sampling.image_grid import encode_png


def made(name, *arguments, **keywords):
    """What a macro of elements.html makes."""
    macro = getattr(page_templates().get_template("elements.html").module, name)
    return str(macro(*arguments, **keywords))


def picture_of(light, dark=None, alt="two & one", **kwargs):
    light, dark = (
        None if value is None else encode_png(np.full([30, 60, 1], value, np.uint8))
        for value in (light, dark)
    )
    return Picture(alt, light, dark, **kwargs)


def test_the_templates_are_data_of_the_package():
    templates = importlib.resources.files("tf_marscf.reporting") / "templates"
    names = {path.name for path in templates.iterdir()}
    assert names == {"page.html", "sections.html", "elements.html", "style.css"}
    assert names == set(page_templates().list_templates())


def test_text_is_escaped_and_markup_is_not():
    templates = page_templates()
    given = {"text": "a < b & c"}
    assert templates.from_string("<p>{{ text }}</p>").render(given) == "<p>a &lt; b &amp; c</p>"
    text = made("repeat", "a < b & c", ["x > y"])
    assert "<p>a &lt; b &amp; c</p>" in text
    assert "<code><span>x</span> <span>&gt;</span> <span>y</span></code>" in text
    assert HtmlDocument(text).commands == ["x > y"]


def test_attributes_are_quoted():
    text = made("chart", picture_of(255, alt='say "<hi>"'))
    document = HtmlDocument(text)
    assert document.all("div")[0]["aria-label"] == document.all("img")[0]["alt"] == 'say "<hi>"'
    assert text.count("&lt;hi&gt;") == 2 and "<hi>" not in text


def test_what_a_template_lacks_is_an_error():
    with pytest.raises(jinja2.UndefinedError, match="'facts' is undefined"):
        page_templates().from_string("{{ facts }}").render()


def test_a_data_uri_holds_the_bytes():
    uri = data_uri(b"a,b\n1,2\n", "csv")
    assert uri.startswith("data:text/csv;base64,")
    assert base64.b64decode(uri.partition(",")[2]) == b"a,b\n1,2\n"


def test_a_table_names_rows_and_columns():
    text = made("table", "C", ["term", "value"], [("a<b", "1")])
    text = re.sub(r">\s+<", "><", text)
    assert '<th scope="col" class="number">value</th>' in text
    assert '<th scope="row">a&lt;b</th><td class="number">1</td>' in text
    assert "<caption>C</caption>" in text


def test_a_picture_states_its_size_in_pixels_of_the_page():
    picture = picture_of(255, 0, pixel_ratio=1.5)
    text = made("image", picture)
    assert 'width="40" height="20"' in text
    assert 'alt="two &amp; one"' in text
    assert 'media="screen and (prefers-color-scheme: dark)"' in text
    assert data_uri(picture.light, "png") in text
    assert data_uri(picture.dark, "png") in text
    alone = made("image", picture_of(255)).strip()
    assert alone.startswith("<img ") and "class=" not in alone and "style=" not in alone
    assert 'class="pixels"' in made("image", picture_of(255), **{"class": "pixels"})
