"""What happens on the page: HTML, or one line that says what is wrong."""

import re

import numpy as np
import pytest
from PIL import Image

from tf_marscf.errors import InputError, RunError
from tf_marscf.explore.compared_images import Place
from tf_marscf.explore.explorer import ImageScore, Path
from tf_marscf.explore.fragments import Fragments, histogram, problem, style_sheet
from tf_marscf.explore.handlers import EVERY_LEVEL, SAMPLES, TEST_IMAGES, Handlers, answer
from tf_marscf.explore.pictures import legend_colours, map_address
from tf_marscf.sampling.sample_stream import SampleBatch


class StandInExplorer:
    """An explorer whose images say what they were made of."""

    image_shape, num_levels, num_grey_levels, num_classes = (8, 8, 1), 2, 17, None
    lacks, has_even_log_dets = {}, False

    def __init__(self, **attributes):
        vars(self).update(attributes)
        self.calls = []

    def sample(self, num_samples, seeds, temperature=1.0, label=None, on_batch=None):
        self.calls.append((num_samples, seeds, temperature, label))
        images = np.full([num_samples, 8, 8, 1], seeds, np.uint8)
        labels = None if self.num_classes is None else np.zeros(num_samples, np.int32)
        # The second sample is not finite.
        kept = [index for index in range(num_samples) if index != 1]
        labels = labels if labels is None else labels[kept]
        return SampleBatch(images[kept], np.array(kept), num_samples - len(kept), labels)

    def draw_level_again(self, num_samples, seed, level, new_seed, **arguments):
        return self.sample(num_samples, new_seed + level, **arguments)

    def path(self, first, second, labels=None):
        self.calls.append((first, second, labels))
        return Path(np.stack([first] * 8 + [second] * 9), np.linspace(2.0, 3.0, 17))

    def projected_path(self, first, second, labels=None, on_iteration=None):
        return Path(np.stack([first] * 17))

    def score(self, image, label=None):
        self.calls.append((image, label))
        maps = np.zeros([3, 8, 8])
        maps[0], maps[1, 0, 0] = 2.0 / 64, 1.0
        probability = None if self.num_classes is None or label is not None else 0.75
        shown = label if label is not None or self.num_classes is None else 1
        return ImageScore(3.0, maps, shown, probability)


class StandInTestImages:
    problem, num_test_images = None, 5

    def image(self, number, argument="number"):
        if not isinstance(number, int) or not 0 <= number < 5:
            raise InputError(f"`{argument}` must be from 0 to 4; got {number}.")
        return np.full([8, 8, 1], number, np.uint8)

    def label(self, number):
        return None

    def place(self, bits_per_dim, on_batch=None):
        return Place.of(bits_per_dim, np.array([1.0, 2.0, 4.0, 5.0]), "all 4 <images>")


def make_handlers(compared=None, **attributes):
    explorer = StandInExplorer(**attributes)
    return Handlers(explorer, compared or StandInTestImages(), Fragments(explorer)), explorer


@pytest.fixture(name="handlers")
def fixture_handlers():
    return make_handlers()[0]


def images_in(html):
    return re.findall(r'<img [^>]*src="data:image/png;base64,[^"]+"', html)


def test_samples_are_shown_by_their_numbers(handlers):
    html, drawn = handlers.sample(3.0, 4.0, "any", [1.0, 0.5])
    assert handlers.explorer.calls == [(4, 3, [1.0, 0.5], None)]
    assert len(images_in(html)) == 3
    assert 'alt="sample 0"' in html and 'title="sample 1: not finite"' in html
    assert "1 of 4 samples are not finite, and left out" in html
    assert (drawn.seed, drawn.num_samples) == (3, 4)


