"""Priors that give several channels a step, and priors that start as Glow's."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from tests.distributions.test_priors import (
    assert_equal_to_reference,
    causal_prior,
    jacobian_of_terms,
    mar_networks,
    mar_prior,
)
from tests.small_models import random_images, randomize
from tf_marscf import reference
from tf_marscf.distributions import GaussianPrior, MarPrior
from tf_marscf.kernels.channel_sampling import solve_regression


@mar_networks
@pytest.mark.parametrize("channels_per_step", [2, 3, 6])
def test_a_channel_depends_on_all_channels_before_it_and_no_other(make_prior, channels_per_step):
    """Those of its own group included."""
    prior = make_prior((3, 4, 6), 2, channels_per_step=channels_per_step, dtype="float64")
    assert prior.num_sampling_steps == 6 // channels_per_step
    latents, rest = (random_images(1, 3, 4, size, dtype="float64") for size in (6, 2))
    jacobian = jacobian_of_terms(prior, latents, rest)
    np.testing.assert_array_equal(np.triu(jacobian), 0.0)
    assert np.all(jacobian[np.tril_indices(6, -1)] > 0.0)


@mar_networks
def test_density_of_a_group_integrates_to_one(make_prior):
    """By the trapezium rule over the two channels of one pixel, which are not independent."""
    prior = make_prior((1, 1, 2), kernel_size=1, channels_per_step=2, dtype="float64")
    prior.network.layer.group_regression.weight.assign([[[7.0, 7.0], [0.8, 7.0]]])
    axis = np.linspace(-12.0, 12.0, 301)
    grid = np.array(list(itertools.product(axis, axis))).reshape(-1, 1, 1, 2)
    density = np.exp(prior.log_prob(grid)).reshape(301, 301) * (axis[1] - axis[0]) ** 2
    assert np.sum(density) == pytest.approx(1.0, abs=1e-6)
    deviations = [axis - np.sum(density.sum(axis=1 - part) * axis) for part in (0, 1)]
    covariance = deviations[0] @ density @ deviations[1]
    variance = deviations[0] ** 2 @ density.sum(axis=1)
    assert covariance / variance == pytest.approx(0.8, abs=1e-3)


@pytest.mark.parametrize(
    ("image_size", "kernel_size", "dilation", "num_images"),
    [
        ((4, 5), 3, 2, 2),  # Direct convolutions.
        ((4, 4), 5, 1, 9),  # Spectral ones, and dense matrices around them.
        ((6, 4), 5, 2, 3),  # Spectral ones of phases, and neighbours gathered.
    ],
)
def test_values_and_gradients_are_those_of_the_plain_prior(
    image_size, kernel_size, dilation, num_images
):
    prior = MarPrior(
        (*image_size, 6), 2, hidden_channels=4, num_layers=2, kernel_size=kernel_size,
        dilation=dilation, channels_per_step=3, start="gaussian", seed=1, dtype="float64",
    )  # fmt: skip
    assert_equal_to_reference(randomize(prior), num_images, 1e-10)


@pytest.mark.parametrize(
    "options",
    [{"dilation": 2}, {"num_layers": 0}, {"kernel_size": 1}, {"family": "logistic"}],
)
def test_values_and_gradients_are_those_of_the_plain_causal_prior(options):
    prior = causal_prior((4, 5, 6), 2, channels_per_step=2, dtype="float64", **options)
    assert_equal_to_reference(prior, 2, 1e-10)


@mar_networks
@pytest.mark.parametrize("num_conditional_channels", [0, 2])
def test_sampling_inverts_standardisation(make_prior, num_conditional_channels):
    options = {"channels_per_step": 2, "start": "gaussian", "dtype": "float64"}
    prior = make_prior((4, 6, 4), num_conditional_channels, **options)
    noise = tf.random.stateless_normal([3, 4, 6, 4], [1, 2], dtype="float64")
    rest = random_images(3, 4, 6, 2, dtype="float64") if num_conditional_channels else None
    latents = prior.latents_from_noise(noise, rest)
    mean, log_scale = prior._mean_and_log_scale(latents, rest)
    np.testing.assert_allclose((latents - mean) * np.exp(-log_scale), noise, atol=1e-12)
    log_prob = np.sum(-0.5 * noise**2 - 0.5 * np.log(2 * np.pi) - log_scale, axis=(1, 2, 3))
    np.testing.assert_allclose(prior.log_prob(latents, conditional_input=rest), log_prob)


def test_a_regression_is_solved_entry_by_entry():
    generator = np.random.default_rng(0)
    coefficients = np.tril(generator.normal(size=[3, 3]), -1)
    values = generator.normal(size=[2, 3])
    expected = np.linalg.solve(np.eye(3) - coefficients, values[..., np.newaxis])[..., 0]
    np.testing.assert_allclose(solve_regression(values, tf.constant(coefficients), -1), expected)
    blocks = solve_regression(values.T.reshape(6), tf.constant(coefficients), 0)
    np.testing.assert_allclose(blocks, expected.T.reshape(6))


def with_a_start_of_its_own(prior, scale=0.1):
    """The prior with noisy weights of its Gaussian start, what is added to that being zero."""
    layer = prior.network.layer
    if hasattr(layer, "gaussian_start"):
        randomize(layer.gaussian_start, scale)
        return prior
    if layer.conditional_convolution is not None:
        randomize(layer.conditional_convolution, scale)
    convolution = randomize(layer.output_convolution, scale)
    kernel = convolution.kernel.numpy()
    kernel[:, :, layer.num_conditional_channels :] = 0.0
    convolution.kernel.assign(kernel)
    return prior


@pytest.mark.parametrize(
    ("network", "kernel_size"), [("conv_lstm", 3), ("causal", 3), ("causal", 1)]
)
@pytest.mark.parametrize("num_conditional_channels", [0, 2])
def test_a_gaussian_start_is_the_prior_of_glow(network, kernel_size, num_conditional_channels):
    """Of the same weights; both are standard normals when they are new."""
    prior = MarPrior(
        (4, 5, 4), num_conditional_channels, network, hidden_channels=3, num_layers=1,
        kernel_size=kernel_size, channels_per_step=2, start="gaussian", seed=1, dtype="float64",
    )  # fmt: skip
    latents = random_images(3, 4, 5, 4, dtype="float64")
    rest = random_images(3, 4, 5, 2, dtype="float64") if num_conditional_channels else None
    zero = tf.constant(0.0, tf.float64)
    new = reference.normal_log_density(latents, zero, zero)
    np.testing.assert_allclose(prior.log_prob(latents, conditional_input=rest), new)
    mean, log_scale = with_a_start_of_its_own(prior)._mean_and_log_scale(latents, rest)
    if network == "conv_lstm":
        glow = GaussianPrior((4, 5, 4), num_conditional_channels, dtype="float64")
        start = prior.network.layer.gaussian_start
        weights = zip(glow.trainable_variables, start.trainable_variables, strict=True)
        for variable, value in weights:
            variable.assign(value)
        expected = glow.log_prob(latents, conditional_input=rest)
        np.testing.assert_allclose(prior.log_prob(latents, conditional_input=rest), expected)
    for is_resting in (True, False):
        parts = prior._mean_and_log_scale(latents, rest, is_resting=tf.constant(is_resting))
        np.testing.assert_allclose(parts, (mean, log_scale), atol=1e-14)
    randomize(prior, scale=0.3)
    resting, moving = (
        prior.log_prob(latents, conditional_input=rest, is_resting=tf.constant(is_resting))
        for is_resting in (True, False)
    )
    np.testing.assert_array_equal(moving, prior.log_prob(latents, conditional_input=rest))
    assert np.all(np.abs(resting - moving) > 1e-6)


@pytest.mark.parametrize("in_graph", [False, True])
def test_nothing_but_the_start_trains_while_a_prior_rests(in_graph):
    prior = mar_prior((4, 4, 4), 2, channels_per_step=2, start="gaussian")
    latents, rest = random_images(2, 4, 4, 4), random_images(2, 4, 4, 2, seed=1)

    def gradients(is_resting):
        with tf.GradientTape() as tape:
            log_prob = prior.log_prob(latents, conditional_input=rest, is_resting=is_resting)
        variables = prior.trainable_variables
        return tape.gradient(log_prob, variables, unconnected_gradients="zero")

    run = tf.function(gradients, autograph=False) if in_graph else gradients
    starts = {id(weight.value) for weight in prior.network.layer.gaussian_start.weights}
    is_start = [id(variable) in starts for variable in prior.trainable_variables]
    assert sum(is_start) == 3
    resting, moving = (run(tf.constant(is_resting)) for is_resting in (True, False))
    assert [bool(np.any(gradient)) for gradient in resting] == is_start
    assert all(np.any(gradient) for gradient in moving)


def test_unsuitable_arguments_are_named():
    with pytest.raises(ValueError, match="`channels_per_step` must divide the 5 channels.*; got 2"):
        MarPrior((4, 4, 5), channels_per_step=2)
    with pytest.raises(ValueError, match="`start` must be one of .*; got 'zero'"):
        MarPrior((4, 4, 4), start="zero")
    with pytest.raises(ValueError, match="`is_resting` must be None without a Gaussian start"):
        mar_prior((4, 4, 4)).log_prob(tf.zeros([1, 4, 4, 4]), is_resting=tf.constant(True))
