"""Evaluation of models with classes."""

import csv
import json

import numpy as np
import pytest
import tensorflow as tf
from scipy.special import logsumexp

import tf_marscf
from tests.small_models import randomize
from tests.small_trainers import random_pixels, small_distribution
from tf_marscf.errors import InputError
from tf_marscf.evaluation.bits_per_dim import mean_bits_per_dim
from tf_marscf.evaluation.classification import Classification, predicted_labels, score_rows
from tf_marscf.evaluation.evaluation_config import EvaluationConfig
from tf_marscf.evaluation.evaluation_report import check_evaluation, write_evaluation
from tf_marscf.evaluation.image_scores import score_images
from tf_marscf.evaluation.stored_scores import read_stored_scores

NUM_CLASSES, NUM_DIMENSIONS = 10, 64
LABELS = np.array([0, 3, 9, 9, 5, 1])


@pytest.fixture(scope="module", name="distribution")
def fixture_distribution():
    distribution = small_distribution(prior="gaussian", num_classes=NUM_CLASSES)
    randomize(distribution.distribution)
    return distribution


def batches():
    return tf.data.Dataset.from_tensor_slices((random_pixels(6), LABELS)).batch(4)


@pytest.mark.parametrize("num_samples", [1, 3])
def test_scores_are_those_of_the_model(distribution, num_samples):
    scores = score_images(distribution, batches(), num_samples, seed=5)
    expected = np.concatenate(
        [
            distribution.class_log_probs(pixels, seed=[5, batch], num_samples=num_samples)
            for batch, (pixels, _) in enumerate(batches())
        ]
    )
    np.testing.assert_allclose(scores.class_log_probs, expected, rtol=1e-5)
    np.testing.assert_array_equal(scores.labels, LABELS)
    of_labels = -expected[np.arange(6), LABELS] / (NUM_DIMENSIONS * np.log(2.0))
    np.testing.assert_allclose(scores.bits_per_dim, of_labels, rtol=1e-5)
    assert mean_bits_per_dim(scores).mean == pytest.approx(of_labels.mean(), rel=1e-5)
    # Bayes' rule, and the density without labels.
    classification = Classification.of(scores, NUM_DIMENSIONS)
    is_right = expected.argmax(axis=1) == LABELS
    assert classification.accuracy == is_right.mean()
    without = -(logsumexp(expected, axis=1) - np.log(NUM_CLASSES)) / (NUM_DIMENSIONS * np.log(2.0))
    assert classification.bits_per_dim == pytest.approx(without.mean(), rel=1e-5)
    assert classification.standard_error == pytest.approx(without.std(ddof=1) / 6**0.5, rel=1e-4)
    assert classification.num_classes == NUM_CLASSES
    assert Classification.from_dict(json.loads(json.dumps(classification.to_dict()))) == (
        classification
    )
    rows = score_rows(scores, NUM_DIMENSIONS)
    np.testing.assert_allclose(
        [row["bits_per_dim_without_label"] for row in rows], without, rtol=1e-5
    )
    assert [row["predicted_label"] for row in rows] == predicted_labels(scores).tolist()
    posterior = np.exp(expected - logsumexp(expected, axis=1, keepdims=True)).max(axis=1)
    np.testing.assert_allclose([row["probability"] for row in rows], posterior, rtol=1e-3)


def test_all_classes_are_equal_in_a_new_model():
    scores = score_images(small_distribution(prior="gaussian", num_classes=3), one_batch())
    np.testing.assert_allclose(np.ptp(scores.class_log_probs, axis=1), 0.0, atol=1e-4)
    classification = Classification.of(scores, NUM_DIMENSIONS)
    assert classification.bits_per_dim == pytest.approx(scores.bits_per_dim.mean(), rel=1e-6)


def one_batch():
    return tf.data.Dataset.from_tensor_slices((random_pixels(4), np.arange(4) % 3)).batch(4)


def test_a_single_image_has_no_errors(distribution):
    scores = score_images(distribution, batches().unbatch().batch(1).take(1))
    classification = Classification.of(scores, NUM_DIMENSIONS)
    assert classification.accuracy_standard_error is classification.standard_error is None
    assert "+-" not in classification.line()


def test_an_evaluation_of_digits(distribution, tmp_path):
    run = tmp_path / "run"
    tf_marscf.save(distribution, run)
    lines, scores = [], tmp_path / "scores.csv"
    config = EvaluationConfig(train_dir=str(run), dataset="digits", scores=str(scores))
    content, path = write_evaluation(config, report=lines.append)
    check_evaluation(json.loads((tmp_path / path).read_text()))
    classes = content["classes"]
    assert 0.0 <= classes["accuracy"] <= 1.0
    assert f"accuracy of 10 classes {classes['accuracy']:.4f} +- " in lines[2]
    assert lines[3] == f"scores of the images: {scores}"
    with open(scores, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 300
    mean = np.mean([float(row["bits_per_dim"]) for row in rows])
    assert mean == pytest.approx(content["bits_per_dim"], rel=1e-9)
    mean = np.mean([float(row["bits_per_dim_without_label"]) for row in rows])
    assert mean == pytest.approx(classes["bits_per_dim"], rel=1e-9)
    is_right = [row["label"] == row["predicted_label"] for row in rows]
    assert np.mean(is_right) == pytest.approx(classes["accuracy"])
    broken = content | {"classes": classes | {"accuracy": "high"}}
    with pytest.raises(InputError, match="accuracy must be a finite number >= 0; got 'high'"):
        check_evaluation(broken)


def test_scores_without_classes(tmp_path):
    tf_marscf.save(small_distribution(prior="gaussian"), tmp_path / "run")
    config = EvaluationConfig(
        train_dir=str(tmp_path / "run"), dataset="digits", scores=str(tmp_path / "scores.csv")
    )
    content, json_path = write_evaluation(config, report=lambda line: None)
    assert "classes" not in content
    lines = (tmp_path / "scores.csv").read_text().splitlines()
    assert lines[0] == "image,bits_per_dim"
    assert len(lines) == 301
    stored, path = read_stored_scores(json_path, content["weights"])
    assert stored.mean() == pytest.approx(content["bits_per_dim"], rel=1e-9)
    assert path == str(tmp_path / "scores.csv")
