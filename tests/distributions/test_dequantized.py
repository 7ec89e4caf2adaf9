"""8-bit images around a continuous density."""

import itertools

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

from tests.small_models import randomize, small_model
from tf_marscf import Dequantized
from tf_marscf.distributions import GaussianPrior, VariationalDequantizer
from tf_marscf.distributions.bits_per_dim import importance_weighted_bound
from tf_marscf.distributions.pixel_scaling import PixelScaling


def random_pixels(*shape, num_grey_levels=256, seed=0):
    return np.random.default_rng(seed).integers(num_grey_levels, size=shape).astype(np.uint8)


@pytest.fixture(scope="module", name="model")
def fixture_model():
    return small_model(dtype="float64")


def test_default_scaling_fills_the_interval_and_the_published_one_is_as_published():
    pixels, noise = np.array([0, 100, 255], np.uint8), np.array([0.0, 0.25, 0.75])
    np.testing.assert_allclose(
        PixelScaling().continuous(pixels, noise), (pixels + noise) / 256 - 0.5, rtol=1e-15
    )
    np.testing.assert_allclose(
        PixelScaling(published=True).continuous(pixels, noise), pixels / 255 - 0.5 + noise / 256
    )


@pytest.mark.parametrize("published", [False, True])
@pytest.mark.parametrize("num_grey_levels", [2, 17, 256])
def test_every_grey_level_survives_the_round_trip(published, num_grey_levels):
    scaling = PixelScaling(num_grey_levels, published)
    pixels = np.arange(num_grey_levels, dtype=np.uint8)
    for noise in (0.001, 0.5, 0.999):
        values = scaling.continuous(pixels, np.full(num_grey_levels, noise))
        np.testing.assert_array_equal(scaling.grey_levels(values), pixels)
    np.testing.assert_array_equal(
        scaling.grey_levels(tf.constant([-9.0, 9.0])), [0, num_grey_levels - 1]
    )


@pytest.mark.parametrize("published_scaling", [False, True])
def test_log_prob_is_the_density_times_the_volume_of_a_grey_level(model, published_scaling):
    images = Dequantized(model, published_scaling=published_scaling)
    pixels = random_pixels(3, 8, 8, 1)
    # The draw behind `log_prob` is the first of those split off its seed.
    (seed,) = tf.unstack(tf.random.split([0, 5], 1, alg="philox"))
    continuous = images.dequantize(pixels, seed=seed)
    expected = model.log_prob(continuous) - 64 * np.log(256.0)
    np.testing.assert_allclose(images.log_prob(pixels, seed=5), expected, rtol=1e-12)


@pytest.mark.parametrize("num_grey_levels", [5, 256])
def test_bits_per_dim_is_log_prob_in_other_units(model, num_grey_levels):
    images = Dequantized(model, num_grey_levels=num_grey_levels)
    pixels = random_pixels(2, 3, 8, 8, 1, num_grey_levels=num_grey_levels)
    bits = images.bits_per_dim(pixels, seed=1)
    assert bits.shape == (2, 3)
    np.testing.assert_allclose(bits, -images.log_prob(pixels, seed=1) / (64 * np.log(2.0)))


def test_noise_is_uniform_within_the_grey_level(model):
    images = Dequantized(model)
    pixels = np.full((200, 8, 8, 1), 7, np.uint8)
    noise = (images.dequantize(pixels, seed=1) + 0.5) * 256 - 7
    assert np.all((noise >= 0.0) & (noise < 1.0))
    counts, _ = np.histogram(noise, bins=10, range=(0.0, 1.0))
    # Chi-squared with 9 degrees of freedom: above 27.9 once in a thousand.
    assert np.sum((counts - 1280.0) ** 2 / 1280.0) < 27.9


def test_probabilities_of_all_images_sum_to_one():
    """Two pixels of three grey levels around a Normal: the nine images and the two tails."""
    density = tfp.distributions.Independent(
        tfp.distributions.Normal(tf.zeros([1, 2, 1], tf.float64), 0.2), 3
    )
    images = Dequantized(density, num_grey_levels=3)
    pixels = np.array(list(itertools.product(range(3), repeat=2)), np.uint8).reshape(9, 1, 2, 1)
    probabilities = np.exp(images.log_prob(pixels, seed=0, num_samples=500))
    cell_mass = np.diff(
        density.distribution.cdf(np.array([-0.5, -1 / 6, 1 / 6, 0.5])[:, None, None, None])[
            :, 0, 0, 0
        ]
    )  # noqa: E501
    expected = [cell_mass[first] * cell_mass[second] for first, second in pixels.reshape(9, 2)]
    np.testing.assert_allclose(probabilities, expected, rtol=0.1)
    assert np.sum(probabilities) == pytest.approx(np.sum(expected), rel=0.03)


