"""Learned dequantization noise in training, checkpoints and what reads them."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

import tf_marscf
from tests.event_log import read_scalars
from tests.small_trainers import (
    MODEL_OPTIONS,
    SIMPLE_OPTIONS,
    random_pixels,
    small_distribution,
    small_trainer,
    variational_distribution,
    weights_of,
)
from tf_marscf.config import DequantizationConfig
from tf_marscf.data import DataConfig
from tf_marscf.errors import InputError, RunError
from tf_marscf.runs.checkpoint_store import CheckpointStore
from tf_marscf.runs.run_config import RunConfig
from tf_marscf.runs.trained_model import restore_model
from tf_marscf.serving.export import export_model
from tf_marscf.stateless_seed import stateless_normal
from tf_marscf.training.training_config import TrainingConfig, tiny_dequantization
from tf_marscf.training.training_run import TrainingRun
from tf_marscf.training.weight_average import WeightAverage

VARIATIONAL = DequantizationConfig(
    dequantization="variational", dequantizer_num_steps=1, dequantizer_hidden_channels=4
)


def run_of(directory, dequantization=VARIATIONAL, num_epochs=2, initial_weights=None):
    return TrainingRun(
        str(directory),
        DataConfig(name="digits", max_images=60, num_validation_images=12),
        MODEL_OPTIONS | SIMPLE_OPTIONS,
        TrainingConfig(
            batch_size=16, num_epochs=num_epochs, warm_up_images=16, learning_rate=5e-3,
            average_decay=0.5, log_every=1, num_sample_images=4, sample_every=0,
        ),
        progress="none",
        initial_weights=initial_weights,
        dequantization=dequantization,
    )  # fmt: skip


@pytest.fixture(scope="module", name="directory")
def fixture_directory(tmp_path_factory):
    """Of a finished run."""
    directory = tmp_path_factory.mktemp("variational") / "run"
    run_of(directory).run()
    return directory


def latest_weights(directory):
    path = CheckpointStore(directory, "latest").paths()[0]
    reader = tf.train.load_checkpoint(str(path / "checkpoint"))
    names = reader.get_variable_to_shape_map()
    return {name: reader.get_tensor(name) for name in names if "OBJECT_GRAPH" not in name}


def test_a_new_dequantizer_takes_the_step_of_uniform_noise_with_the_same_u():
    """The gradients of the density's weights are those that uniform noise Phi(v) gives."""
    images = variational_distribution(dtype="float64", **SIMPLE_OPTIONS)
    pixels = random_pixels(4)
    noise = images.noise(pixels, seed=1)
    values, _ = images.dequantizer.transform_noise(noise, pixels)
    uniform = tf_marscf.Dequantized(images.distribution, 17)
    gradients = []
    for distribution, draw in ((images, noise), (uniform, values)):
        with tf.GradientTape() as tape:
            continuous, log_noise_prob = distribution.dequantize_with(draw, pixels)
            bound = images.distribution.log_prob(continuous) - log_noise_prob
        gradients.append(tape.gradient(bound, images.distribution.trainable_variables))
    for one, other in zip(*gradients, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-9)


def test_terms_of_a_step_add_up_to_bits_per_dim():
    trainer = small_trainer(variational_distribution(), run_eagerly=True)
    trainer.fit(random_pixels(8), batch_size=4, shuffle=False, verbose=0)
    values = dict(zip(trainer.value_names, trainer.step_values.numpy(), strict=True))
    terms = sum(value for name, value in values.items() if "level" in name)
    terms += values["dequantization_bits_per_dim"]
    assert values["bits_per_dim"] == pytest.approx(terms + np.log2(17), rel=1e-6)
    assert values["dequantization_bits_per_dim"] != 0.0


def test_accumulated_parts_take_the_step_of_the_whole_batch():
    results = []
    for parts in (1, 2):
        images = variational_distribution(dtype="float64", **SIMPLE_OPTIONS)
        before = weights_of(images.dequantizer)
        trainer = small_trainer(images, keras.optimizers.SGD(0.1), num_accumulated_parts=parts)
        trainer.fit(random_pixels(8), batch_size=8, shuffle=False, verbose=0)
        results.append(weights_of(images))
        changes = zip(before, weights_of(images.dequantizer), strict=True)
        assert any(np.any(one != other) for one, other in changes)
    for whole, part in zip(*results, strict=True):
        np.testing.assert_allclose(whole, part, atol=1e-12)


