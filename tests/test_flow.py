"""The density: what it computes, and that it is one."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import tf_marscf
from tests.small_models import greatest_difference, random_images, small_model
from tf_marscf.bijectors import ActNorm
from tf_marscf.networks.glow_layers import ActNormLayer

COUPLINGS = ["affine", "mixlogcdf", "residual"]


@pytest.mark.parametrize("coupling", COUPLINGS)
@pytest.mark.parametrize("prior", ["mar", "gaussian"])
def test_log_prob_is_the_sum_of_priors_and_log_dets(coupling, prior):
    model = small_model(coupling=coupling, prior=prior, dtype="float64")
    images = random_images(3, 8, 8, 1, dtype="float64")
    log_priors, log_dets = model.log_prob_parts(images)
    assert len(log_priors) == len(log_dets) == 2
    np.testing.assert_allclose(model.log_prob(images), sum(log_priors) + sum(log_dets), rtol=1e-12)


@pytest.mark.parametrize("coupling", COUPLINGS)
def test_log_prob_is_that_of_the_latents_under_the_whole_jacobian(coupling):
    """log p(x) = sum of log p(latents) + log|det d latents / dx|, the Jacobian from autodiff."""
    model = small_model((4, 4, 1), coupling=coupling, dtype="float64")
    image = random_images(4, 4, 1, dtype="float64")
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(image)
        latents = tf.concat([tf.reshape(part, [-1]) for part in model.latents(image)], axis=0)
    jacobian = tf.reshape(tape.jacobian(latents, image, experimental_use_pfor=False), [16, 16])
    _, log_det = np.linalg.slogdet(jacobian.numpy())
    log_priors, _ = model.log_prob_parts(image)
    np.testing.assert_allclose(model.log_prob(image), sum(log_priors) + log_det, rtol=1e-10)


@pytest.mark.parametrize("coupling", COUPLINGS)
def test_the_recursion_of_transformed_distributions_gives_the_same_density(coupling):
    """As TFP computes it: through `bijector` and `distribution`, level by level."""
    model = small_model(coupling=coupling, dtype="float64")
    images = random_images(2, 8, 8, 1, dtype="float64")
    hidden = model.bijector.inverse(images)
    log_prob = model.bijector.inverse_log_det_jacobian(images, event_ndims=3)
    rest, latents = tf.split(hidden, 2, axis=-1)
    second = model.distribution.rest
    log_prob += model.distribution.prior.log_prob(latents, conditional_input=rest)
    log_prob += second.distribution.log_prob(second.bijector.inverse(rest))
    log_prob += second.bijector.inverse_log_det_jacobian(rest, event_ndims=3)
    np.testing.assert_allclose(model.log_prob(images), log_prob, rtol=1e-12)


@pytest.mark.parametrize("coupling", COUPLINGS)
def test_the_base_distribution_is_the_rest_of_the_walk(coupling):
    """`model` walks over its levels; TFP would ask `distribution`, which draws from equal seeds."""
    model = small_model(num_levels=3, coupling=coupling)
    hidden, log_det = model.level_bijector.forward_and_log_det(random_images(2, 8, 8, 1))
    np.testing.assert_allclose(
        model.log_prob(random_images(2, 8, 8, 1)),
        model.distribution.log_prob(hidden) + log_det,
        rtol=1e-6,
    )
    hidden = model.distribution.sample(3, seed=4, temperature=0.8)
    np.testing.assert_allclose(
        model.sample(3, seed=4, temperature=0.8), model.bijector.forward(hidden), atol=1e-6
    )


def test_tiny_density_integrates_to_one():
    """Importance sampling of a 12-dimensional image from a wide Normal: mean weight one."""
    model = small_model((2, 2, 3), num_levels=1, dtype="float64")
    samples = model.sample(4000, seed=3)
    mean, deviation = np.mean(samples, axis=0), 1.3 * np.std(samples, axis=0)
    noise = tf.random.stateless_normal([40_000, 2, 2, 3], [1, 2], dtype="float64")
    log_proposal = tf.reduce_sum(
        -0.5 * noise**2 - np.log(deviation) - 0.5 * np.log(2 * np.pi), axis=[1, 2, 3]
    )
    log_weights = model.log_prob(mean + deviation * noise) - log_proposal
    weights = np.exp(log_weights)
    standard_error = np.std(weights) / np.sqrt(len(weights))
    assert standard_error < 0.05
    assert np.mean(weights) == pytest.approx(1.0, abs=4 * standard_error)


@pytest.mark.parametrize("coupling", COUPLINGS)
@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-4), ("float64", 1e-9)])
def test_decode_inverts_latents(coupling, dtype, tolerance):
    model = small_model((8, 12, 2), coupling=coupling, dtype=dtype)
    images = random_images(2, 8, 12, 2, dtype=dtype)
    latents = model.latents(images)
    assert [tuple(part.shape) for part in latents] == [(2, 4, 6, 4), (2, 2, 3, 16)]
    assert greatest_difference(model.decode(latents), images) <= tolerance


@pytest.mark.slow
@pytest.mark.parametrize("coupling", ["affine", "mixlogcdf"])
@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-4), ("float64", 1e-9)])
def test_round_trip_of_32_steps_a_level(coupling, dtype, tolerance):
    model = tf_marscf.MarScf(
        (16, 16, 3), num_levels=2, num_steps=32, hidden_channels=8, coupling=coupling,
        num_blocks=1, num_components=4, prior_hidden_channels=4, dtype=dtype, seed=0,
    )  # fmt: skip
    images = random_images(4, 16, 16, 3, dtype=dtype)
    model.initialize(images)
    for variable in model.trainable_variables:
        if "log_s" not in variable.name and variable.shape.rank == 4:
            variable.assign_add(
                tf.random.stateless_normal(variable.shape, [3, 4], 0.0, 0.02, dtype)
            )
    assert greatest_difference(model.decode(model.latents(images)), images) <= tolerance


@pytest.mark.parametrize("coupling", COUPLINGS)
def test_sample_and_log_prob_agree_with_sample_and_with_log_prob(coupling):
    model = small_model(coupling=coupling)
    samples, log_prob = model.experimental_sample_and_log_prob(5, seed=3)
    np.testing.assert_array_equal(samples, model.sample(5, seed=3))
    np.testing.assert_allclose(log_prob, model.log_prob(samples), rtol=1e-4)


def test_same_seed_same_sample():
    model = small_model()
    first = model.sample(3, seed=4)
    np.testing.assert_array_equal(first, model.sample(3, seed=4))
    np.testing.assert_array_equal(first, tf.function(model.sample)(3, seed=4))
    assert greatest_difference(first, model.sample(3, seed=5)) > 0.0
    assert greatest_difference(model.sample(3), model.sample(3)) > 0.0


def test_zero_temperature_is_the_decoded_mean_of_the_priors():
    model = small_model()
    frozen = model.sample(2, seed=1, temperature=0.0)
    np.testing.assert_allclose(frozen[0], frozen[1], atol=1e-6)
    noise = [tf.zeros([1, *level.latent_prior.event_shape]) for level in model.levels]
    np.testing.assert_allclose(frozen[:1], model.decode_noise(noise), atol=1e-6)


@pytest.mark.parametrize("coupling", COUPLINGS)
def test_every_weight_is_trainable_and_gets_a_gradient(coupling):
    """Counts the Keras weights by walking through the layers, apart from `tf.Module`."""
    model = small_model(coupling=coupling)
    layers = [
        module.layer
        for module in model.submodules
        if hasattr(module, "layer") and isinstance(module.layer, keras.layers.Layer)
    ]
    keras_weights = {id(weight.value) for layer in layers for weight in layer.trainable_weights}
    listed = {id(variable) for variable in model.trainable_variables}
    is_residual = coupling == "residual"
    assert len(layers) == (2 if is_residual else 4)
    assert keras_weights <= listed
    # ActNorm has two, the 1x1 convolution three, a residual block seven; each level has one each.
    assert len(listed) == len(keras_weights) + 2 * (2 + 3 + (7 if is_residual else 0))
    images = random_images(2, 8, 8, 1)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(model.log_prob(images))
    for variable, gradient in zip(
        model.trainable_variables, tape.gradient(loss, model.trainable_variables), strict=True
    ):
        assert gradient is not None, variable.name
        # The lower triangle of a matrix whose diagonal is fixed has one entry at least.
        assert np.any(gradient), variable.name


@pytest.mark.parametrize("coupling", COUPLINGS)
def test_initialize_normalises_every_act_norm_over_the_batch(coupling):
    model = small_model(coupling=coupling, dtype="float64")
    images = 0.3 + 2.0 * random_images(32, 8, 8, 1, dtype="float64")
    model.initialize(images)
    rest = images
    for level in model.levels:
        squeeze, step = level.level_bijector.bijectors
        normalised = step.act_norm.forward(squeeze.forward(rest))
        np.testing.assert_allclose(np.mean(normalised, axis=(0, 1, 2)), 0.0, atol=1e-9)
        np.testing.assert_allclose(np.std(normalised, axis=(0, 1, 2)), 1.0, atol=1e-4)
        rest = tf.split(level.level_bijector.forward(rest), 2, axis=-1)[0]


def test_a_new_model_and_its_density_leave_act_norm_alone():
    model = tf_marscf.MarScf((8, 8, 1), num_levels=1, num_steps=1, hidden_channels=8)
    model.log_prob(random_images(2, 8, 8, 1))
    act_norm = model.levels[0].level_bijector.bijectors[1].act_norm
    assert isinstance(act_norm, ActNorm)
    np.testing.assert_array_equal(act_norm.bias, 0.0)
    network = model.levels[0].level_bijector.bijectors[1].coupling.network.layer
    assert all(isinstance(norm, ActNormLayer) for norm in network.act_norms)
    np.testing.assert_array_equal(network.act_norms[0].log_scale, 0.0)


def test_dropout_acts_in_log_prob_with_a_seed_only():
    model = small_model(coupling="mixlogcdf", dropout_rate=0.5)
    images = random_images(2, 8, 8, 1)
    evaluated = model.log_prob(images)
    np.testing.assert_array_equal(evaluated, model.log_prob(images))
    dropped = model.log_prob(images, dropout_seed=[1, 2])
    np.testing.assert_array_equal(dropped, model.log_prob(images, dropout_seed=[1, 2]))
    assert greatest_difference(dropped, evaluated) > 0.0
    assert greatest_difference(dropped, model.log_prob(images, dropout_seed=[1, 3])) > 0.0
    log_priors, log_dets = model.log_prob_parts(images, dropout_seed=[1, 2])
    np.testing.assert_allclose(sum(log_priors) + sum(log_dets), dropped, rtol=1e-5)


@pytest.mark.parametrize("size", [16, 32, 64, 128, 256])
def test_lemma_a1_channels_and_linear_number_of_sampling_steps(size):
    """C_i = 2^i C, C_L = 2^(L + 1) C; with L = log2(N) - 1 the steps are O(N)."""
    num_levels = int(np.log2(size)) - 1
    config = tf_marscf.MarScfConfig(image_shape=(size, size, 3), num_levels=num_levels)
    expected = [2**level * 3 for level in range(1, num_levels)] + [2 ** (num_levels + 1) * 3]
    assert list(config.channels_per_level) == expected
    assert config.num_sampling_steps == sum(expected) == 9 * size // 2 - 6
    # The latents have as many elements as the image.
    assert sum(np.prod(config.latent_shape(level)) for level in range(num_levels)) == size**2 * 3


def test_model_and_config_agree_on_channels_and_steps():
    model = small_model((8, 8, 3), num_levels=3)
    assert model.channels_per_level == model.config.channels_per_level == (6, 12, 48)
    assert model.num_sampling_steps == model.config.num_sampling_steps == 66
    gaussian = small_model((8, 8, 3), num_levels=3, prior="gaussian")
    assert gaussian.num_sampling_steps == gaussian.config.num_sampling_steps == 3
