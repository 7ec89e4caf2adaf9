"""MarScf and Dequantized as parts of TFP's other distributions, and of its inference."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

import tf_marscf
from tests.small_models import random_images, small_model

tfd, tfb = tfp.distributions, tfp.bijectors
WEIGHTS = [0.3, 0.7]


@pytest.fixture(scope="module", name="model")
def fixture_model():
    return small_model((4, 4, 1))


@pytest.fixture(scope="module", name="other_model")
def fixture_other_model():
    return small_model((4, 4, 1), seed=5)


@pytest.fixture(scope="module", name="images")
def fixture_images():
    return random_images(3, 4, 4, 1)


def test_mixture_of_two_models(model, other_model):
    mixture = tfd.Mixture(tfd.Categorical(probs=WEIGHTS), [model, other_model])
    samples = mixture.sample(5, seed=1)
    expected = tfp.math.reduce_weighted_logsumexp(
        tf.stack([model.log_prob(samples), other_model.log_prob(samples)]),
        tf.constant(WEIGHTS)[:, tf.newaxis],
        axis=0,
    )
    np.testing.assert_allclose(mixture.log_prob(samples), expected, rtol=1e-5)


def test_mixture_same_family_of_a_broadcast_model(model):
    """Its components are a batch; of one model `tfd.BatchBroadcast` makes one."""
    mixture = tfd.MixtureSameFamily(tfd.Categorical(probs=WEIGHTS), tfd.BatchBroadcast(model, [2]))
    samples = mixture.sample(5, seed=1)
    np.testing.assert_allclose(mixture.log_prob(samples), model.log_prob(samples), rtol=1e-5)


def test_mixture_same_family_of_images_of_grey_levels(model):
    images = tf_marscf.Dequantized(model)
    mixture = tfd.MixtureSameFamily(tfd.Categorical(probs=WEIGHTS), tfd.BatchBroadcast(images, [2]))
    assert mixture.sample(4, seed=1).dtype == tf.uint8


def test_joint_distribution_with_names(model):
    joint = tfd.JointDistributionNamed(
        {"image": model, "seen": lambda image: tfd.Independent(tfd.Normal(image, 0.1), 3)}
    )
    draw = joint.sample(seed=1)
    likelihood = tfd.Independent(tfd.Normal(draw["image"], 0.1), 3)
    np.testing.assert_allclose(
        joint.log_prob(draw),
        model.log_prob(draw["image"]) + likelihood.log_prob(draw["seen"]),
        rtol=1e-5,
    )


def test_transformed_distribution_on_top(model):
    shifted = tfd.TransformedDistribution(model, tfb.Shift(tf.ones([4, 4, 1])))
    samples = shifted.sample(2, seed=1)
    np.testing.assert_allclose(shifted.log_prob(samples), model.log_prob(samples - 1.0), rtol=1e-5)
    scaled = tfd.TransformedDistribution(model, tfb.Scale(2.0))
    np.testing.assert_allclose(
        scaled.log_prob(samples), model.log_prob(samples / 2.0) - 16 * np.log(2.0), rtol=1e-5
    )


@pytest.mark.parametrize("wrap", [lambda model: model, tf_marscf.Dequantized])
def test_independent_and_sample(model, wrap):
    distribution = wrap(model)
    same = tfd.Independent(distribution, 0)
    np.testing.assert_array_equal(same.sample(2, seed=1), distribution.sample(2, seed=1))
    draws = tfd.Sample(distribution, [3]).sample(2, seed=1)
    assert tuple(draws.shape) == (2, 3, 4, 4, 1)
    if distribution is model:
        log_prob = tfd.Sample(model, [3]).log_prob(draws)
        expected = tf.reduce_sum(model.log_prob(draws), axis=1)
        np.testing.assert_allclose(log_prob, expected, rtol=1e-5)


def test_minimize_fits_a_model(images):
    model = small_model((4, 4, 1), num_levels=1)
    losses = tfp.math.minimize(
        lambda: -tf.reduce_mean(model.log_prob(images)),
        num_steps=20,
        optimizer=tf.keras.optimizers.Adam(1e-2),
        trainable_variables=model.trainable_variables,
    )
    assert np.all(np.isfinite(losses))
    assert losses[-1] < losses[0] - 1.0


@pytest.mark.slow
def test_hamiltonian_monte_carlo_with_a_model_as_prior(model, images):
    """A posterior: the model as prior, and an image seen through noise."""
    seen, deviation = images[0], 0.05

    def log_posterior(image):
        return (
            model.log_prob(image)
            - tf.reduce_sum(tf.square((image - seen) / deviation), axis=[-3, -2, -1]) / 2.0
        )

    kernel = tfp.mcmc.HamiltonianMonteCarlo(log_posterior, step_size=0.02, num_leapfrog_steps=5)
    chain, is_accepted = tf.function(
        lambda: tfp.mcmc.sample_chain(
            60,
            tf.zeros([2, 4, 4, 1]),
            kernel=kernel,
            num_burnin_steps=40,
            trace_fn=lambda _, results: results.is_accepted,
            seed=[1, 2],
        ),
        autograph=False,
    )()
    assert np.mean(is_accepted) > 0.3
    # Much closer to what was seen than a draw of the prior is.
    assert np.std(chain - seen) < 3 * deviation
    assert np.all(log_posterior(chain[-1]) > log_posterior(tf.zeros([2, 4, 4, 1])))


def test_copies_and_parameters(model, images):
    copy = model.copy(name="copy")
    assert copy.name == "copy"
    np.testing.assert_array_equal(copy.log_prob(images), model.log_prob(images))
    assert model.parameters["image_shape"] == (4, 4, 1)
    scaled = tf_marscf.Dequantized(model).copy(num_grey_levels=17)
    assert scaled.num_grey_levels == 17
    assert scaled.distribution is model
    for distribution in (model, scaled):
        assert isinstance(distribution.experimental_default_event_space_bijector(), tfb.Identity)
        assert distribution.trainable_variables