def test_more_samples_tighten_the_bound():
    """The expected importance-weighted bound grows with the number of draws."""
    prior = randomize(GaussianPrior((2, 2, 1), dtype="float64"), scale=1.0)
    density = tfp.distributions.TransformedDistribution(prior, tfp.bijectors.Scale(np.float64(0.1)))
    images = Dequantized(density, num_grey_levels=2)
    pixels = np.tile(random_pixels(1, 2, 2, 1, num_grey_levels=2), [500, 1, 1, 1])
    bounds = [np.mean(images.log_prob(pixels, seed=1, num_samples=count)) for count in (1, 4, 64)]
    assert bounds[0] < bounds[1] < bounds[2]


def test_samples_are_uint8_reproducible_and_below_the_number_of_grey_levels(model):
    images = Dequantized(model, num_grey_levels=5)
    samples = images.sample([2, 3], seed=1)
    assert samples.dtype == tf.uint8
    assert samples.shape == (2, 3, 8, 8, 1)
    assert np.max(samples) <= 4
    np.testing.assert_array_equal(samples, images.sample([2, 3], seed=1))
    np.testing.assert_array_equal(samples, images.scaling.grey_levels(model.sample([2, 3], seed=1)))


def test_a_sample_that_is_not_finite_is_an_error():
    model = small_model()
    model.levels[1].latent_prior.variables[0].assign(
        np.nan * model.levels[1].latent_prior.variables[0]
    )
    with pytest.raises(tf.errors.InvalidArgumentError, match="not finite"):
        Dequantized(model).sample(2, seed=1)


def test_every_weight_of_the_density_is_listed(model):
    assert len(Dequantized(model).trainable_variables) == len(model.trainable_variables)


def test_seed_and_dropout_reach_the_density():
    images = Dequantized(small_model(coupling="mixlogcdf", dropout_rate=0.5))
    pixels = random_pixels(2, 8, 8, 1)
    first = images.log_prob(pixels, seed=1)
    np.testing.assert_array_equal(first, images.log_prob(pixels, seed=1))
    assert np.all(first != images.log_prob(pixels, seed=2))
    assert np.all(first != images.log_prob(pixels, seed=1, dropout_seed=[1, 2]))


@pytest.mark.parametrize("num_grey_levels", [1, 257, 0])
def test_unsuitable_number_of_grey_levels_is_named(model, num_grey_levels):
    with pytest.raises(ValueError, match=f"between 2 and 256; got {num_grey_levels}"):
        Dequantized(model, num_grey_levels=num_grey_levels)


@pytest.mark.parametrize(
    ("pixels", "error", "message"),
    [
        (np.zeros([8, 8, 1], np.float32), TypeError, "dtype uint8; got float32"),
        (np.zeros([8, 8, 1], np.int32), TypeError, "dtype uint8; got int32"),
        (np.zeros([8, 8, 3], np.uint8), ValueError, r"got \(8, 8, 3\)"),
        (np.zeros([8, 8], np.uint8), ValueError, r"got \(8, 8\)"),
    ],
)
def test_unsuitable_pixels_are_named(model, pixels, error, message):
    for method in (Dequantized(model).log_prob, Dequantized(model).dequantize):
        with pytest.raises(error, match=message):
            method(pixels)


def test_unsuitable_number_of_samples_is_named(model):
    with pytest.raises(ValueError, match="`num_samples` must be an integer >= 1; got 0"):
        Dequantized(model).log_prob(random_pixels(1, 8, 8, 1), num_samples=0)


def test_validate_args_refuses_pixels_above_the_grey_levels(model):
    images = Dequantized(model, num_grey_levels=5, validate_args=True)
    pixels = random_pixels(1, 8, 8, 1, num_grey_levels=5)
    images.log_prob(pixels, seed=1)
    with pytest.raises(tf.errors.InvalidArgumentError, match="below num_grey_levels"):
        images.log_prob(pixels + 1, seed=1)


