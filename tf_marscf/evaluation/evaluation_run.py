"""Scores a training directory's model on a data set."""

import dataclasses
import math
import os

import tqdm

from tf_marscf.data import evaluation_pipeline
from tf_marscf.evaluation.bits_per_dim import BitsPerDim, evaluate_bits_per_dim
from tf_marscf.evaluation.evaluated_dataset import load_evaluated_dataset
from tf_marscf.evaluation.feature_extractor import FeatureExtractor
from tf_marscf.evaluation.sample_quality import (
    METRICS,
    SampleQuality,
    check_metrics,
    evaluate_sample_quality,
)
from tf_marscf.evaluation.sample_stream import SampleStream, check_sampling_arguments
from tf_marscf.json_file import write_json
from tf_marscf.run_config import RunConfig
from tf_marscf.training.checkpoints import restore_model

_DEFAULT_BATCH_SIZE = 100


@dataclasses.dataclass(frozen=True, kw_only=True)
class QualityConfig:
    """How the quality of samples is measured.

    Attributes:
        metrics: some of "fid", "kid" and "inception_score".
        num_images: samples that are drawn; default: as many as there are real images. (Published
            figures mostly have 50,000.)
        reference_split: the real images: "train", "validation" or "test".
        temperature: scale of the prior's noise.
        kid_block_size: images of either kind in a block of KID.
        num_splits: splits of the samples for the Inception score.
        batch_size: images at a time.

    Raises:
        ValueError: from the constructor, naming argument, rule and value seen.
    """

    metrics: tuple = METRICS
    num_images: int = None
    reference_split: str = "test"
    temperature: float = 1.0
    kid_block_size: int = 1000
    num_splits: int = 10
    batch_size: int = 64

    def __post_init__(self):
        object.__setattr__(self, "metrics", tuple(self.metrics))
        check_metrics(self.metrics)
        check_sampling_arguments(temperature=self.temperature, batch_size=self.batch_size)
        for name, value, minimum in (
            ("num_images", self.num_images, 2),
            ("kid_block_size", self.kid_block_size, 2),
            ("num_splits", self.num_splits, 1),
        ):
            if value is not None and (not isinstance(value, int) or value < minimum):
                raise ValueError(f"`{name}` must be an integer >= {minimum}; got {value!r}.")


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """What `write_evaluation` found and wrote.

    Attributes:
        split: the images of `bits_per_dim`.
        dataset: name of their data set.
        checkpoint: "best" or "latest".
        seed: of the noise, and of the samples.
        bits_per_dim: a `BitsPerDim`.
        quality: a `SampleQuality`, or None.
        quality_config: its `QualityConfig`, or None.
        feature_input: what became of images before their features were extracted, or None.
        json_path: the file that holds all of this.
    """

    split: str
    dataset: str
    checkpoint: str
    seed: int
    bits_per_dim: BitsPerDim
    quality: SampleQuality | None
    quality_config: QualityConfig | None
    feature_input: str | None
    json_path: str

    def to_dict(self):
        """A dict that JSON can hold."""
        quality = None
        if self.quality is not None:
            quality = self.quality.to_dict() | {
                "feature_input": self.feature_input,
                "reference_split": self.quality_config.reference_split,
                "temperature": self.quality_config.temperature,
            }
        return {
            "dataset": self.dataset,
            "split": self.split,
            "checkpoint": self.checkpoint,
            "seed": self.seed,
            **self.bits_per_dim.to_dict(),
            "quality": quality,
        }


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

    def images_of(self, split, argument="split"):
        """The images of a split, a `tf.data.Dataset`.

        Raises:
            ValueError: if the data set has no such split.
        """
        splits = self._dataset.splits()
        if split not in splits:
            raise ValueError(f"`{argument}` must be one of {tuple(splits)}; got {split!r}.")
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