def test_average_and_keras_files_hold_the_noise(tmp_path):
    images, averaged = (variational_distribution(seed=seed, **SIMPLE_OPTIONS) for seed in (0, 1))
    average = WeightAverage(images, averaged, decay=0.5)
    average.start()
    trainer = small_trainer(images, run_eagerly=True, weight_average=average)
    trainer.fit(random_pixels(8), batch_size=4, verbose=0)
    pairs = zip(weights_of(images.dequantizer), weights_of(averaged.dequantizer), strict=True)
    assert any(np.any(one != other) for one, other in pairs)
    trainer.save(tmp_path / "trainer.keras")
    loaded = keras.models.load_model(tmp_path / "trainer.keras")
    for one, other in zip(loaded.get_weights(), trainer.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    pixels = random_pixels(3)
    np.testing.assert_array_equal(loaded(pixels), trainer(pixels))
    assert np.any(loaded(pixels) != tf_marscf.Dequantized(images.distribution, 17).log_prob(pixels))


def test_keras_sees_every_weight():
    images = variational_distribution()
    layer = tf_marscf.DensityLayer(images)
    assert {id(weight.value) for weight in layer.weights} >= {*map(id, images.variables)}
    trainable = {id(weight.value) for weight in layer.trainable_weights}
    assert trainable == {*map(id, images.trainable_variables)}
    assert len({weight.path for weight in layer.weights}) == len(layer.weights)
    layer.initialize(random_pixels(32))
    pixels = random_pixels(2)
    np.testing.assert_array_equal(layer(pixels), layer(pixels))


def test_events_and_results_have_the_noise(directory):
    train = read_scalars(directory / "logs" / "train")
    assert len(train["dequantization_bits_per_dim"]) == 6
    results = json.loads((directory / "results.json").read_text())
    config = RunConfig.load(directory)
    assert config.dequantization == VARIATIONAL
    images = tf_marscf.load(directory)
    trainable = sum(part.shape.num_elements() for part in images.trainable_variables)
    assert results["num_parameters"] == config.num_parameters == trainable


def test_a_run_in_two_sittings_ends_with_the_weights_of_one(directory, tmp_path):
    for num_epochs in (1, 2):
        run_of(tmp_path / "run", num_epochs=num_epochs).run()
    expected, actual = latest_weights(directory), latest_weights(tmp_path / "run")
    assert expected.keys() == actual.keys()
    assert any(name.startswith("average_dequantizer/") for name in expected)
    for name, value in expected.items():
        np.testing.assert_array_equal(actual[name], value, err_msg=name)


@pytest.mark.parametrize(
    ("dequantization", "message"),
    [
        (None, "another dequantization: dequantization was 'variational' and is 'uniform'"),
        (
            DequantizationConfig(dequantization="variational"),
            "another dequantization: dequantizer_num_steps was 1 and is 4",
        ),
    ],
)
def test_a_run_does_not_go_on_with_other_noise(directory, dequantization, message):
    before = (directory / "config.json").read_bytes()
    with pytest.raises(RunError, match=message):
        run_of(directory, dequantization)
    assert (directory / "config.json").read_bytes() == before


def test_a_checkpoint_without_the_noise_is_refused(tmp_path):
    tf_marscf.save(small_distribution(**SIMPLE_OPTIONS), tmp_path / "uniform")
    config = json.loads((tmp_path / "uniform" / "config.json").read_text())
    config["dequantization"] = VARIATIONAL.to_dict()
    (tmp_path / "uniform" / "config.json").write_text(json.dumps(config))
    with pytest.raises(InputError, match="holds no checkpoint of the model that its config"):
        tf_marscf.load(tmp_path / "uniform")


def test_saved_loaded_and_exported(directory, tmp_path):
    images, pixels = restore_model(RunConfig.load(directory), directory), random_pixels(5)
    tf_marscf.save(images, tmp_path / "saved")
    for loaded in (tf_marscf.load(directory), tf_marscf.load(tmp_path / "saved")):
        np.testing.assert_array_equal(
            loaded.bits_per_dim(pixels, seed=1), images.bits_per_dim(pixels, seed=1)
        )
    path = export_model(tmp_path / "saved", tmp_path / "served")
    score = tf.saved_model.load(str(path)).signatures["serving_default"]
    scores = score(images=tf.constant(pixels))["log_prob"]
    noise = tf.broadcast_to(stateless_normal([8, 8, 1], 20200620, tf.float32), pixels.shape)
    continuous, log_noise_prob = images.dequantize_with(noise, pixels)
    expected = images.distribution.log_prob(continuous) - log_noise_prob - 64 * np.log(17.0)
    np.testing.assert_allclose(scores, expected, rtol=1e-5)
    alone = score(images=tf.constant(pixels[3:4]))["log_prob"]
    np.testing.assert_allclose(scores[3:4], alone, rtol=1e-5)
    np.testing.assert_array_equal(
        tf_marscf.load(path).bits_per_dim(pixels, seed=1), images.bits_per_dim(pixels, seed=1)
    )


def test_weights_without_noise_are_where_a_dequantizer_may_start(directory, tmp_path):
    """As imports are; it starts with uniform noise. The reverse would lose weights."""
    run_of(tmp_path / "uniform", None, num_epochs=1).run()
    source = tf_marscf.load(tmp_path / "uniform")
    run = run_of(tmp_path / "on", VARIATIONAL, 1, initial_weights=str(tmp_path / "uniform"))
    assert run.config.dequantization == VARIATIONAL
    assert run.run()["test_bits_per_dim"] > 0.0
    assert source.dequantizer is None and tf_marscf.load(tmp_path / "on").dequantizer is not None
    same = run_of(tmp_path / "same", None, initial_weights=str(directory))
    assert same.config.dequantization == VARIATIONAL
    with pytest.raises(InputError, match="`dequantization` must be that of `initial_weights`"):
        run_of(tmp_path / "other", DequantizationConfig(), initial_weights=str(directory))


def test_a_tiny_dequantizer_is_of_the_same_kind():
    tiny = tiny_dequantization(DequantizationConfig(dequantization="variational"))
    assert tiny.dequantizer_num_steps == 1 and tiny.dequantizer_hidden_channels == 16
    assert tiny_dequantization(DequantizationConfig()) == DequantizationConfig()
