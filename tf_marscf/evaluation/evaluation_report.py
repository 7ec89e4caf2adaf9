"""Bits/dim of a training directory's model and quality of its samples, reported and written."""

import dataclasses
import math
import os

import tqdm

from tf_marscf.data import collect_images, evaluation_pipeline
from tf_marscf.evaluation.bits_per_dim import BitsPerDim, evaluate_bits_per_dim
from tf_marscf.files.atomic_file import write_json
from tf_marscf.files.paths import local_path, output_file
from tf_marscf.quality.sample_quality import check_features, evaluate_sample_quality
from tf_marscf.rules import check_entries, entries, integer, number, optional, text
from tf_marscf.runs.restored_run import RestoredRun
from tf_marscf.sampling.image_grid import spread_grey_levels
from tf_marscf.sampling.sample_stream import SampleStream, check_sampling_arguments

_DEFAULT_BATCH_SIZE = 100
_RULES = {"dataset": text(), "split": text(), "checkpoint": text(), "seed": integer()}
_QUALITY_RULES = {
    "fid": optional(number()),
    "kid": optional(entries(mean=number(), standard_error=optional(number(0.0)))),
    "inception_score": optional(entries(mean=number(), standard_deviation=optional(number(0.0)))),
    "num_samples": integer(1),
    "num_non_finite": integer(),
    "num_reference_images": integer(),
    "feature_extractor": text(),
    "feature_input": text(),
    "reference_split": text(),
    "temperature": number(0.0),
}


def check_evaluation(content):
    """Checks what the JSON file of an evaluation holds, a dict.

    Raises:
        InputError: naming what is missing or wrong.
    """
    BitsPerDim.from_dict(content)
    check_entries(content, _RULES)
    if content.get("quality") is not None:
        check_entries(content["quality"], _QUALITY_RULES, "quality")


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


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """What `write_evaluation` found, a dict, and the file that holds it."""

    content: dict
    json_path: str

    def to_dict(self):
        """The dict; JSON can hold it."""
        return self.content


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
    make_extractor=None,
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
        make_extractor: called without arguments for another `FeatureExtractor` than that which
            `quality` makes.
        json_path: default: TRAIN_DIR/evaluation_SPLIT.json, for another data set than that of
            training TRAIN_DIR/evaluation_DATASET_SPLIT.json.
        report: called with each line of text.
        progress: whether to show a progress bar, on the standard error stream.

    Returns:
        An `Evaluation`: the facts, those of `BitsPerDim.to_dict`, and "quality", None or those of
        `SampleQuality.to_dict` and of how it was measured.

    Raises:
        DataUnavailableError, RunError: if something outside of the program is wrong, or nothing
            can be written.
        InputError: if an argument is wrong.
    """
    train_dir = local_path("train_dir", train_dir)
    check_sampling_arguments(num_samples=num_samples, seed=seed)
    if batch_size is not None:
        check_sampling_arguments(batch_size=batch_size)
    if json_path is not None:
        json_path = output_file("json", json_path)
    run = EvaluationRun(train_dir, which, dataset, data_dir)
    run.images_of(split)
    if json_path is None:
        name = split if run.is_of_training else f"{run.dataset.name.replace('/', '_')}_{split}"
        json_path = output_file("train_dir", os.path.join(train_dir, f"evaluation_{name}.json"))
    if quality is not None:
        run.images_of(quality.reference_split, "reference_split")
        extractor = (make_extractor or quality.make_extractor)()
        feature_input = extractor.describe_input(run.dataset.image_shape)
        run.check_extractor(extractor, quality)
    bits_per_dim = run.run(split, batch_size, num_samples, seed)
    report(
        f"{split} bits/dim {bits_per_dim} "
        f"({bits_per_dim.num_images} images, {num_samples} draws of noise an image)"
    )
    report(f"terms: {bits_per_dim.terms_line()}")
    content = {
        "dataset": run.dataset.name,
        "split": split,
        "checkpoint": which,
        "weights": run.weights,
        "seed": seed,
        **bits_per_dim.to_dict(),
        "quality": None,
    }
    if quality is not None:
        report(f"features: {extractor.name}; images {feature_input}")
        measured = run.quality(extractor, quality, seed, progress)
        for line in measured.lines():
            report(line)
        content["quality"] = measured.to_dict() | {
            "feature_input": feature_input,
            "reference_split": quality.reference_split,
            "temperature": quality.temperature,
            "kid_block_size": quality.kid_block_size,
            "pixel_range": [float(value) for value in quality.pixel_range],
        }
    write_json(json_path, content)
    return Evaluation(content, json_path)