def make_feature_extractor(
    inception_weights=None, path=None, layer=None, pixel_range=(0.0, 255.0)
) -> FeatureExtractor:
    """The extractor that flags describe.

    Args:
        inception_weights: file of the original Inception weights, or None.
        path: a Keras model or SavedModel to use instead, or None.
        layer: name of a layer of it, or None.
        pixel_range: the values that it wants for grey levels 0 and 255.

    Returns:
        A `FeatureExtractor`; the original Inception where `path` is None.

    Raises:
        FileNotFoundError, ImportError, ValueError: if it cannot be had as asked for.
        RunError: if there are no Inception weights, and they cannot be downloaded.
    """
    if path is None:
        if layer is not None:
            raise ValueError(f"`layer` must be None without `feature_extractor`; got {layer!r}.")
        from tf_marscf.evaluation.inception_feature_extractor import InceptionFeatureExtractor

        return InceptionFeatureExtractor(inception_weights)
    if inception_weights is not None:
        raise ValueError(
            "only one of `inception_weights` and `feature_extractor` may be given; got both."
        )
    from tf_marscf.evaluation.keras_feature_extractor import KerasFeatureExtractor

    return KerasFeatureExtractor(path, layer, pixel_range)


def write_evaluation(
    train_dir,
    *,
    which="best",
    dataset=None,
    data_dir=None,
    split="test",
    batch_size=None,
    num_samples=1,
    seed=0,
    quality=None,
    make_extractor=make_feature_extractor,
    json_path=None,
    report=print,
    progress=True,
):
    """Evaluates a model, reports each result as soon as it is there, and writes a JSON file.

    Everything that can be wrong with an argument is found before the first image is scored.

    Args:
        train_dir: the training directory.
        which: "best" or "latest" checkpoint.
        dataset: name of a data set; default: the one that the model was trained on.
        data_dir: where it is; default: as in training.
        split: the images whose bits/dim is measured.
        batch_size: images at a time; default: as in training.
        num_samples: draws of dequantization noise an image.
        seed: of the noise, and of the samples.
        quality: a `QualityConfig`, or None for bits/dim alone.
        make_extractor: called without arguments for the `FeatureExtractor` of `quality`.
        json_path: default: TRAIN_DIR/evaluation_SPLIT.json, for another data set than that of
            training TRAIN_DIR/evaluation_DATASET_SPLIT.json.
        report: called with each line of text.
        progress: whether to show a progress bar, on the standard error stream.

    Returns:
        An `Evaluation`.

    Raises:
        DataUnavailableError, RunError: if something outside of the program is wrong.
        FileNotFoundError, ImportError, ValueError: if an argument is wrong.
    """
    check_sampling_arguments(num_samples=num_samples, seed=seed)
    run = EvaluationRun(train_dir, which, dataset, data_dir)
    run.images_of(split)
    extractor, feature_input = None, None
    if quality is not None:
        run.images_of(quality.reference_split, "reference_split")
        extractor = make_extractor()
        feature_input = extractor.describe_input(run.dataset.image_shape)
    bits_per_dim = run.run(split, batch_size, num_samples, seed)
    report(
        f"{split} bits/dim {bits_per_dim} "
        f"({bits_per_dim.num_images} images, {num_samples} draws of noise an image)"
    )
    report(f"terms: {bits_per_dim.terms_line()}")
    measured = None
    if quality is not None:
        report(f"features: {extractor.name}; images {feature_input}")
        measured = run.quality(extractor, quality, seed, progress)
        for line in measured.lines():
            report(line)
    if json_path is None:
        name = split if run.is_of_training else f"{run.dataset.name.replace('/', '_')}_{split}"
        json_path = os.path.join(train_dir, f"evaluation_{name}.json")
    evaluation = Evaluation(
        split=split,
        dataset=run.dataset.name,
        checkpoint=which,
        seed=seed,
        bits_per_dim=bits_per_dim,
        quality=measured,
        quality_config=quality,
        feature_input=feature_input,
        json_path=os.fspath(json_path),
    )
    write_json(json_path, evaluation.to_dict())
    return evaluation
