"""ActNorm set from batches that say little or nothing."""

import re
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

import tf_marscf
from tests.small_models import random_images, small_model
from tests.small_trainers import MODEL_OPTIONS, random_pixels, weights_of
from tf_marscf.config import MarScfConfig
from tf_marscf.errors import InputError
from tf_marscf.runs.run_config import PixelConfig, RunConfig
from tf_marscf.training.training_config import TrainingConfig
from tf_marscf.training.training_state import MIN_INITIAL_IMAGES, TrainingState


def act_norm_log_scales(model):
    return [variable for variable in model.variables if "log_scale" in variable.name]


def new_model(image_shape=(8, 8, 1), num_levels=3, **options):
    return tf_marscf.MarScf(
        image_shape, num_levels=num_levels, num_steps=2, hidden_channels=8,
        prior_hidden_channels=4, num_blocks=1, num_components=3, seed=0, **options,
    )  # fmt: skip


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("coupling", ["affine", "mixlogcdf"])
def test_one_image_at_maps_of_one_pixel_keeps_the_scale(capsys, coupling, dtype):
    model = new_model(coupling=coupling, dtype=dtype)
    model.initialize(random_images(1, 8, 8, 1, dtype=dtype))
    line = capsys.readouterr().err.strip()
    assert "level 3, step_1, act_norm (16 of 16 channels)" in line
    assert "level 2" not in line
    assert len(line.splitlines()) == 1
    act_norm = model.levels[2].level_bijector.bijectors[1].act_norm
    np.testing.assert_array_equal(act_norm.log_scale, 0.0)
    log_prob = model.log_prob(random_images(4, 8, 8, 1, dtype=dtype, seed=1))
    assert np.all(np.abs(log_prob) < 1e6)


def test_layers_inside_couplings_are_named(capsys):
    model = new_model(num_levels=1)
    model.initialize(0.3 * tf.ones([2, 8, 8, 1]))
    line = capsys.readouterr().err
    assert "level 1, step_1, act_norm (4 of 4 channels)" in line
    assert "level 1, step_1, affine_coupling, act_norm_0 (8 of 8 channels)" in line
    assert "3 more" in line


@pytest.mark.parametrize("value", [0.0, 0.3, -0.5, 255.0, 1e6])
def test_a_constant_image_can_be_trained_on(capsys, value):
    """Nothing but rounding varies."""
    images = value * tf.ones([4, 8, 8, 1])
    model = new_model()
    model.initialize(images)
    assert "level 1, step_1, act_norm (4 of 4 channels)" in capsys.readouterr().err
    for log_scale in act_norm_log_scales(model):
        assert np.max(np.abs(log_scale)) < 13.2
    with tf.GradientTape() as tape:
        loss = -tf.reduce_mean(model.log_prob(images))
    assert abs(float(loss)) < 1e4
    for gradient in tape.gradient(loss, model.trainable_variables):
        assert np.all(np.isfinite(gradient))


def test_a_constant_border_is_one_of_several_channels(capsys):
    images = np.zeros([64, 2, 2, 1], np.float32)
    images[:, 0, 0] = np.random.default_rng(0).normal(size=[64, 1])
    model = new_model((2, 2, 1), num_levels=1)
    model.initialize(images)
    assert "level 1, step_1, act_norm (3 of 4 channels)" in capsys.readouterr().err
    act_norm = model.levels[0].level_bijector.bijectors[1].act_norm
    expected = -np.log(np.std(images[:, 0, 0]) + 1e-6)
    np.testing.assert_allclose(act_norm.log_scale, [expected, 0.0, 0.0, 0.0], rtol=1e-5)


def test_statistics_give_the_published_rule_and_no_warning(capsys):
    model = new_model()
    images = random_images(32, 8, 8, 1)
    # A constant, but for the noise of 256 grey levels.
    images = tf.concat([images[:, :, :4], images[:, :, 4:] / 256], axis=2)
    model.initialize(images)
    squeeze, step, _ = model.levels[0].level_bijector.bijectors
    mean, variance = tf.nn.moments(squeeze.forward(images), axes=[0, 1, 2])
    np.testing.assert_array_equal(step.act_norm.bias, -mean)
    np.testing.assert_array_equal(step.act_norm.log_scale, -tf.math.log(tf.sqrt(variance) + 1e-6))
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e30])
def test_values_without_statistics_are_refused(value):
    images = random_images(2, 8, 8, 1).numpy()
    images[1, 3, 3, 0] = value
    model = small_model()
    before = [variable.numpy() for variable in model.variables]
    with pytest.raises(InputError, match="`images` must be finite"):
        model.initialize(images)
    for variable, value in zip(model.variables, before, strict=True):
        np.testing.assert_array_equal(variable, value)
    with pytest.raises(InputError, match="`x` must be finite"):
        model.levels[0].level_bijector.initialize(images)


def test_an_empty_batch_is_refused():
    with pytest.raises(InputError, match="`images` must hold at least one image"):
        small_model().initialize(np.zeros([0, 8, 8, 1], np.float32))


def test_a_layer_by_itself_warns_too(capsys):
    tf_marscf.bijectors.ActNorm(4).initialize(tf.ones([2, 4, 4, 4]))
    assert "(4 of 4 channels)" in capsys.readouterr().err


def test_initialization_in_a_graph_is_the_same():
    eager, traced = new_model(), new_model()
    images = random_images(1, 8, 8, 1)
    eager.initialize(images)
    tf.function(traced.initialize)(images)
    for first, second in zip(eager.variables, traced.variables, strict=True):
        np.testing.assert_allclose(first, second, atol=1e-4)


def initial_weights(batch_size):
    """Of a run with this batch size, before its first step."""
    config = RunConfig(
        model=MarScfConfig(image_shape=(8, 8, 1), **MODEL_OPTIONS),
        pixels=PixelConfig(num_grey_levels=17),
    )
    training = TrainingConfig(batch_size=batch_size)
    state = TrainingState(config, training, 64, 64, tf.distribute.get_strategy(), "unused")
    pixels = tf.data.Dataset.from_tensor_slices(random_pixels(40)).repeat()
    state.initialize(pixels.batch(batch_size, drop_remainder=True), seed=0)
    return weights_of(state.images_distribution)


def test_training_gathers_small_batches():
    one, five, many = (initial_weights(size) for size in (1, 5, MIN_INITIAL_IMAGES))
    for first, second in zip(one, many, strict=True):
        np.testing.assert_array_equal(first, second)
    assert any(np.any(first != second) for first, second in zip(five, many, strict=True))


def test_published_recipes_are_initialised_from_one_batch_as_published():
    recipes = list(Path(__file__).parents[2].glob("recipes/paper/*.flags"))
    assert len(recipes) >= 7
    for recipe in recipes:
        (batch_size,) = re.findall(r"^--batch_size=(\d+)$", recipe.read_text(), re.MULTILINE)
        assert int(batch_size) >= MIN_INITIAL_IMAGES
