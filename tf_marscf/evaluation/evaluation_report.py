"""Bits/dim of a training directory's model and quality of its samples, reported and written."""

import math

from tf_marscf.data import collect_images, evaluation_pipeline
from tf_marscf.distributions.sampling_arguments import temperature_by_level
from tf_marscf.evaluation.bits_per_dim import BitsPerDim, mean_bits_per_dim
from tf_marscf.evaluation.classification import Classification, score_rows
from tf_marscf.evaluation.image_scores import score_images
from tf_marscf.evaluation.stored_scores import default_json_path, scores_entry
from tf_marscf.files.atomic_file import write_csv, write_json
from tf_marscf.files.paths import output_file
from tf_marscf.progress import watched
from tf_marscf.quality.sample_quality import check_features, evaluate_sample_quality
from tf_marscf.rules import (
    check_entries,
    entries,
    integer,
    number,
    number_by_level,
    optional,
    text,
)
from tf_marscf.runs.restored_run import RestoredRun
from tf_marscf.sampling.image_grid import spread_grey_levels
from tf_marscf.sampling.sample_stream import SampleStream

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
    "temperature": number_by_level(0.0),
}


def check_evaluation(content):
    """Checks what the JSON file of an evaluation holds; `InputError` names what is wrong."""
    BitsPerDim.from_dict(content)
    check_entries(content, _RULES)
    if "log_det_error_bound" in content:
        check_entries(content, {"log_det_error_bound": number(0.0)})
    if content.get("classes") is not None:
        Classification.from_dict(content["classes"])
    if content.get("quality") is not None:
        check_entries(content["quality"], _QUALITY_RULES, "quality")


def write_evaluation(config, quality=None, extractor=None, report=print, progress=True):
    """Evaluates a model, reports each result as soon as it is there, and writes a JSON file.

    Everything that can be wrong with an argument is found before the first image is scored.

    Args:
        config: an `EvaluationConfig`.
        quality: a `QualityConfig`, or None for bits/dim alone.
        extractor: another `FeatureExtractor` than that which `quality` makes, or None.
        report: called with each line of text.
        progress: whether to show how far it is, on the standard error stream.

    Returns:
        What the JSON file holds, a dict, and its path. The dict has the facts, those of
        `BitsPerDim.to_dict`, of a model with classes "classes", those of `Classification.to_dict`,
        and "quality", None or those of `SampleQuality.to_dict` and of how it
        was measured.

    Raises:
        DataUnavailableError, RunError: if something outside of the program is wrong, or nothing
            can be written.
        InputError: if an argument is wrong.
    """
    run = RestoredRun(config)
    run.images_of(config.split)
    if config.json is None:
        json_path = output_file("train_dir", default_json_path(run, config.split))
    else:
        json_path = output_file("json", config.json)
    scores_path = None if config.scores is None else output_file("scores", config.scores)
    if quality is not None:
        temperature_by_level(quality.temperature, run.run_config.model.num_levels)
        references = run.images_of(quality.reference_split, "reference_split")
        extractor = extractor or quality.make_extractor()
        feature_input = extractor.describe_input(run.dataset.image_shape)
        images = collect_images(references, min(2, int(references.cardinality())))
        images = spread_grey_levels(images, run.dataset.num_grey_levels)
        check_features(extractor(images), extractor.name, quality.metrics)
    scores, num_dimensions = score_split(run, progress), math.prod(run.dataset.image_shape)
    bits_per_dim = mean_bits_per_dim(scores)
    report(
        f"{config.split} bits/dim {bits_per_dim} "
        f"({bits_per_dim.num_images} images, {config.num_samples} draws of noise an image)"
    )
    report(f"terms: {bits_per_dim.terms_line()}")
    series = _series_facts(run, num_dimensions)
    if series:
        report(
            "log-dets are series with terms left out: off by at most "
            f"{series['log_det_error_bound']:.2g} bits/dim, and by what estimated traces are"
        )
    classes = {}
    if scores.labels is not None:
        classification = Classification.of(scores, num_dimensions)
        report(classification.line())
        classes["classes"] = classification.to_dict()
    stored = {}
    if scores_path is not None:
        rows = score_rows(scores, num_dimensions)
        write_csv(scores_path, list(rows[0]), rows)
        report(f"scores of the images: {scores_path}")
        stored["scores"] = scores_entry(json_path, scores_path)
    content = {
        "dataset": run.dataset.name,
        "split": config.split,
        "checkpoint": config.checkpoint,
        "weights": run.weights,
        "seed": config.seed,
        **bits_per_dim.to_dict(),
        **series,
        **classes,
        **stored,
        "quality": None,
    }
    if quality is not None:
        report(f"features: {extractor.name}; images {feature_input}")
        measured = _measure_quality(run, quality, extractor, references, progress)
        for line in measured.lines():
            report(line)
        content["quality"] = measured.to_dict() | {
            "feature_input": feature_input,
            "reference_split": quality.reference_split,
            "temperature": quality.to_dict()["temperature"],
            "kid_block_size": quality.kid_block_size,
            "pixel_range": [float(value) for value in quality.pixel_range],
        }
    write_json(json_path, content)
    return content, json_path


def _series_facts(run, num_dimensions):
    """Of a model whose log-dets are series, the entry "log_det_error_bound", in bits/dim."""
    bound = float(run.images_distribution.distribution.log_det_error_bound())
    return {"log_det_error_bound": bound / (num_dimensions * math.log(2.0))} if bound else {}


def measure_bits_per_dim(run):
    """The `BitsPerDim` that a `RestoredRun` with an `EvaluationConfig` asks for."""
    return mean_bits_per_dim(score_split(run))


def score_split(run, progress=False):
    """The `ImageScores` that a `RestoredRun` with an `EvaluationConfig` asks for.

    `progress`: whether to show how far it is, on the standard error stream.
    """
    config = run.config
    training = run.run_config.training or {}
    batch_size = config.batch_size or training.get("evaluation_batch_size", _DEFAULT_BATCH_SIZE)
    examples = run.examples_of(config.split)
    batches = evaluation_pipeline(examples, batch_size)
    num_batches = math.ceil(int(examples.cardinality()) / batch_size)
    batches = watched(batches, num_batches, f"scoring {config.split} images", "batches", progress)
    return score_images(
        run.images_distribution, batches, config.num_samples, config.seed, config.jit_compile
    )


def _measure_quality(run, quality, extractor, references, progress):
    """The `SampleQuality` of samples 0, 1, ... of the seed, as `bin/sample.py` draws them."""
    num_references = int(references.cardinality())
    num_samples = quality.num_images or num_references
    batch_size = min(quality.batch_size, num_samples)
    stream = SampleStream(
        run.images_distribution, run.config.seed, batch_size, jit_compile=run.config.jit_compile
    )
    return evaluate_sample_quality(
        extractor,
        watched(
            stream.batches(num_samples, temperature=quality.temperature),
            math.ceil(num_samples / batch_size),
            "sample quality",
            "batches",
            progress,
        ),
        num_samples,
        evaluation_pipeline(references, quality.batch_size).as_numpy_iterator(),
        num_references,
        quality,
        run.dataset.num_grey_levels,
    )
