"""TFP's models behind this project's interface, held against the mathematics."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from tests.small_models import random_images, randomize
from tf_marscf.benchmarks.comparison_configs import ComparisonConfig, DensityBenchmarkConfig
from tf_marscf.benchmarks.comparison_models import (
    TfpGlowModel,
    TfpPixelCnnModel,
    matched_models,
    matched_width,
)
from tf_marscf.benchmarks.comparison_trainer import ComparisonTrainer
from tf_marscf.benchmarks.model_kinds import MODEL_KINDS
from tf_marscf.benchmarks.system_comparison_config import SystemComparisonConfig
from tf_marscf.data import load_configured_dataset
from tf_marscf.model_size import num_parameters

SMALL = {"num_steps": 1, "hidden_channels": 16, "prior_hidden_channels": 8, "prior_num_layers": 1}


@pytest.fixture(scope="module")
def glow():
    """A `tfb.Glow` for 4 x 4 images, with weights that make every layer matter."""
    model = TfpGlowModel((4, 4, 1), num_levels=2, num_steps=2, width=4)
    model.initialize(random_images(64, 4, 4, 1))
    randomize(model.distribution)
    return model


@pytest.fixture(scope="module")
def pixel_cnn():
    """A `tfd.PixelCNN` for 4 x 4 images of two channels."""
    return TfpPixelCnnModel((4, 4, 2), width=4)


def test_log_prob_of_tfb_glow_is_the_change_of_variables(glow):
    images = random_images(1, 4, 4, 1, seed=1)
    with tf.GradientTape() as tape:
        tape.watch(images)
        latents = glow.distribution.bijector.inverse(images)
    jacobian = tape.jacobian(latents, images).numpy().reshape(16, 16)
    log_normal = -0.5 * float(tf.reduce_sum(latents**2)) - 8.0 * np.log(2.0 * np.pi)
    expected = log_normal + np.linalg.slogdet(jacobian)[1]
    assert float(glow.log_prob(tf.identity(images))[0]) == pytest.approx(expected, rel=1e-4)


def test_tfb_glow_maps_latents_to_the_images_that_they_came_from(glow):
    images = random_images(3, 4, 4, 1, seed=2)
    bijector = glow.distribution.bijector
    decoded = bijector.forward(tf.identity(bijector.inverse(images)))
    np.testing.assert_allclose(decoded, images, atol=1e-4)


def test_initialize_sets_act_norm_of_tfb_glow_from_the_batch():
    model = TfpGlowModel((4, 4, 1), num_levels=1, num_steps=1, width=4)
    images = 0.1 * random_images(256, 4, 4, 1) + 3.0
    model.initialize(images)
    latents = model.distribution.bijector.inverse(tf.identity(images)).numpy()
    # A 1x1 convolution that is orthogonal and a coupling that scales half of them by sigmoid(2).
    assert np.abs(latents.mean(axis=0)).max() < 0.5
    assert 0.5 < latents.std() < 1.5


def test_gradients_of_tfb_glow_reach_all_weights(glow):
    images = random_images(2, 4, 4, 1)
    variables = glow.trainable_variables
    gradients = tf.function(lambda: tf.gradients(glow.log_prob(images), variables))()
    assert len(gradients) == len(variables)
    assert all(np.isfinite(gradient).all() for gradient in gradients)


def test_a_pixel_of_pixel_cnn_depends_on_earlier_pixels_only(pixel_cnn):
    assert_order_of_pixels(pixel_cnn)


def assert_order_of_pixels(pixel_cnn):
    """No parameter of a pixel's distribution depends on that pixel, or on a later one."""
    shape = pixel_cnn.distribution.event_shape
    num_pixels = shape[0] * shape[1]
    values = random_images(1, *shape)
    with tf.GradientTape() as tape:
        tape.watch(values)
        logits, *others = pixel_cnn.distribution.network(values, training=False)
        # Squares, whose gradients do not cancel where those of logits would.
        parameters = tf.reduce_sum(logits**2, axis=3)
        parameters += sum(tf.reduce_sum(part**2, axis=[3, 4]) for part in others)
    jacobian = np.abs(tape.jacobian(parameters, values).numpy()).sum(axis=-1)
    jacobian = jacobian.reshape(num_pixels, num_pixels)
    assert np.triu(jacobian).max() == 0.0
    assert np.tril(jacobian, -1).max() > 0.0


@pytest.mark.slow
def test_training_and_restored_weights_leave_the_order_of_pixels():
    config = DensityBenchmarkConfig(
        models=("mar", "pixel_cnn"),
        num_levels=1,
        num_steps=1,
        hidden_channels=8,
        prior_hidden_channels=4,
        prior_num_layers=1,
        batch_size=16,
        max_images=40,
        warm_up_images=0,
    )
    dataset = load_configured_dataset(config.data)
    model = TfpPixelCnnModel(dataset.image_shape, 3, dataset.num_grey_levels)
    trainer = ComparisonTrainer(model, dataset, dataset.test.take(10), config)
    before = trainer.evaluate()[0]
    trainer.train(20)
    assert trainer.evaluate()[0] < before
    assert_order_of_pixels(model)
    # Gradients of masked entries are zero, for which clipping could not tell them from others.
    assert model.num_parameters == sum(
        np.count_nonzero(variable.numpy()) if "kernel" in variable.name else tf.size(variable)
        for variable in model.trainable_variables
    )
    # Whatever a checkpoint holds.
    for variable in model.trainable_variables:
        variable.assign(tf.random.stateless_normal(variable.shape, [0, 1]))
    assert_order_of_pixels(model)


