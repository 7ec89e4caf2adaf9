import io
import json

import numpy as np
import pytest

from tf_marscf.figures import render_png, save_figure
from tf_marscf.files.atomic_file import write_json


def draw_line(figure):
    axes = figure.add_subplot()
    axes.plot([0, 1], [1, 2], label="a line")
    axes.set_xlabel("steps")
    axes.legend()


def pixels_of(content):
    from PIL import Image

    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))


def test_a_figure_has_the_asked_size_and_is_the_same_twice():
    content = render_png(draw_line, size=(3.0, 2.0))
    assert pixels_of(content).shape == (300, 450, 3)
    assert render_png(draw_line, size=(3.0, 2.0)) == content


def test_themes_differ_in_their_paper():
    light, dark = (pixels_of(render_png(draw_line, theme=theme)) for theme in ("light", "dark"))
    assert light[0, 0].min() > 240
    assert dark[0, 0].max() < 40


def test_an_unknown_theme_is_named():
    with pytest.raises(ValueError, match="`theme` must be one of .*'sepia'"):
        render_png(draw_line, theme="sepia")


def test_a_failed_drawing_leaves_the_file_before_it(tmp_path):
    path = tmp_path / "new" / "figure.png"
    save_figure(path, draw_line)
    content = path.read_bytes()

    def fail(figure):
        raise RuntimeError("no data")

    with pytest.raises(RuntimeError):
        save_figure(path, fail)
    assert path.read_bytes() == content
    assert list(path.parent.iterdir()) == [path]


def test_json_refuses_numbers_that_json_does_not_have(tmp_path):
    path = tmp_path / "numbers.json"
    write_json(path, {"a": 1.5})
    with pytest.raises(ValueError):
        write_json(path, {"a": float("nan")})
    assert json.loads(path.read_text()) == {"a": 1.5}
