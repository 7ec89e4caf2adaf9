"""Bits/dim of a data set, and its terms."""

import copy
import json
import math

import numpy as np
import pytest
import tensorflow as tf

import tf_marscf
from tests.small_extractors import MeanAndSpread
from tests.small_models import randomize
from tests.small_trainers import random_pixels, small_distribution, variational_distribution
from tf_marscf.errors import InputError, RunError
from tf_marscf.evaluation.bits_per_dim import BitsPerDim, evaluate_bits_per_dim
from tf_marscf.evaluation.evaluation_config import EvaluationConfig
from tf_marscf.evaluation.evaluation_report import write_evaluation
from tf_marscf.figures import render_png
from tf_marscf.quality.quality_config import QualityConfig
from tf_marscf.reporting.evaluation_section import draw_bits_per_dim_terms
from tf_marscf.runs.restored_run import RestoredRun


@pytest.fixture(scope="module", name="distribution")
def fixture_distribution():
    distribution = small_distribution(prior="gaussian")
    randomize(distribution.distribution)
    return distribution


def digits_config(directory, **options):
    return EvaluationConfig(train_dir=directory, dataset="digits", **options)


def batches(num_images=10, batch_size=4):
    return tf.data.Dataset.from_tensor_slices(random_pixels(num_images)).batch(batch_size)


@pytest.mark.parametrize("num_samples", [1, 3])
def test_terms_add_up_to_bits_per_dim(distribution, num_samples):
    result = evaluate_bits_per_dim(distribution, batches(), num_samples, seed=5)
    expected = np.concatenate(
        [
            distribution.bits_per_dim(pixels, seed=[5, batch], num_samples=num_samples)
            for batch, pixels in enumerate(batches())
        ]
    )
    assert result.mean == pytest.approx(expected.mean(), rel=1e-6)
    assert result.standard_error == pytest.approx(expected.std(ddof=1) / 10**0.5, rel=1e-5)
    assert sum(result.terms.values()) == result.mean
    assert sum(result.log_det_by_level) == pytest.approx(result.terms["log_det"], rel=1e-12)
    assert list(result.terms) == [
        "grey_levels", "log_det", "prior_level_1", "prior_level_2", "importance_weighting",
    ]  # fmt: skip
    assert result.terms["grey_levels"] == math.log2(17)
    assert json.loads(json.dumps(result.to_dict()))["bits_per_dim"] == result.mean


@pytest.mark.parametrize("num_samples", [1, 3])
def test_learned_noise_has_a_term_of_its_own(num_samples):
    images = variational_distribution(prior="gaussian")
    randomize(images.distribution)
    randomize(images.dequantizer, scale=0.2)
    result = evaluate_bits_per_dim(images, batches(), num_samples, seed=5)
    expected = np.concatenate(
        [
            images.bits_per_dim(pixels, seed=[5, batch], num_samples=num_samples)
            for batch, pixels in enumerate(batches())
        ]
    )
    assert result.mean == pytest.approx(expected.mean(), rel=1e-6)
    assert sum(result.terms.values()) == result.mean
    assert list(result.terms)[-2:] == ["dequantization", "importance_weighting"]
    assert result.terms["dequantization"] > 0.0  # The mean of log q is a Kullback-Leibler distance.
    content = json.loads(json.dumps(result.to_dict()))
    assert BitsPerDim.from_dict(content) == result
    wrong = content["terms"] | {"dequantization": content["terms"]["dequantization"] + 0.1}
    with pytest.raises(InputError, match="terms must add up"):
        BitsPerDim.from_dict(content | {"terms": wrong})


