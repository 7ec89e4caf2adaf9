"""The priors of latent maps: order, conditioning, normalisation."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from tests.small_models import greatest_difference, random_images, randomize
from tf_marscf import reference
from tf_marscf.distributions import GaussianPrior, MarPrior, SplitPrior
from tf_marscf.distributions.image_distribution import ImageDistribution


def mar_prior(event_shape, num_conditional_channels=0, **kwargs):
    options = {"hidden_channels": 4, "num_layers": 2, "kernel_size": 3, "seed": 1} | kwargs
    return randomize(MarPrior(event_shape, num_conditional_channels, **options), scale=0.3)


def causal_prior(event_shape, num_conditional_channels=0, **kwargs):
    # Noise like the other's would make its samples chaotic: means depend on channels without bound.
    options = {"hidden_channels": 4, "num_layers": 2, "kernel_size": 3, "seed": 1} | kwargs
    prior = MarPrior(event_shape, num_conditional_channels, network="causal", **options)
    return randomize(prior, scale=0.05)


def linear_prior(event_shape, num_conditional_channels=0, **kwargs):
    return causal_prior(event_shape, num_conditional_channels, **(kwargs | {"num_layers": 0}))


def pointwise_prior(event_shape, num_conditional_channels=0, **kwargs):
    return causal_prior(event_shape, num_conditional_channels, **(kwargs | {"kernel_size": 1}))


def logistic_prior(event_shape, num_conditional_channels=0, **kwargs):
    return causal_prior(event_shape, num_conditional_channels, family="logistic", **kwargs)


MAR_PRIORS = [mar_prior, causal_prior, linear_prior, pointwise_prior]
mar_networks = pytest.mark.parametrize("make_prior", MAR_PRIORS)
all_priors = pytest.mark.parametrize("make_prior", [*MAR_PRIORS, logistic_prior, GaussianPrior])


def jacobian_of_terms(prior, latents, conditional_input=None):
    """|d standardised latent / d latent|, summed over pixels: [C_out, C_in]."""
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(latents)
        mean, log_scale = prior._mean_and_log_scale(latents, conditional_input)
        terms = tf.reduce_sum(mean + 2.0 * log_scale, axis=[0, 1, 2])
    jacobian = tape.jacobian(terms, latents, experimental_use_pfor=False)
    return np.sum(np.abs(jacobian), axis=(1, 2, 3))


@mar_networks
@pytest.mark.parametrize("dilation", [1, 2])
@pytest.mark.parametrize("num_layers", [1, 3])
def test_a_channel_depends_on_all_channels_before_it_and_no_other(make_prior, dilation, num_layers):
    prior = make_prior((4, 4, 5), dilation=dilation, num_layers=num_layers, dtype="float64")
    latents = random_images(1, 4, 4, 5, dtype="float64")
    jacobian = jacobian_of_terms(prior, latents)
    np.testing.assert_array_equal(np.triu(jacobian), 0.0)
    assert np.all(jacobian[np.tril_indices(5, -1)] > 0.0)


@mar_networks
def test_every_channel_depends_on_the_conditional_input(make_prior):
    prior = make_prior((4, 4, 3), 2, dtype="float64")
    rest = random_images(1, 4, 4, 2, dtype="float64")
    latents = random_images(1, 4, 4, 3, dtype="float64", seed=1)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(rest)
        mean, _ = prior._mean_and_log_scale(latents, rest)
        terms = tf.reduce_sum(mean, axis=[0, 1, 2])
    for jacobian in tape.jacobian(terms, rest, experimental_use_pfor=False):
        assert np.all(np.sum(np.abs(jacobian), axis=(0, 1, 2)) > 0.0)


@mar_networks
def test_log_prob_is_the_sum_of_normal_log_densities_channel_by_channel(make_prior):
    prior = make_prior((2, 2, 3), dtype="float64")
    latents = random_images(2, 2, 2, 3, dtype="float64")
    total = 0.0
    for channel in range(3):
        # What comes after the channel must not matter: it is replaced by nines.
        after = 9.0 * tf.ones([2, 2, 2, 2 - channel], tf.float64)
        known = tf.concat([latents[..., : channel + 1], after], axis=-1)
        mean, log_scale = prior._mean_and_log_scale(known, None)
        error = (latents - mean)[..., channel] * np.exp(-log_scale[..., channel])
        density = -0.5 * error**2 - log_scale[..., channel] - 0.5 * np.log(2 * np.pi)
        total += np.sum(density, axis=(1, 2))
    np.testing.assert_allclose(prior.log_prob(latents), total, rtol=1e-12)


@mar_networks
def test_density_integrates_to_one(make_prior):
    """By the trapezium rule over the two channels of one pixel."""
    prior = make_prior((1, 1, 2), kernel_size=1, dtype="float64")
    axis = np.linspace(-12.0, 12.0, 401)
    grid = np.array(list(itertools.product(axis, axis))).reshape(-1, 1, 1, 2)
    mass = np.sum(np.exp(prior.log_prob(grid))) * (axis[1] - axis[0]) ** 2
    assert mass == pytest.approx(1.0, abs=1e-6)


@mar_networks
@pytest.mark.parametrize("num_conditional_channels", [0, 2])
def test_sampling_inverts_standardisation(make_prior, num_conditional_channels):
    """Latents of noise, standardised under the parallel pass, are the noise again."""
    prior = make_prior((4, 6, 5), num_conditional_channels, dilation=2, dtype="float64")
    noise = tf.random.stateless_normal([3, 4, 6, 5], [1, 2], dtype="float64")
    rest = random_images(3, 4, 6, 2, dtype="float64") if num_conditional_channels else None
    latents = prior.latents_from_noise(noise, rest)
    mean, log_scale = prior._mean_and_log_scale(latents, rest)
    np.testing.assert_allclose((latents - mean) * np.exp(-log_scale), noise, atol=1e-12)
    # ... and the density follows by the change of variables.
    log_prob = np.sum(-0.5 * noise**2 - 0.5 * np.log(2 * np.pi) - log_scale, axis=(1, 2, 3))
    np.testing.assert_allclose(prior.log_prob(latents, conditional_input=rest), log_prob)


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-4), ("float64", 1e-10)])
@pytest.mark.parametrize(
    ("image_size", "kernel_size", "dilation", "num_images"),
    [
        ((4, 5), 3, 2, 2),  # Direct convolutions.
        ((4, 4), 5, 1, 2),  # Spectral ones, and dense matrices around them.
        ((4, 4), 5, 1, 9),  # The kernels are not compact.
        ((6, 4), 5, 2, 3),  # Spectral ones of phases, and neighbours gathered.
    ],
)
def test_values_and_gradients_are_those_of_the_plain_prior(
    image_size, kernel_size, dilation, num_images, dtype, tolerance
):
    """In graphs, where sampling is a loop that XLA compiles."""
    prior = mar_prior((*image_size, 3), 2, kernel_size=kernel_size, dilation=dilation, dtype=dtype)
    assert_equal_to_reference(prior, num_images, tolerance)


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-4), ("float64", 1e-10)])
@pytest.mark.parametrize(
    "options",
    [
        {"num_layers": 1},
        {"num_layers": 2, "dilation": 2},
        {"num_layers": 0},
        {"num_layers": 1, "kernel_size": 1},
        {"num_layers": 1, "family": "logistic"},
    ],
)
def test_values_and_gradients_are_those_of_the_plain_causal_prior(options, dtype, tolerance):
    prior = causal_prior((4, 5, 3), 2, dtype=dtype, **options)
    assert_equal_to_reference(prior, 2, tolerance)


def test_values_and_gradients_of_a_logistic_conv_lstm_are_those_of_the_plain_prior():
    prior = mar_prior((4, 5, 3), 2, family="logistic", dtype="float64")
    assert_equal_to_reference(prior, 2, 1e-10)


def test_a_pointwise_prior_reads_channels_at_their_pixel_and_the_conditional_input_around_it():
    prior = pointwise_prior((5, 5, 3), 2, num_layers=1, dtype="float64")
    latents, rest = (random_images(1, 5, 5, size, dtype="float64") for size in (3, 2))
    with tf.GradientTape() as tape:
        tape.watch([latents, rest])
        mean, log_scale = prior._mean_and_log_scale(latents, rest)
        centre = tf.reduce_sum(mean[0, 2, 2] + 2.0 * log_scale[0, 2, 2])
    of_latents, of_rest = tape.gradient(centre, [latents, rest])
    own_pixel, around = np.zeros([5, 5], bool), np.zeros([5, 5], bool)
    own_pixel[2, 2], around[1:4, 1:4] = True, True
    np.testing.assert_array_equal(np.any(of_latents[0], axis=-1), own_pixel)
    np.testing.assert_array_equal(np.any(of_rest[0], axis=-1), around)


def test_samples_of_a_bfloat16_network_are_those_of_the_full_dtype():
    noise = tf.random.stateless_normal([2, 4, 4, 3], [1, 2])
    rest = random_images(2, 4, 4, 2)
    full, bfloat16 = (
        pointwise_prior((4, 4, 3), 2, network_dtype=network_dtype).latents_from_noise(noise, rest)
        for network_dtype in (None, "bfloat16")
    )
    np.testing.assert_array_equal(bfloat16, full)


def assert_equal_to_reference(prior, num_images, tolerance):
    """Latents of noise, densities and all gradients, in a graph, are those of float64.

    The plain form in float32 is further from them than the fast one, by 1e-4 on some processors.
    """
    dtype, (*image_size, _) = prior.dtype, prior.event_shape
    shape = [num_images, *prior.event_shape]
    noise = tf.random.stateless_normal(shape, [1, 2], dtype=dtype)
    rest = random_images(num_images, *image_size, 2, dtype=dtype)
    exact = prior.copy(dtype=tf.float64)
    for variable, weights in zip(exact.variables, prior.variables, strict=True):
        variable.assign(tf.cast(weights, tf.float64))

    def fast(noise, rest):
        latents = prior.latents_from_noise(noise, rest)
        return latents, prior.log_prob(noise, conditional_input=rest)

    def plain(noise, rest):
        latents = reference.sample_prior(exact, noise, rest)
        mean, log_scale = reference.mean_and_log_scale(exact, noise, rest)
        return latents, reference.log_density(exact, noise, mean, log_scale)

    def values_and_gradients(function, prior, *arguments):
        with tf.GradientTape() as tape:
            tape.watch(arguments)
            values = function(*arguments)
            loss = tf.add_n([tf.reduce_sum(tf.sin(value)) for value in values])
        return *values, *tape.gradient(loss, [*arguments, *prior.trainable_variables])

    actual = tf.function(values_and_gradients, autograph=False)(fast, prior, noise, rest)
    arguments = [tf.cast(argument, tf.float64) for argument in (noise, rest)]
    for one, other in zip(actual, values_and_gradients(plain, exact, *arguments), strict=True):
        scale = max(1.0, np.max(np.abs(other)))
        np.testing.assert_allclose(one, other, rtol=0.0, atol=tolerance * scale)


def test_samples_follow_the_density():
    """The entropy from samples is that of the conditional Normals."""
    prior = mar_prior((2, 2, 3), dtype="float64")
    samples, log_prob = prior.experimental_sample_and_log_prob(4000, seed=1)
    np.testing.assert_allclose(log_prob, prior.log_prob(samples), rtol=1e-10)
    _, log_scale = prior._mean_and_log_scale(samples, None)
    entropy = np.sum(log_scale + 0.5 * np.log(2 * np.pi * np.e), axis=(1, 2, 3))
    error = np.std(log_prob + entropy) / np.sqrt(4000)
    assert np.mean(-log_prob) == pytest.approx(np.mean(entropy), abs=4 * error)


@all_priors
@pytest.mark.parametrize("leading_shape", [(), (3,), (2, 3)])
def test_conditional_input_brings_its_leading_shape(make_prior, leading_shape):
    prior = make_prior((4, 4, 3), 2)
    rest = random_images(*leading_shape, 4, 4, 2)
    samples = prior.sample(5, seed=1, conditional_input=rest)
    assert samples.shape == (5, *leading_shape, 4, 4, 3)
    log_prob = prior.log_prob(samples, conditional_input=rest)
    assert log_prob.shape == (5, *leading_shape)
    np.testing.assert_allclose(
        log_prob[2], prior.log_prob(samples[2], conditional_input=rest), rtol=1e-4
    )


@all_priors
def test_unsuitable_conditional_input_is_named(make_prior):
    prior = make_prior((4, 4, 3), 2)
    latents = tf.zeros([2, 4, 4, 3])
    with pytest.raises(ValueError, match=r"`conditional_input` .* got None"):
        prior.log_prob(latents)
    with pytest.raises(ValueError, match=r"event shape \(4, 4, 2\); got \(2, 4, 4, 3\)"):
        prior.sample(conditional_input=latents, seed=1)
    with pytest.raises(ValueError, match="must be None"):
        make_prior((4, 4, 3)).log_prob(latents, conditional_input=latents)


def test_a_new_causal_prior_is_a_standard_normal():
    prior = MarPrior((4, 4, 3), 2, network="causal", hidden_channels=4, num_layers=1, seed=1)
    latents, rest = random_images(2, 4, 4, 3), random_images(2, 4, 4, 2, seed=1)
    expected = reference.normal_log_density(latents, 0.0, 0.0)
    np.testing.assert_allclose(prior.log_prob(latents, conditional_input=rest), expected, rtol=1e-6)
    np.testing.assert_array_equal(prior.latents_from_noise(latents, rest), latents)


def test_log_scales_of_a_causal_prior_are_bounded():
    prior = causal_prior((4, 4, 6), 2)
    prior.network.layer.output_convolution.bias.assign([1e6] * 6 + [1e6, -1e6] * 3)
    latents, rest = 1e6 * random_images(2, 4, 4, 6), random_images(2, 4, 4, 2)
    _, log_scale = prior._mean_and_log_scale(latents, rest)
    assert np.max(np.abs(log_scale)) == 4.0
    assert np.all(np.isfinite(prior.log_prob(latents, conditional_input=rest)))


def test_an_unknown_network_is_named():
    with pytest.raises(ValueError, match=r"`network` must be one of .*; got 'gru'"):
        MarPrior((4, 4, 3), network="gru")


def test_gaussian_prior_is_standard_normal_without_and_learned_with_conditional_input():
    prior = randomize(GaussianPrior((2, 2, 3), 2, dtype="float64"))
    latents = random_images(3, 2, 2, 3, dtype="float64")
    rest = random_images(3, 2, 2, 2, dtype="float64", seed=1)
    mean, log_scale = prior._mean_and_log_scale(latents, rest)
    expected = reference.normal_log_density(latents, mean, log_scale)
    np.testing.assert_allclose(prior.log_prob(latents, conditional_input=rest), expected)
    for actual, plain in zip(
        (mean, log_scale), reference.mean_and_log_scale(prior, latents, rest), strict=True
    ):
        np.testing.assert_allclose(actual, plain, rtol=1e-12, atol=1e-12)
    assert greatest_difference(
        prior.log_prob(latents, conditional_input=rest),
        prior.log_prob(latents, conditional_input=rest + 1.0),
    ) > 1e-6  # fmt: skip


def test_split_prior_scores_the_rest_and_the_latents_given_it():
    rest_prior = mar_prior((4, 4, 2), dtype="float64")
    prior = mar_prior((4, 4, 2), 2, dtype="float64")
    split = SplitPrior(rest_prior, prior)
    assert isinstance(split, ImageDistribution)
    assert split.event_shape == (4, 4, 4)
    hidden = split.sample(3, seed=1)
    rest, latents = hidden[..., :2], hidden[..., 2:]
    expected = rest_prior.log_prob(rest) + prior.log_prob(latents, conditional_input=rest)
    np.testing.assert_allclose(split.log_prob(hidden), expected, rtol=1e-12)
    np.testing.assert_array_equal(hidden, split.sample(3, seed=1))


@all_priors
def test_every_weight_trains(make_prior):
    prior = make_prior((4, 4, 3), 2)
    rest, latents = random_images(2, 4, 4, 2), random_images(2, 4, 4, 3, seed=1)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(prior.log_prob(latents, conditional_input=rest))
    assert prior.trainable_variables
    for variable, gradient in zip(
        prior.trainable_variables, tape.gradient(loss, prior.trainable_variables), strict=True
    ):
        assert gradient is not None, variable.name
