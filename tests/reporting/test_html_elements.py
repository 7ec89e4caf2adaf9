import base64

import numpy as np

from tf_marscf.reporting.html_elements import Markup, data_uri, element, join, picture, table
from tf_marscf.sampling.image_grid import encode_png


def test_text_is_escaped_and_markup_is_not():
    assert element("p", "a < b & c", element("b", "x>y")) == "<p>a &lt; b &amp; c<b>x&gt;y</b></p>"
    assert join("<", Markup("<br>")) == "&lt;<br>"


def test_attributes_are_quoted_named_and_left_out():
    made = element("p", class_="a", aria_label='say "<hi>"', id=None, hidden=True)
    assert made == '<p class="a" aria-label="say &quot;&lt;hi&gt;&quot;" hidden></p>'


def test_void_elements_have_no_end():
    assert element("meta", charset="utf-8") == '<meta charset="utf-8">'


def test_a_data_uri_holds_the_bytes():
    uri = data_uri(b"a,b\n1,2\n", "text/csv")
    assert uri.startswith("data:text/csv;base64,")
    assert base64.b64decode(uri.partition(",")[2]) == b"a,b\n1,2\n"


def test_a_table_names_rows_and_columns():
    made = table(["term", "#value"], [("a<b", "1")], caption="C")
    assert '<th scope="col" class="number">value</th>' in made
    assert '<th scope="row">a&lt;b</th><td class="number">1</td>' in made
    assert "<caption>C</caption>" in made


def test_a_picture_states_its_size_in_pixels_of_the_page():
    light, dark = (encode_png(np.full([30, 60, 1], value, np.uint8)) for value in (255, 0))
    made = picture("two & one", light, dark, pixel_ratio=1.5)
    assert 'width="40" height="20"' in made
    assert 'alt="two &amp; one"' in made
    assert 'media="screen and (prefers-color-scheme: dark)"' in made
    assert data_uri(light, "image/png") in made
    assert data_uri(dark, "image/png") in made
    assert picture("one", light).startswith("<img ")