def test_each_level_is_a_row_below_the_samples(handlers):
    _, drawn = handlers.sample(3, 12, None, [1.0, 0.5])
    html, following = handlers.draw_again(drawn, EVERY_LEVEL, 5)
    titles = re.findall("<h3>(.*)</h3>", html)
    assert titles == [
        "as drawn, with seed 3",
        "level 1 drawn again, with seed 5 (4 x 4 positions, finest: detail)",
        "level 2 drawn again, with seed 5 (2 x 2 positions, coarsest: global structure)",
    ]
    assert len(images_in(html)) == 3 * 7  # Of 8 samples, one is not finite.
    assert following == 6
    html, _ = handlers.draw_again(drawn, handlers.level_title(2), 5)
    assert len(re.findall("<h3>", html)) == 2
    _, following = handlers.draw_again(drawn, EVERY_LEVEL, 2)
    assert following == 4  # Not 3, with which nothing would change.


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (lambda page: page.sample(None, 4, None, []), "`seed` must be an integer >= 0; got None"),
        (lambda page: page.sample(1.5, 4, None, []), "`seed` must be an integer >= 0; got 1.5"),
        (lambda page: page.sample(2**70, 4, None, []), "`seed` must be below 2^63"),
        (lambda page: page.sample(0, 99, None, []), "`number of samples` must be an integer in 1"),
        (lambda page: page.sample(0, 4, "2", []), "`class` must not be given: the model has none"),
        (lambda page: page.draw_again(None, EVERY_LEVEL, 1), "There are no samples yet"),
        (
            lambda page: page.draw_again(page.sample(0, 4, None, [])[1], "level 9", 1),
            "`level` must be one of those shown; got 'level 9'",
        ),
        (
            lambda page: page.draw_again(page.sample(7, 4, None, [])[1], EVERY_LEVEL, 7),
            "`new seed` must be another than the seed of the samples; both are 7",
        ),
        (lambda page: page.path(None, TEST_IMAGES, 1, 1, False), "`to` must be another image"),
        (lambda page: page.path(None, TEST_IMAGES, 1, 5, False), "`to` must be from 0 to 4; got 5"),
        (lambda page: page.path(None, SAMPLES, 0, 1, False), "There are no samples yet"),
        (
            lambda page: page.path(page.sample(0, 4, None, [])[1], SAMPLES, 0, 1, False),
            "`to` must be the number of a sample of the first tab, from 0 to 3; got 1",
        ),
        (lambda page: page.path(None, "others", 0, 1, False), "`images` must be one of those"),
        (lambda page: page.point(None, 0.5), "There is no path yet"),
        (lambda page: page.point([{}], 1.5), "`position` must be from 0 to 1; got 1.5"),
        (lambda page: page.score_file(None, None), "Drop an image file first"),
        (lambda page: page.score_test_image(9, None), "`number` must be from 0 to 4; got 9"),
    ],
)
def test_what_is_wrong_is_named(handlers, call, expected):
    with pytest.raises(InputError) as caught:
        call(handlers)
    assert expected in str(caught.value)


def test_a_path_is_shown_in_its_middle_and_then_anywhere(handlers):
    html, frames = handlers.path(None, TEST_IMAGES, 0.0, 1.0, False)
    assert "straight in the latents" in html and "2.500 bits/dim" in html
    assert len(images_in(html)) == 18
    assert "point 9 of 17" in html
    assert "3.000 bits/dim" in handlers.point(frames, 1.0)
    html, frames = handlers.path(None, TEST_IMAGES, 0, 1, True)
    assert "moved to high density (Eq. 11)" in html
    assert len(images_in(html)) == 36


def test_a_path_between_samples_is_given_their_classes():
    handlers, explorer = make_handlers(num_classes=3)
    _, drawn = handlers.sample(3, 4, "2", [1.0, 1.0])
    assert explorer.calls[-1][-1] == 2
    handlers.path(drawn, SAMPLES, 0, 3, False)
    assert explorer.calls[-1][2] == [0, 0]