def test_pixel_cnn_sums_to_one_over_the_grey_levels_of_the_images():
    model = TfpPixelCnnModel((2, 2, 1), width=2, num_grey_levels=3)
    pixels = np.array(list(itertools.product(range(3), repeat=4)), np.uint8).reshape(-1, 2, 2, 1)
    log_probability = model.dequantized(3).log_prob(pixels, seed=0)
    assert float(tf.reduce_sum(tf.exp(log_probability))) == pytest.approx(1.0, rel=1e-4)


def test_density_of_pixel_cnn_is_constant_within_a_grey_level(pixel_cnn):
    levels = np.random.default_rng(0).integers(256, size=(2, 4, 4, 2))
    low, high = ((levels + shift) / 256.0 - 0.5 for shift in (0.01, 0.99))
    log_density = pixel_cnn.log_prob(tf.constant(low, tf.float32))
    np.testing.assert_allclose(log_density, pixel_cnn.log_prob(tf.constant(high, tf.float32)))
    probability = pixel_cnn.distribution.log_prob(levels.astype(np.float32), training=False)
    np.testing.assert_allclose(log_density, probability + 32 * np.log(256.0), rtol=1e-5)


def test_masked_entries_are_no_parameters(pixel_cnn):
    variables = pixel_cnn.trainable_variables
    all_entries = sum(variable.shape.num_elements() for variable in variables)
    num_zeros = sum(
        int(np.sum(variable.numpy() == 0.0)) for variable in variables if "kernel" in variable.name
    )
    assert pixel_cnn.num_parameters == all_entries - num_zeros < all_entries


@pytest.mark.parametrize("kind", ["glow", "pixel_cnn"])
def test_samples_are_images_and_differ_from_call_to_call(kind, request):
    model = request.getfixturevalue(kind)
    sample = tf.function(lambda: model.sample(2), autograph=False)
    first, second = sample().numpy(), sample().numpy()
    assert first.shape == (2, *model.distribution.event_shape)
    assert np.isfinite(first).all()
    assert np.abs(first - second).max() > 0.0


@pytest.mark.slow
@pytest.mark.parametrize("coupling", ["affine", "mixlogcdf"])
def test_models_have_about_as_many_parameters(coupling):
    small = SMALL | {"num_blocks": 1, "num_components": 2, "num_heads": 2, "coupling": coupling}
    options = small | {"hidden_channels": 32, "models": tuple(MODEL_KINDS)}
    config = ComparisonConfig(**options)
    warnings = []
    models = matched_models(config, (8, 8, 1), num_levels=1, report=warnings.append)
    assert not warnings
    assert [model.kind for model in models] == list(config.models)
    for model in models:
        assert model.num_parameters == pytest.approx(models[0].num_parameters, rel=0.1)


@pytest.mark.parametrize("image_shape", [(8, 8, 1), (32, 32, 3)])
def test_the_defaults_of_the_comparison_can_be_matched(image_shape):
    """Flow++, whose width is a multiple of its heads, too."""
    config = SystemComparisonConfig()
    target = num_parameters(config.mar_scf_config(image_shape, config.num_levels))
    for kind in ("gaussian", "flow_plus_plus", "residual", "residual_mar"):
        width = matched_width(kind, config, image_shape, config.num_levels)
        matched = MODEL_KINDS[kind].mar_scf_config(
            config, image_shape, config.num_levels, hidden_channels=width
        )
        assert num_parameters(matched) == pytest.approx(target, rel=0.05)


def test_a_count_that_cannot_be_matched_is_reported():
    # Three hidden channels, with 681 parameters, come nearest to 765.
    options = SMALL | {"hidden_channels": 1, "prior_hidden_channels": 1}
    config = ComparisonConfig(**options, models=("mar", "tfb_glow"))
    warnings = []
    mar, glow = matched_models(config, (8, 8, 3), num_levels=1, report=warnings.append)
    assert (mar.num_parameters, glow.num_parameters, glow.width) == (765, 681, 3)
    assert warnings == ["tfb.Glow has 0.89 times the parameters of mAR-SCF."]


def test_steps_of_a_sample():
    config = ComparisonConfig(**SMALL, models=("mar", "gaussian"))
    mar, gaussian = matched_models(config, (8, 8, 1), num_levels=2)
    assert mar.num_sampling_steps == 2 + 8
    assert gaussian.num_sampling_steps == 2
    assert TfpPixelCnnModel((4, 4, 1), 2).num_sampling_steps == 16 + 1


@pytest.mark.parametrize(
    ("models", "seen"), [(("gaussian",), "gaussian"), (("mar", "vae"), "mar,vae")]
)
def test_wrong_models_are_named(models, seen):
    with pytest.raises(ValueError, match=f"`models` must be .*; got '{seen}'"):
        ComparisonConfig(models=models)