class TestVariational:
    """Four pixels of two grey levels around a Normal, whose masses are known."""

    def images(self, loc=0.0, scale=0.2, noise_of_weights=0.05):
        density = tfp.distributions.Independent(
            tfp.distributions.Normal(tf.fill([2, 2, 1], np.float64(loc)), scale), 3
        )
        dequantizer = VariationalDequantizer(
            (2, 2, 1), 2, num_steps=2, hidden_channels=4, seed=1, dtype="float64"
        )
        randomize(dequantizer, scale=noise_of_weights)
        return Dequantized(density, 2, dequantizer=dequantizer)

    def log_mass(self, images, pixels):
        normal = images.distribution.distribution
        edges = np.array([-0.5, 0.0, 0.5]).reshape(3, 1, 1, 1)
        masses = np.diff(normal.cdf(edges), axis=0)[:, 0, 0, 0]
        return np.sum(np.log(masses[pixels]), axis=(-3, -2, -1))

    def test_bound_rises_with_the_draws_to_the_log_probability(self):
        images = self.images(scale=0.4)
        pixels = random_pixels(2, 2, 1, num_grey_levels=2)
        exact = self.log_mass(images, pixels)
        many = np.tile(pixels, [4000, 1, 1, 1])
        bounds = [np.mean(images.log_prob(many, seed=1, num_samples=count)) for count in (1, 4)]
        assert bounds[0] + 0.05 < bounds[1] < exact
        # What `num_samples=4000` gives, all draws at once.
        continuous, log_noise_prob = images.dequantize_with(images.noise(many, seed=2), many)
        terms = images.distribution.log_prob(continuous) - log_noise_prob
        bound = importance_weighted_bound(terms) + images.scaling.log_volume(4)
        assert bound.numpy() == pytest.approx(exact, abs=0.05)

    def test_trained_noise_makes_the_bound_tight(self):
        """Uniform noise loses 1.35 nats, a narrow q in the middle of the cell next to none."""
        images = self.images(loc=0.25, scale=0.1, noise_of_weights=0.0)
        pixels = np.ones([100, 2, 2, 1], np.uint8)
        optimizer = tf.keras.optimizers.Adam(0.03)
        variables = images.trainable_variables
        optimizer.build(variables)

        @tf.function(autograph=False)
        def step(seed):
            with tf.GradientTape() as tape:
                bound = tf.reduce_mean(images.log_prob(pixels, seed=seed))
                loss = -bound
            optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
            return bound

        exact = self.log_mass(images, pixels[0])
        gaps = [exact - step(tf.constant([3, index])).numpy() for index in range(100)]
        assert gaps[0] == pytest.approx(1.35, abs=0.3)
        assert 0.0 < np.mean(gaps[-10:]) < 0.2

    def test_noise_within_the_grey_level_and_its_log_density(self):
        images = self.images()
        pixels = random_pixels(3, 2, 2, 1, num_grey_levels=2)
        continuous, log_noise_prob = images.dequantize_with(images.noise(pixels, 5), pixels)
        np.testing.assert_array_equal(continuous, images.dequantize(pixels, seed=5))
        np.testing.assert_array_equal(images.scaling.grey_levels(continuous), pixels)
        (seed,) = tf.unstack(tf.random.split([0, 5], 1, alg="philox"))
        continuous, log_noise_prob = images.dequantize_with(images.noise(pixels, seed), pixels)
        expected = images.distribution.log_prob(continuous) - log_noise_prob - 4 * np.log(2.0)
        np.testing.assert_allclose(images.log_prob(pixels, seed=5), expected, rtol=1e-12)

    def test_every_weight_is_listed_after_those_of_the_density(self):
        model = small_model(dtype="float64")
        dequantizer = VariationalDequantizer((8, 8, 1), dtype="float64", seed=1)
        images = Dequantized(model, dequantizer=dequantizer)
        expected = [*map(id, model.variables), *map(id, dequantizer.variables)]
        assert [id(variable) for variable in images.variables] == expected
        twin = images.copy(name="twin")
        assert [id(variable) for variable in twin.variables] == expected

    def test_uniform_noise_has_log_density_zero(self, model):
        images = Dequantized(model)
        pixels = random_pixels(2, 8, 8, 1)
        noise = images.noise(pixels, seed=1)
        continuous, log_noise_prob = images.dequantize_with(noise, pixels)
        assert log_noise_prob.numpy() == 0.0
        np.testing.assert_array_equal(continuous, images.scaling.continuous(pixels, noise))
