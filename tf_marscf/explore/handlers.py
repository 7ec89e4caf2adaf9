"""What happens when somebody uses the page; nothing here knows of Gradio."""

import dataclasses
import sys
import traceback

from tf_marscf.errors import InputError, RunError, first_line
from tf_marscf.explore.explorer import MAX_NUM_SAMPLES
from tf_marscf.explore.image_input import read_dropped_image
from tf_marscf.rules import integer
from tf_marscf.sampling.sample_stream import SampleBatch

SAMPLES, TEST_IMAGES = "samples of the first tab", "test images"
EVERY_LEVEL = "each level, one after another"
_MAX_IN_ROWS = 8


@dataclasses.dataclass(frozen=True)
class DrawnSamples:
    """Samples, and what they were drawn with."""

    batch: SampleBatch
    num_samples: int
    seed: int
    temperatures: list
    label: int = None


class Handlers:
    """The events of the page of a model.

    Each returns HTML, some of them with what the page keeps for the next event. What is wrong with
    a value is raised as an `InputError` or a `RunError`; see `answer`.

    Args:
        explorer: an `Explorer` or a `SavedModelExplorer`.
        compared: a `ComparedImages`; None where it is known that there can be none.
        fragments: the `Fragments` of the explorer.
        is_reduced: whether grey levels of image files are made fewer, as of `read_dropped_image`.
    """

    def __init__(self, explorer, compared, fragments, is_reduced=False):
        self._explorer = explorer
        self._compared = compared
        self._fragments = fragments
        self._is_reduced = is_reduced

    @property
    def explorer(self):
        """The explorer."""
        return self._explorer

    @property
    def num_test_images(self):
        """Number of test images; 0 where there are none."""
        return 0 if self._compared is None else self._compared.num_test_images

    def missing(self):
        """Sentences on what the page cannot do, a dict from names of features."""
        lacks = dict(self._explorer.lacks)
        if self._compared is not None and self._compared.problem is not None:
            lacks["place"] = f"There are no test images: {self._compared.problem}."
        return lacks

    def level_title(self, level):
        """What the page calls a level, counted from 1: its number, and what it decides."""
        return f"level {level}: {self.level_meaning(level)}"

    def level_meaning(self, level):
        """Positions of a level and, of several, what the first and the last one decide."""
        height, width, _ = self._explorer.image_shape
        meaning = f"{height // 2**level} x {width // 2**level} positions"
        if self._explorer.num_levels == 1:
            return meaning
        ends = {1: ", finest: detail", self._explorer.num_levels: ", coarsest: global structure"}
        return meaning + ends.get(level, "")

    def sample(self, seed, num_samples, label, temperatures, on_progress=None):
        """Draws samples: `(html, DrawnSamples)`."""
        seed = _seed(seed, "seed")
        num_samples = integer(1, MAX_NUM_SAMPLES)(_whole(num_samples), "`number of samples`")
        label = self._label(label)
        batch = self._explorer.sample(num_samples, seed, temperatures, label, on_progress)
        drawn = DrawnSamples(batch, num_samples, seed, temperatures, label)
        return self._fragments.samples(batch, num_samples), drawn

    def draw_again(self, drawn, level, new_seed, on_progress=None):
        """Shows samples with one level drawn again, or each in turn: `(html, next new seed)`."""
        drawn, new_seed = _checked_drawn(drawn), _seed(new_seed, "new seed")
        titles = {
            self.level_title(level): level for level in range(1, self._explorer.num_levels + 1)
        }
        if level not in (EVERY_LEVEL, *titles):
            raise InputError(f"`level` must be one of those shown; got {level!r}.")
        if new_seed == drawn.seed:
            raise InputError(
                f"`new seed` must be another than the seed of the samples; both are {new_seed}."
            )
        num_samples = min(drawn.num_samples, _MAX_IN_ROWS)
        arguments = {"temperature": drawn.temperatures, "label": drawn.label}
        first = self._explorer.sample(num_samples, drawn.seed, **arguments)
        rows = [(f"as drawn, with seed {drawn.seed}", first)]
        chosen = [titles[level]] if level in titles else titles.values()
        for done, number in enumerate(chosen):
            if on_progress is not None:
                on_progress(done, len(chosen))
            batch = self._explorer.draw_level_again(
                num_samples, drawn.seed, number, new_seed, **arguments
            )
            title = f"level {number} drawn again, with seed {new_seed}"
            rows.append((f"{title} ({self.level_meaning(number)})", batch))
        following = new_seed + 1 if new_seed + 1 != drawn.seed else new_seed + 2
        return self._fragments.rows(rows, num_samples), following

    def path(self, drawn, source, first, second, is_projected, on_progress=None):
        """Goes from one image to another: `(html, frames)`; see `point` for the frames."""
        numbers = [_whole(number) for number in (first, second)]
        if numbers[0] == numbers[1]:
            raise InputError(f"`to` must be another image than `from`; both are {numbers[0]}.")
        images, labels = self._ends(drawn, source, numbers)
        paths = {"straight in the latents": self._explorer.path(*images, labels)}
        if is_projected:
            if "projection" in self._explorer.lacks:
                raise InputError(self._explorer.lacks["projection"])
            paths["moved to high density (Eq. 11)"] = self._explorer.projected_path(
                *images, labels, on_iteration=on_progress
            )
        frames = self._fragments.frames(paths)
        return self.point(frames, 0.5), frames

    def point(self, frames, position):
        """Shows the point of a path at a position from 0 to 1."""
        if not frames:
            raise InputError("There is no path yet: choose two images first.")
        if not 0.0 <= position <= 1.0:
            raise InputError(f"`position` must be from 0 to 1; got {position}.")
        number = round(position * (len(frames[0]["addresses"]) - 1))
        return self._fragments.point(frames, number)

    def score_file(self, path, label, on_progress=None):
        """Shows what the model says of an image file."""
        if path is None:
            raise InputError("Drop an image file first: PNG, JPEG, WebP or BMP.")
        explorer = self._explorer
        image = read_dropped_image(
            path, explorer.image_shape, explorer.num_grey_levels, self._is_reduced
        )
        return self._score(image, self._label(label), on_progress)

    def score_test_image(self, number, label, on_progress=None):
        """Shows what the model says of a test image."""
        image = self._test_images().image(_whole(number), "number")
        return self._score(image, self._label(label), on_progress)

    def _score(self, image, label, on_progress):
        score = self._explorer.score(image, label)
        missing, place = self.missing(), None
        if "place" not in missing:
            place = self._compared.place(score.bits_per_dim, on_progress)
        sentences = [missing[name] for name in ("map", "place") if name in missing]
        return self._fragments.score(image, score, place, sentences)

    def _ends(self, drawn, source, numbers):
        """Two images and, of a model with classes, their labels."""
        if source == TEST_IMAGES:
            compared = self._test_images()
            images = [
                compared.image(number, name)
                for number, name in zip(numbers, ("from", "to"), strict=True)
            ]
            labels = [compared.label(number) for number in numbers]
            return images, None if None in labels else labels
        if source != SAMPLES:
            raise InputError(f"`images` must be one of those shown; got {source!r}.")
        batch = _checked_drawn(drawn).batch
        rows = []
        for number, name in zip(numbers, ("from", "to"), strict=True):
            if number not in batch.indices:
                raise InputError(
                    f"`{name}` must be the number of a sample of the first tab, from 0 to "
                    f"{drawn.num_samples - 1}; got {number}."
                )
            rows.append(batch.indices.tolist().index(number))
        labels = None if batch.labels is None else batch.labels[rows].tolist()
        return [batch.images[row] for row in rows], labels

    def _test_images(self):
        missing = self.missing()
        if "place" in missing:
            raise InputError(missing["place"])
        return self._compared

    def _label(self, label):
        """A class from the page: None, for all or the most probable one, or a number."""
        if label in (None, "", "any"):
            return None
        if self._explorer.num_classes is None:
            raise InputError(f"`class` must not be given: the model has none; got {label!r}.")
        return integer(0, self._explorer.num_classes - 1)(_whole(label), "`class`")


def answer(function, *arguments, **options):
    """Calls an event: `(what it returns, None)` or, whatever goes wrong, `(None, a line)`.

    What nobody has foreseen is a bug: its traceback goes to the standard error stream, and the page
    shows a line.
    """
    try:
        return function(*arguments, **options), None
    except (InputError, RunError) as error:
        return None, first_line(error)
    except MemoryError:
        return None, "There is not enough memory for this."
    except Exception as error:
        traceback.print_exc(file=sys.stderr)
        return None, (
            f"Something went wrong ({type(error).__name__}); the terminal of the page says what."
        )


def _seed(value, name):
    return integer(0, num_bits=63)(_whole(value), f"`{name}`")


def _whole(value):
    """A number of the page, which may be a float, as an integer if it is whole."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str) and value.isdecimal():
        return int(value)
    return value


def _checked_drawn(drawn):
    if drawn is None:
        raise InputError("There are no samples yet: draw some in the first tab.")
    return drawn
