"""What benchmarks that train models share: the images, and trainings that are gone on with."""

import functools
import hashlib
import os

from tf_marscf.benchmarks.comparison_benchmark import ComparisonBenchmark
from tf_marscf.benchmarks.resumable_training import ResumableTraining
from tf_marscf.data import load_configured_dataset
from tf_marscf.errors import InputError, RunError


class TrainedModelsBenchmark(ComparisonBenchmark):
    """A benchmark of models that it trains on one data set, and scores on its first test images.

    Trainings lie in `OUTPUT_DIR/NAME_trainings`: killed, the same command goes on with them.

    Args:
        config: a `TrainedModelsConfig`.
        output_dir: directory of the files; created if missing.

    Raises:
        DataUnavailableError: if the data cannot be had.
        InputError: if `output_dir` is no directory, or an argument does not suit the data.
    """

    # Fields of the config that say how long and what is trained, and not how.
    free_fields = ("num_training_steps", "training_seconds")
    # What "failed", texts of a result, means: of benchmarks that go on without what failed.
    failure = "failed: {}."

    def __init__(self, config, output_dir):
        super().__init__(config, output_dir)
        self._dataset = dataset = load_configured_dataset(config.data)
        if dataset.num_train_images < config.batch_size:
            raise InputError(
                f"`batch_size` must be at most the {dataset.num_train_images} training images of "
                f"{config.dataset}; got {config.batch_size}."
            )
        self._num_evaluation_images = min(config.num_evaluation_images, dataset.num_test_images)
        self._evaluation_images = dataset.test.take(self._num_evaluation_images)
        self._trainings_directory = os.path.join(self._output_dir, f"{self.name}_trainings")

    def run(self, report=print):
        """As of every benchmark.

        Raises:
            RunError: at the end, if something failed; all else is done and written.
        """
        result = super().run(report)
        if result.get("failed"):
            raise RunError(self.failure.format("; ".join(result["failed"])))
        return result

    def _training(self, name, facts, make_trainer, make_rows):
        """A `ResumableTraining`; `facts`, a dict, are those besides the config and the data."""
        config = self._config.to_dict()
        config = {key: value for key, value in config.items() if key not in self.free_fields}
        facts = facts | {"config": config, "data": self._data_facts(), "images": self._digest}
        return ResumableTraining(name, facts, self._trainings_directory, make_trainer, make_rows)

    def _data_facts(self):
        """What is known of the images, a dict that JSON can hold."""
        dataset = self._dataset
        return {
            "image_shape": list(dataset.image_shape),
            "num_grey_levels": dataset.num_grey_levels,
            "num_train_images": dataset.num_train_images,
            "num_evaluation_images": self._num_evaluation_images,
        }

    @functools.cached_property
    def _digest(self):
        """Of the first images: data sets of as many images, from elsewhere, are told apart."""
        digest = hashlib.sha256()
        for images in (self._dataset.train, self._dataset.test):
            for image in images.take(1).as_numpy_iterator():
                digest.update(image.tobytes())
        return digest.hexdigest()
