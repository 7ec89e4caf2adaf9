"""Feature extractors of files that are damaged, that are programs, or that give no features."""

import os

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.small_extractors import random_images, small_classifier
from tf_marscf.errors import InputError, RunError
from tf_marscf.quality.inception_feature_extractor import InceptionFeatureExtractor
from tf_marscf.quality.keras_feature_extractor import KerasFeatureExtractor


def damaged(content, kind, generator):
    """A file that a bit was flipped in, or that was cut, or overwritten in its middle."""
    content = bytearray(content)
    place = int(generator.integers(len(content)))
    if kind == "cut":
        return bytes(content[:place])
    if kind == "overwritten":
        content[place : place + 64] = generator.bytes(64)
    else:
        content[place] ^= 1 << int(generator.integers(8))
    return bytes(content)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["flipped", "cut", "overwritten"])
@pytest.mark.parametrize("ending", [".keras", ".h5", "saved_model"])
def test_a_damaged_file_is_named_in_one_short_line(tmp_path, ending, kind):
    model = small_classifier()
    if ending == "saved_model":
        path, part = tmp_path / "model", tmp_path / "model" / "saved_model.pb"
        model.export(path, verbose=False)
    else:
        path = part = tmp_path / f"model{ending}"
        model.save(path)
    whole = part.read_bytes()
    generator = np.random.default_rng(0)
    for _ in range(8):
        part.write_bytes(damaged(whole, kind, generator))
        try:
            KerasFeatureExtractor(path)(random_images(2))
        except (InputError, RunError) as error:
            assert len(str(error)) < 800
            assert "\n" not in str(error)


def test_an_empty_file_and_text_are_named(tmp_path):
    for name in ("model.txt", "model"):
        (tmp_path / name).write_bytes(b"")
        with pytest.raises(InputError, match="must be a file that ends with one of .*'.keras'"):
            KerasFeatureExtractor(tmp_path / name)
    for name in ("model.keras", "model.h5"):
        for content in (b"", b"PK\x03\x04", b"\x89HDF\r\n\x1a\n" + bytes(100)):
            (tmp_path / name).write_bytes(content)
            with pytest.raises(InputError, match="cannot be read as a Keras model"):
                KerasFeatureExtractor(tmp_path / name)


@pytest.mark.parametrize("ending", [".keras", ".h5"])
def test_python_code_in_a_model_is_not_run(tmp_path, ending):
    model = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Lambda(lambda images: images)])
    path = tmp_path / f"model{ending}"
    model.save(path)
    with pytest.raises(InputError, match="holds Python code.* is not run") as raised:
        KerasFeatureExtractor(path)
    assert "enable" not in str(raised.value)
    assert len(str(raised.value)) < 300


def test_pipes_and_devices_are_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe.keras")
    (tmp_path / "model").mkdir()
    os.mkfifo(tmp_path / "model" / "saved_model.pb")
    (tmp_path / "zero.keras").symlink_to("/dev/zero")
    for name in ("pipe.keras", "model", "zero.keras"):
        with pytest.raises(InputError, match="`feature_extractor` must be of regular files"):
            KerasFeatureExtractor(tmp_path / name)
    with pytest.raises(InputError, match="`inception_weights` must be a file"):
        InceptionFeatureExtractor(tmp_path / "pipe.keras")


class Strange(tf.Module):
    """A program that takes images, and gives what a test wants."""

    def __init__(self, outputs):
        super().__init__()
        self._outputs = outputs

    @tf.function(input_signature=[tf.TensorSpec([None, 8, 8, 1], tf.uint8)])
    def __call__(self, images):
        return {"features": self._outputs(images)}


@pytest.mark.parametrize(
    ("outputs", "error", "message"),
    [
        (lambda images: tf.zeros([1, 3]), InputError, "a row of numbers for each of 5 images"),
        (lambda images: tf.constant(1.0), InputError, "a row of numbers for each of 5 images"),
        (lambda images: tf.as_string(images), InputError, "gives string"),
        (
            lambda images: tf.debugging.check_numerics(tf.cast(images, tf.float32) / 0.0, "broken"),
            RunError,
            "cannot be computed: InvalidArgumentError",
        ),
    ],
)
def test_outputs_that_are_no_features_are_named(tmp_path, outputs, error, message):
    tf.saved_model.save(Strange(outputs), str(tmp_path / "strange"))
    with pytest.raises(error, match=message):
        KerasFeatureExtractor(tmp_path / "strange")(random_images())


def test_a_pixel_range_for_grey_levels_is_refused(tmp_path):
    tf.saved_model.save(Strange(lambda images: images), str(tmp_path / "levels"))
    with pytest.raises(InputError, match="`pixel_range` must be .* for a model that takes uint8"):
        KerasFeatureExtractor(tmp_path / "levels", pixel_range=(0, 1))
