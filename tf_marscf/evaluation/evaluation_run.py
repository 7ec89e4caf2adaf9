"""Scores a training directory's model on a data set."""

import math

import tqdm

from tf_marscf.data import collect_images, evaluation_pipeline
from tf_marscf.errors import InputError
from tf_marscf.evaluation.bits_per_dim import evaluate_bits_per_dim
from tf_marscf.files.paths import local_path
from tf_marscf.quality.sample_quality import check_features, evaluate_sample_quality
from tf_marscf.runs.evaluated_dataset import load_evaluated_dataset
from tf_marscf.runs.run_config import RunConfig
from tf_marscf.runs.trained_model import restore_model
from tf_marscf.runs.weights_digest import weights_digest
from tf_marscf.sampling.image_grid import spread_grey_levels
from tf_marscf.sampling.sample_stream import SampleStream

_DEFAULT_BATCH_SIZE = 100


class EvaluationRun:
    """Bits/dim, and quality of samples, of the model in a training directory.

    Args:
        train_dir: the training directory.
        which: "best" or "latest" checkpoint.
        dataset: name of a data set; default: the one that the model was trained on.
        data_dir: where it is; default: as in training.

    Raises:
        DataUnavailableError: if the data cannot be had.
        FileNotFoundError: if the directory or checkpoint is missing.
        ValueError: if an argument is wrong, or the data do not fit the model.
    """

    def __init__(self, train_dir, which="best", dataset=None, data_dir=None):
        train_dir = local_path("train_dir", train_dir)
        config = RunConfig.load(train_dir)
        training = config.training or {}
        self._default_batch_size = training.get("evaluation_batch_size", _DEFAULT_BATCH_SIZE)
        self._dataset = load_evaluated_dataset(config, dataset, data_dir)
        self._images_distribution = restore_model(config, train_dir, which)
        self._trained_on = None if config.data is None else config.data.name

    @property
    def dataset(self):
        """The `ImageDataset`."""
        return self._dataset

    @property
    def is_of_training(self):
        """Whether the data set is the one that the model was trained on."""
        return self._dataset.name == self._trained_on

    @property
    def weights(self):
        """The `weights_digest` of the model."""
        return weights_digest(self._images_distribution)

    def images_of(self, split, argument="split"):
        """The images of a split, a `tf.data.Dataset`.

        Raises:
            ValueError: if the data set has no such split.
        """
        splits = self._dataset.splits()
        if split not in splits:
            raise InputError(f"`{argument}` must be one of {tuple(splits)}; got {split!r}.")
        return splits[split]

    def run(self, split="test", batch_size=None, num_samples=1, seed=0):
        """Scores every image of a split.

        Args:
            split: "train", "validation" or "test".
            batch_size: images at a time; default: as in training, and so with its noise.
            num_samples: draws of dequantization noise an image.
            seed: of the noise.

        Returns:
            A `BitsPerDim`.

        Raises:
            RunError: if an image's bits/dim is not finite.
            ValueError: if the data set has no such split.
        """
        return evaluate_bits_per_dim(
            self._images_distribution,
            evaluation_pipeline(self.images_of(split), batch_size or self._default_batch_size),
            num_samples=num_samples,
            seed=seed,
        )

    def check_extractor(self, extractor, config):
        """Runs an extractor on real images, and checks that its outputs serve the metrics.

        Args:
            extractor: a `FeatureExtractor`.
            config: a `QualityConfig`.

        Raises:
            RunError: if it fails, or its outputs are not finite.
            InputError: if it does not give what the metrics need.
        """
        split = self.images_of(config.reference_split, "reference_split")
        images = collect_images(split, min(2, int(split.cardinality())))
        check_features(
            extractor(spread_grey_levels(images, self._dataset.num_grey_levels)),
            extractor.name,
            config.metrics,
        )

    def quality(self, extractor, config, seed=0, progress=True):
        """Measures samples against real images.

        Args:
            extractor: a `FeatureExtractor`.
            config: a `QualityConfig`.
            seed: Python `int`; samples 0, 1, ... of this seed, as `bin/sample.py` draws them.
            progress: whether to show a progress bar, on the standard error stream.

        Returns:
            A `SampleQuality`.

        Raises:
            RunError: if no sample is finite, or the extractor's outputs are not.
            ValueError: if an argument is wrong, or the extractor does not fit.
        """
        references = self.images_of(config.reference_split, "reference_split")
        extractor.describe_input(self._dataset.image_shape)
        num_references = int(references.cardinality())
        num_samples = config.num_images or num_references
        stream = SampleStream(
            self._images_distribution, seed, config.temperature, min(config.batch_size, num_samples)
        )
        with tqdm.tqdm(
            stream.batches(num_samples),
            total=math.ceil(num_samples / min(config.batch_size, num_samples)),
            desc="sample quality",
            unit=" batches",
            disable=not progress,
        ) as batches:
            return evaluate_sample_quality(
                extractor,
                batches,
                num_samples,
                evaluation_pipeline(references, config.batch_size).as_numpy_iterator(),
                num_references,
                config.metrics,
                num_grey_levels=self._dataset.num_grey_levels,
                kid_block_size=config.kid_block_size,
                num_splits=config.num_splits,
            )