def test_an_image_has_a_number_a_map_and_a_place(handlers, tmp_path):
    Image.fromarray(np.zeros([8, 8], np.uint8)).save(tmp_path / "black.png")
    for html in (
        handlers.score_test_image(2, "any"),
        handlers.score_file(str(tmp_path / "black.png"), "any"),
    ):
        assert "<b>3.0000</b> bits/dim" in html
        assert "Place 3: 2 of 4 test images have fewer bits/dim" in html
        assert "all 4 &lt;images&gt;." in html
        assert len(images_in(html)) == 4  # The image, all parts and two levels.
        # Of all parts: 2 everywhere, and 64 more in one pixel of 64.
        assert "all parts <b>3.000</b>" in html
        assert "<span>2.00</span><span>66.00</span>" in html
        assert "class" not in re.sub('class="[^"]*"', "", html)


@pytest.mark.parametrize(
    ("bits_per_dim", "expected"),
    [
        (9.0, "less probable than each of 4 test images"),
        (0.0, "at least as probable as each of 4 test images"),
    ],
)
def test_places_at_the_ends_have_words_of_their_own(bits_per_dim, expected):
    explorer = StandInExplorer()
    place = StandInTestImages().place(bits_per_dim)
    image = np.zeros([8, 8, 1], np.uint8)
    html = Fragments(explorer).score(image, ImageScore(bits_per_dim), place, ["no <map>"])
    assert expected in html
    assert "no &lt;map&gt;" in html
    assert len(images_in(html)) == 1


def test_a_class_is_given_or_the_most_probable_one():
    handlers, explorer = make_handlers(num_classes=3)
    html = handlers.score_test_image(2, "any")
    assert "given class 1, the most probable one (75.0&nbsp;%)" in " ".join(html.split())
    html = handlers.score_test_image(2, "2")
    assert "given class 2</span>" in " ".join(html.split())
    with pytest.raises(InputError, match="`class` must be an integer in 0 ... 2; got 3"):
        handlers.score_test_image(2, "3")
    assert explorer.calls[-1][1] == 2


def test_what_cannot_be_done_is_said():
    compared = StandInTestImages()
    compared.problem = "no data set is known"
    handlers, _ = make_handlers(compared, lacks={"map": "There is no map.", "projection": "No."})
    assert "There are no test images: no data set" in handlers.missing()["place"]
    with pytest.raises(InputError, match="There are no test images"):
        handlers.score_test_image(1, None)
    with pytest.raises(InputError, match="^No.$"):
        _, drawn = handlers.sample(3, 4, None, [1.0, 1.0])
        handlers.path(drawn, SAMPLES, 0, 2, True)


def test_errors_are_one_line_and_bugs_go_to_the_terminal(capsys):
    def fail(error):
        raise error

    assert answer(lambda: 3) == (3, None)
    assert answer(fail, InputError("the `seed` is wrong.")) == (None, "the `seed` is wrong.")
    assert answer(fail, RunError("`a` is bad;\nmore")) == (None, "`a` is bad;")
    assert answer(fail, MemoryError()) == (None, "There is not enough memory for this.")
    assert not capsys.readouterr().err
    result, line = answer(fail, KeyError("secret"))
    assert result is None
    assert line == "Something went wrong (KeyError); the terminal of the page says what."
    assert "Traceback" in capsys.readouterr().err
    assert "&lt;b&gt;" in problem("<b>")


def test_histograms_reach_to_what_is_marked():
    values = np.array([1.0, 2.0, 2.0, 3.0])
    inside, outside = histogram(values, 2.5), histogram(values, 11.0)
    assert (inside["least"], inside["greatest"], inside["mark"]) == (1.0, 3.0, 0.75)
    assert max(height for _, height in inside["bars"]) == 1.0
    assert (outside["greatest"], outside["mark"]) == (11.0, 1.0)
    assert histogram(np.ones(3), 1.0)["mark"] == 0.5


def test_pictures_of_maps():
    flat, steep = (map_address(np.array(values)) for values in ([[1.0, 1.0]], [[0.0, 1.0]]))
    assert flat != steep
    assert legend_colours()[0] == "#440154"
    assert ".marscf-legend {" in style_sheet()