def test_terms_of_one_draw_are_those_of_the_model(distribution):
    result = evaluate_bits_per_dim(distribution, batches(4), seed=5)
    (pixels,) = batches(4)
    noise_seed = tf.random.split(tf.constant([5, 0]), 1, alg="philox")[0]
    images = distribution.dequantize(pixels, seed=noise_seed)
    log_priors, log_dets = distribution.distribution.log_prob_parts(images)
    unit = -1.0 / (64 * math.log(2.0))
    for level in range(2):
        prior = unit * float(tf.reduce_mean(log_priors[level]))
        assert result.terms[f"prior_level_{level + 1}"] == pytest.approx(prior, rel=1e-5)
        log_det = unit * float(tf.reduce_mean(log_dets[level]))
        assert result.log_det_by_level[level] == pytest.approx(log_det, rel=1e-5)
    assert result.terms["importance_weighting"] == 0.0


def test_many_draws_gain_and_never_lose(distribution):
    """By Jensen's inequality, for each image."""
    one, many = (
        evaluate_bits_per_dim(distribution, batches(), num_samples) for num_samples in (1, 4)
    )
    assert many.terms["importance_weighting"] < 0.0
    # The other terms are means over draws: those of one draw, up to chance.
    for name in ("log_det", "prior_level_1", "prior_level_2"):
        assert many.terms[name] == pytest.approx(one.terms[name], abs=0.2)


def test_a_score_that_is_not_finite_is_an_error(distribution, monkeypatch):
    parts = distribution.distribution.log_prob_parts

    def log_prob_parts(images):
        log_priors, log_dets = parts(images)
        is_last = tf.range(tf.shape(images)[0]) == 3
        return (tf.where(is_last, np.nan, log_priors[0]), *log_priors[1:]), log_dets

    monkeypatch.setattr(distribution.distribution, "log_prob_parts", log_prob_parts, raising=False)
    with pytest.raises(RunError, match="bits/dim of 2 of 10 images is not finite"):
        evaluate_bits_per_dim(distribution, batches())
    with pytest.raises(ValueError, match="`num_samples` must be an integer >= 1; got 0"):
        evaluate_bits_per_dim(distribution, batches(), num_samples=0)


def test_figures_are_drawn_in_both_themes(distribution):
    result = evaluate_bits_per_dim(distribution, batches(), num_samples=2)
    for theme in ("light", "dark"):
        terms = render_png(lambda figure: draw_bits_per_dim_terms(figure, result), theme=theme)
        assert tf.io.decode_png(terms).numpy().std() > 10


@pytest.fixture(scope="module", name="directory")
def fixture_directory(distribution, tmp_path_factory):
    directory = tmp_path_factory.mktemp("evaluation") / "model"
    tf_marscf.save(distribution, directory)
    return directory


def test_evaluation_is_reported_and_written(directory):
    lines = []
    found, json_path = write_evaluation(
        digits_config(directory),
        quality=QualityConfig(num_images=20, kid_block_size=5),
        extractor=MeanAndSpread(),
        report=lines.append,
        progress=False,
    )
    kinds = ["test", "terms:", "features:", "FID", "KID", "Inception"]
    assert [line.split()[0] for line in lines] == kinds
    # Another data set than that of training, which a saved model does not know, is named.
    assert json_path == str(directory / "evaluation_digits_test.json")
    content = json.loads((directory / "evaluation_digits_test.json").read_text())
    assert content == found
    assert content["bits_per_dim"] == sum(content["terms"].values())
    assert content["quality"]["num_samples"] == 20
    assert content["quality"]["num_reference_images"] == 300
    assert content["quality"]["reference_split"] == "test"
    assert content["quality"]["kid"]["num_blocks"] == 4


def test_wrong_arguments_are_found_before_the_first_image_is_scored(directory):
    def fail(line):
        raise AssertionError(line)

    for arguments, message in (
        ({"split": "nothing"}, "`split` must be one of"),
        ({"num_samples": 0}, "`num_samples`"),
    ):
        with pytest.raises(ValueError, match=message):
            write_evaluation(digits_config(directory, **arguments), report=fail)
    for arguments, message in (
        ({"temperature": float("nan")}, "`temperature` must be finite"),
        ({"num_images": 1}, "`num_images` must be an integer >= 2; got 1"),
        ({"num_splits": 0}, "`num_splits`"),
        ({"reference_split": "nothing"}, "`reference_split` must be one"),
        ({"metrics": ("fid", "psnr")}, "`metrics` must be some of"),
    ):
        with pytest.raises(ValueError, match=message):
            QualityConfig(**arguments)
    with pytest.raises(ValueError, match="`reference_split` must be one of .*; got 'all'"):
        RestoredRun(digits_config(directory)).images_of("all", "reference_split")


