"""Scores a training directory's model on a data set."""

import math

import tqdm

from tf_marscf.data import collect_images, evaluation_pipeline
from tf_marscf.evaluation.bits_per_dim import evaluate_bits_per_dim
from tf_marscf.quality.sample_quality import check_features, evaluate_sample_quality
from tf_marscf.runs.restored_run import RestoredRun
from tf_marscf.sampling.image_grid import spread_grey_levels
from tf_marscf.sampling.sample_stream import SampleStream

_DEFAULT_BATCH_SIZE = 100


class EvaluationRun(RestoredRun):
    """Bits/dim, and quality of samples, of the model in a training directory."""

    @property
    def is_of_training(self):
        """Whether the data set is the one that the model was trained on."""
        return self.config.data is not None and self.dataset.name == self.config.data.name

    def run(self, split="test", batch_size=None, num_samples=1, seed=0):
        """The `BitsPerDim` of a split's images.

        Args:
            split: "train", "validation" or "test".
            batch_size: images at a time; default: as in training, and so with its noise.
            num_samples: draws of dequantization noise an image.
            seed: of the noise.

        Raises:
            RunError: if an image's bits/dim is not finite.
            InputError: if the data set has no such split.
        """
        training = self.config.training or {}
        batch_size = batch_size or training.get("evaluation_batch_size", _DEFAULT_BATCH_SIZE)
        batches = evaluation_pipeline(self.images_of(split), batch_size)
        return evaluate_bits_per_dim(self.images_distribution, batches, num_samples, seed)

    def check_extractor(self, extractor, config):
        """Runs a `FeatureExtractor` on two real images; arguments and errors as of `quality`."""
        split = self.images_of(config.reference_split, "reference_split")
        images = collect_images(split, min(2, int(split.cardinality())))
        images = spread_grey_levels(images, self.dataset.num_grey_levels)
        check_features(extractor(images), extractor.name, config.metrics)

    def quality(self, extractor, config, seed=0, progress=True):
        """The `SampleQuality` of samples 0, 1, ... of a seed, as `bin/sample.py` draws them.

        Args:
            extractor: a `FeatureExtractor`.
            config: a `QualityConfig`.
            seed: Python `int`.
            progress: whether to show a progress bar, on the standard error stream.

        Raises:
            RunError: if no sample is finite, or the extractor fails or its outputs are not finite.
            InputError: if an argument is wrong, or the extractor does not fit.
        """
        references = self.images_of(config.reference_split, "reference_split")
        extractor.describe_input(self.dataset.image_shape)
        num_references = int(references.cardinality())
        num_samples = config.num_images or num_references
        batch_size = min(config.batch_size, num_samples)
        stream = SampleStream(self.images_distribution, seed, config.temperature, batch_size)
        with tqdm.tqdm(
            stream.batches(num_samples),
            total=math.ceil(num_samples / batch_size),
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
                num_grey_levels=self.dataset.num_grey_levels,
                kid_block_size=config.kid_block_size,
                num_splits=config.num_splits,
            )
