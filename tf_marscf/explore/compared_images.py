"""The test images with which an image is compared, and where their bits/dim come from."""

import dataclasses
import functools

import numpy as np

from tf_marscf.data import DataUnavailableError, evaluation_pipeline
from tf_marscf.errors import InputError
from tf_marscf.evaluation.image_scores import score_images
from tf_marscf.evaluation.stored_scores import default_json_path, read_stored_scores

_BATCH_SIZE = 20


@dataclasses.dataclass(frozen=True)
class Place:
    """Where an image stands among test images.

    Attributes:
        bits_per_dim: of the test images [N], sorted.
        num_lower: of how many test images fewer bits/dim: they are more probable.
        source: where the test images' numbers come from, a sentence.
    """

    bits_per_dim: np.ndarray
    num_lower: int
    source: str

    @classmethod
    def of(cls, bits_per_dim, others, source):
        """The place of an image with `bits_per_dim` among `others` [N]."""
        others = np.sort(others)
        return cls(others, int(np.searchsorted(others, bits_per_dim)), source)

    @property
    def num_images(self):
        """N."""
        return len(self.bits_per_dim)


class ComparedImages:
    """The test images of the data set that goes with a model.

    Args:
        run: a `RestoredRun`.
        num_images: how many are scored, where no file has the scores of all.

    Attributes:
        problem: why there are none, a sentence; or None.

    Raises:
        DataUnavailableError, InputError: if the data set that is named by the config cannot be had.
            One that is not named and not at hand is a `problem`.
    """

    def __init__(self, run, num_images):
        self._run = run
        self._num_images = num_images
        self._dataset, self._own_scores, self.problem = None, None, None
        is_named = run.config.dataset is not None or run.config.data_dir is not None
        if run.run_config.data is None and not is_named:
            self.problem = (
                "no data set is known for this model: give --dataset and, where it needs one, "
                "--data_dir"
            )
            return
        try:
            # So that `run.dataset` is this one, and is not loaded once more.
            self._dataset = run.dataset = run.load_dataset(download=is_named)
        except (DataUnavailableError, InputError) as error:
            if is_named:
                raise
            self.problem = f"the data set is not at hand: {error}"

    @property
    def name(self):
        """The name of the data set; None where there is none."""
        return None if self._dataset is None else self._dataset.name

    @property
    def num_test_images(self):
        """Number of test images; 0 where there is no data set."""
        return 0 if self._dataset is None else self._dataset.num_test_images

    def image(self, number, argument="number"):
        """One test image, uint8 [H, W, C]; `InputError` if there is none of this number."""
        self.check_number(number, argument)
        (image,) = self._dataset.test.skip(number).take(1).as_numpy_iterator()
        return image

    def label(self, number):
        """The class of a test image; None of a model without classes."""
        num_classes = self._run.run_config.model.num_classes
        if num_classes is None:
            return None
        return int(self._dataset.labels("test", num_classes)[number])

    def check_number(self, number, argument="number"):
        """Raises `InputError` if no test image has a number."""
        if not isinstance(number, int) or not 0 <= number < self.num_test_images:
            raise InputError(
                f"`{argument}` must be that of a test image, from 0 to {self.num_test_images - 1}; "
                f"got {number}."
            )

    def place(self, bits_per_dim, on_batch=None):
        """The `Place` of an image; the first call may score test images, which takes a while.

        `on_batch` is called with the number of those scored so far, and of all that will be.
        """
        others, source = self._stored or self._scored(on_batch)
        return Place.of(bits_per_dim, others, source)

    @functools.cached_property
    def _stored(self):
        """The scores that an evaluation left, and a sentence; None where they are not usable."""
        json_path = default_json_path(self._run, "test")
        try:
            scores, path = read_stored_scores(json_path, self._run.weights)
        except InputError:
            return None
        if len(scores) != self.num_test_images:
            return None
        return scores, f"all {len(scores)} test images of {self.name}, from {path}"

    def _scored(self, on_batch):
        if self._own_scores is None:
            num_images = min(self._num_images, self.num_test_images)
            examples = self._run.examples_of("test").take(num_images)
            batches = evaluation_pipeline(examples, min(_BATCH_SIZE, num_images))
            scores = score_images(
                self._run.images_distribution,
                _watched(batches, num_images, on_batch),
                jit_compile=self._run.config.jit_compile,
            )
            source = (
                f"the first {num_images} test images of {self.name}, scored here; "
                "`bin/evaluate.py --scores=FILE.csv` scores all"
            )
            self._own_scores = scores.bits_per_dim, source
        return self._own_scores


def _watched(batches, num_images, on_batch):
    """Passes batches on, and tells how many images have been seen."""
    for number, batch in enumerate(batches):
        if on_batch is not None:
            on_batch(number * _BATCH_SIZE, num_images)
        yield batch