def test_graphs_have_a_static_batch_size_and_do_not_grow_with_the_draws(distribution, monkeypatch):
    """Only batches of known size are computed in parts; the last one is filled up."""
    shapes = []
    parts = distribution.distribution.log_prob_parts

    def log_prob_parts(images):
        shapes.append(images.shape.as_list())
        return parts(images)

    monkeypatch.setattr(distribution.distribution, "log_prob_parts", log_prob_parts, raising=False)
    for num_samples in (1, 5):
        evaluate_bits_per_dim(distribution, batches(), num_samples)
    # Traced once each, whatever the number of draws and the size of the last batch.
    assert shapes == [[4, 8, 8, 1]] * 2


def test_images_that_fill_up_a_batch_change_nothing(distribution):
    """A last batch of two images has the scores of these two alone, with its noise."""
    (*_, last) = batches()
    whole = evaluate_bits_per_dim(distribution, batches(), seed=5)
    first = evaluate_bits_per_dim(distribution, batches().take(2), seed=5)
    scores = distribution.bits_per_dim(last, seed=[5, 2])
    expected = (8 * first.mean + float(tf.reduce_sum(scores))) / 10
    assert (whole.num_images, first.num_images) == (10, 8)
    assert whole.mean == pytest.approx(expected, rel=1e-6)


@pytest.fixture(scope="module", name="one_result")
def fixture_one_result(distribution):
    return evaluate_bits_per_dim(distribution, batches(4)).to_dict()


@pytest.mark.parametrize("entry", ["bits_per_dim", "standard_error", "num_images", "num_samples",
                                   "terms", "log_det_by_level"])  # fmt: skip
@pytest.mark.parametrize("value", [None, True, "1", [], {}, [1.0], math.nan, -1, 10**400])
def test_entries_of_other_kinds_are_named(one_result, entry, value):
    result = copy.deepcopy(one_result)
    assert BitsPerDim.from_dict(json.loads(json.dumps(result))).to_dict() == result
    if (entry, value) == ("standard_error", None):
        return
    with pytest.raises(InputError, match=f"{entry}|terms must"):
        BitsPerDim.from_dict(result | {entry: value})
    del result[entry]
    with pytest.raises(InputError, match=f"must have an entry {entry!r}"):
        BitsPerDim.from_dict(result)


def test_a_changed_digit_is_found(one_result):
    result = one_result
    for name in result["terms"]:
        changed = result["terms"] | {name: result["terms"][name] + 1e-6}
        with pytest.raises(InputError, match="must add up"):
            BitsPerDim.from_dict(result | {"terms": changed})
    with pytest.raises(InputError, match="terms must be those of 2 levels"):
        BitsPerDim.from_dict(result | {"terms": {}})


def test_places_that_cannot_be_written_are_found_before_the_first_image_is_scored(
    directory, tmp_path
):
    def fail(line):
        raise AssertionError(line)

    for path in (tmp_path, "", "/dev/null", tmp_path / "a[1].json"):
        with pytest.raises(InputError, match="`json`"):
            write_evaluation(digits_config(directory, json=path), report=fail)


def test_an_extractor_that_lacks_an_output_is_found_before_the_first_image_is_scored(directory):
    def fail(line):
        raise AssertionError(line)

    for missing, message in (("has_features", "features for FID"), ("has_probabilities", "class")):
        with pytest.raises(InputError, match=message):
            write_evaluation(
                digits_config(directory), QualityConfig(), MeanAndSpread(**{missing: False}),
                report=fail,
            )  # fmt: skip
