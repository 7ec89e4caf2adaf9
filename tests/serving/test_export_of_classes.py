"""Exports of models with classes, whose requests hold labels."""

import numpy as np
import pytest
import tensorflow as tf

import tf_marscf
from tests.served_requests import pixels
from tests.small_models import small_model
from tf_marscf.serving.check_saved_model import check_saved_model
from tf_marscf.serving.export import export_model

LABELS = np.array([2, 0, 1], np.int32)


@pytest.fixture(scope="module", name="version")
def fixture_version(tmp_path_factory):
    """`(path of the version, distribution)`."""
    directory = tmp_path_factory.mktemp("export")
    model = small_model(prior="gaussian", num_classes=3)
    distribution = tf_marscf.Dequantized(model, num_grey_levels=17)
    tf_marscf.save(distribution, directory / "run")
    return export_model(directory / "run", directory / "served"), distribution


@pytest.fixture(scope="module", name="exported")
def fixture_exported(version):
    """`(signatures, distribution)`."""
    return tf.saved_model.load(str(version[0])).signatures, version[1]


def call(served, signature, **inputs):
    return served[signature](**{name: tf.constant(value) for name, value in inputs.items()})


def sample_request(labels=LABELS, seed=7):
    return {"labels": labels, "seed": np.int32(seed), "temperature": np.float32(1.0)}


def test_densities_are_given_the_labels(exported):
    served, distribution = exported
    values = distribution.dequantize(pixels(3), seed=1)
    np.testing.assert_allclose(
        call(served, "log_prob_float", values=values, labels=LABELS)["log_prob"],
        distribution.distribution.log_prob(values, label=LABELS),
        rtol=1e-5,
    )
    scores = call(served, "serving_default", images=pixels(3), labels=LABELS)["log_prob"]
    alone = call(served, "serving_default", images=pixels(3)[1:2], labels=LABELS[1:2])
    np.testing.assert_allclose(scores[1:2], alone["log_prob"], rtol=1e-5)
    other = call(served, "serving_default", images=pixels(3), labels=LABELS[::-1].copy())
    assert np.any(np.abs(other["log_prob"] - scores) > 1e-3)


def test_samples_are_those_of_the_model(exported):
    served, distribution = exported
    images = call(served, "sample", **sample_request())["images"]
    assert np.mean(images != distribution.sample(3, seed=7, label=LABELS)) <= 0.01


def test_each_signature_passes_its_check(version):
    lines = []
    check_saved_model(*version, lines.append)
    assert len(lines) == 5


def test_latents_need_no_label(exported):
    served, _ = exported
    latents = call(served, "encode", images=pixels(2))["latents"]
    np.testing.assert_array_equal(call(served, "decode", latents=latents)["images"], pixels(2))


def test_empty_batches_give_empty_answers(exported):
    served, _ = exported
    images, labels = np.zeros([0, 8, 8, 1], np.uint8), np.zeros([0], np.int32)
    answer = call(served, "serving_default", images=images, labels=labels)
    assert answer["log_prob"].shape == (0,)


@pytest.mark.parametrize(
    ("signature", "inputs", "message"),
    [
        ("serving_default", {"images": pixels(2), "labels": LABELS}, "`labels` must be one an im"),
        ("serving_default", {"images": pixels(3), "labels": LABELS[:1]}, "`labels` must be one an"),
        (
            "serving_default",
            {"images": pixels(3), "labels": LABELS + 1},
            "must be from 0 to 2; got",
        ),
        (
            "serving_default",
            {"images": pixels(3), "labels": LABELS - 1},
            "must be from 0 to 2; got",
        ),
        ("sample", sample_request(LABELS + 1), "`labels` must be from 0 to 2; got"),
        ("sample", sample_request(LABELS[:0]), "`num_samples` must be an integer >= 1"),
        ("sample", sample_request(LABELS.astype(np.int64)), "expected to be a"),
    ],
)
def test_bad_requests_are_refused(exported, signature, inputs, message):
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        call(exported[0], signature, **inputs)


def test_an_export_without_its_labels_is_no_request(exported):
    with pytest.raises(TypeError, match="labels"):
        call(exported[0], "serving_default", images=pixels(1))
