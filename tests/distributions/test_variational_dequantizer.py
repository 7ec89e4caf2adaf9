"""Learned dequantization noise."""

import copy
import itertools
import pickle

import numpy as np
import pytest
import scipy.special
import tensorflow as tf
import tensorflow_probability as tfp

from tests.bijectors.test_bijectors import jacobian_log_det
from tests.small_models import randomize, small_model
from tf_marscf import Dequantized, reference_dequantizer
from tf_marscf.distributions import VariationalDequantizer
from tf_marscf.distributions.pixel_scaling import PixelScaling
from tf_marscf.errors import InputError, InputTypeError

NUM_GREY_LEVELS = 17


def new_dequantizer(image_shape=(4, 6, 1), num_grey_levels=NUM_GREY_LEVELS, **kwargs):
    options = {"num_steps": 2, "hidden_channels": 4, "seed": 1} | kwargs
    return VariationalDequantizer(image_shape, num_grey_levels, **options)


def small_dequantizer(*args, scale=0.2, **kwargs):
    """One with random weights."""
    return randomize(new_dequantizer(*args, **kwargs), scale=scale)


def random_pixels(*shape, num_grey_levels=NUM_GREY_LEVELS, seed=0):
    return np.random.default_rng(seed).integers(num_grey_levels, size=shape).astype(np.uint8)


def normal_noise(*shape, dtype="float64", seed=0):
    return tf.random.stateless_normal(shape, [seed, 3], dtype=dtype)


@pytest.mark.parametrize("is_initialized", [False, True])
@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 2e-5), ("float64", 1e-12)])
def test_new_noise_is_uniform(is_initialized, dtype, tolerance):
    dequantizer = new_dequantizer((8, 8, 1), dtype=dtype)
    pixels = random_pixels(100, 8, 8, 1)
    if is_initialized:
        dequantizer.initialize(pixels, seed=2)
    noise, log_prob = dequantizer.experimental_sample_and_log_prob(seed=1, conditional_input=pixels)
    np.testing.assert_allclose(log_prob, np.zeros(100), atol=tolerance)
    counts, _ = np.histogram(noise, bins=10, range=(0.0, 1.0))
    # Chi-squared with 9 degrees of freedom: above 27.9 once in a thousand.
    assert np.sum((counts - 640.0) ** 2 / 640.0) < 27.9


def test_initialization_sets_the_networks_from_the_batch():
    dequantizer, pixels = new_dequantizer(), random_pixels(50, 4, 6, 1)
    dequantizer.initialize(pixels, seed=1)
    *_, last = dequantizer.flow.bijectors
    assert not np.any(last.act_norm.bias) and not np.any(last.act_norm.log_scale)
    for act_norm in last.network.layer.act_norms:
        assert np.all(np.asarray(act_norm.log_scale) != 0.0)


def test_log_prob_is_that_of_the_noise_that_was_drawn():
    dequantizer = small_dequantizer(dtype="float64")
    pixels = random_pixels(3, 4, 6, 1)
    noise, log_prob = dequantizer.experimental_sample_and_log_prob(
        2, seed=1, conditional_input=pixels
    )
    assert noise.shape == (2, 3, 4, 6, 1) and log_prob.shape == (2, 3)
    assert np.std(log_prob) > 0.1
    np.testing.assert_allclose(
        dequantizer.log_prob(noise, conditional_input=pixels), log_prob, rtol=1e-6
    )
    np.testing.assert_array_equal(dequantizer.sample(2, seed=1, conditional_input=pixels), noise)


def test_log_prob_is_the_change_of_volume():
    dequantizer = small_dequantizer(dtype="float64")
    pixels, noise = random_pixels(4, 6, 1), normal_noise(4, 6, 1)
    _, log_prob = dequantizer.transform_noise(noise, pixels)
    log_normal = tf.reduce_sum(tfp.distributions.Normal(np.float64(0.0), 1.0).log_prob(noise))
    log_det = jacobian_log_det(lambda noise: dequantizer.transform_noise(noise, pixels)[0], noise)
    np.testing.assert_allclose(log_prob, log_normal - log_det, rtol=1e-9)


def test_density_integrates_to_one():
    """Over the cube of four pixels, at u = Phi(t) for the nodes t of a Gauss-Hermite rule."""
    dequantizer = small_dequantizer((2, 2, 1), dtype="float64", scale=0.1)
    nodes, weights = np.polynomial.hermite_e.hermegauss(12)
    points = itertools.product(scipy.special.ndtr(nodes), repeat=4)
    points = np.array(list(points)).reshape(-1, 2, 2, 1)
    weights = np.prod(list(itertools.product(weights / np.sum(weights), repeat=4)), axis=-1)
    density = dequantizer.prob(points, conditional_input=random_pixels(2, 2, 1)).numpy()
    assert np.std(density) > 0.1
    assert np.sum(weights * density) == pytest.approx(1.0, abs=1e-4)


def test_outside_of_the_cell_there_is_no_density():
    dequantizer, pixels = small_dequantizer(), random_pixels(3, 4, 6, 1)
    noise = np.full([3, 4, 6, 1], 0.5, np.float32)
    noise[1, 2, 3, 0], noise[2, 0, 0, 0] = 1.5, -0.1
    log_prob = dequantizer.log_prob(noise, conditional_input=pixels)
    assert np.isfinite(log_prob[0]) and np.all(log_prob[1:] == -np.inf)


@pytest.mark.parametrize("published", [False, True])
@pytest.mark.parametrize("num_grey_levels", [2, 17, 256])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_noise_stays_in_its_grey_level(published, num_grey_levels, dtype):
    """Also where it is so far from zero that Phi is rounded to 0 or 1."""
    dequantizer = new_dequantizer((16, 16, 1), num_grey_levels, dtype=dtype)
    pixels = np.arange(256).reshape(16, 16, 1) % num_grey_levels
    noise = normal_noise(200, 16, 16, 1, dtype=dtype)
    noise *= tf.reshape(tf.cast(10.0 ** np.linspace(-6, 6, 200), dtype), [200, 1, 1, 1])
    pixels = np.broadcast_to(pixels, noise.shape).astype(np.uint8)
    values, log_prob = dequantizer.transform_noise(noise, pixels)
    assert np.all((values > 0.0) & (values < 1.0))
    assert np.all(np.isfinite(log_prob))
    scaling = PixelScaling(num_grey_levels, published)
    np.testing.assert_array_equal(scaling.grey_levels(scaling.continuous(pixels, values)), pixels)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 30.0, 1e3])
def test_gradients_are_finite_in_the_tails(scale):
    dequantizer = small_dequantizer(scale=0.05)
    noise, pixels = scale * normal_noise(2, 4, 6, 1, dtype="float32"), random_pixels(2, 4, 6, 1)
    with tf.GradientTape() as tape:
        tape.watch(noise)
        values, log_prob = dequantizer.transform_noise(noise, pixels)
        loss = tf.reduce_sum(log_prob) + tf.reduce_sum(values)
    for gradient in tape.gradient(loss, [noise, *dequantizer.trainable_variables]):
        assert np.all(np.isfinite(gradient))


def test_noise_depends_on_the_image_and_on_every_weight():
    dequantizer, noise = small_dequantizer(dtype="float64"), normal_noise(4, 6, 1)
    first, second = random_pixels(4, 6, 1), random_pixels(4, 6, 1, seed=1)
    assert np.all(
        dequantizer.transform_noise(noise, first)[0]
        != dequantizer.transform_noise(noise, second)[0]
    )
    with tf.GradientTape() as tape:
        values, log_prob = dequantizer.transform_noise(noise, first)
        loss = log_prob + tf.reduce_sum(values)
    variables = dequantizer.trainable_variables
    assert all(np.any(gradient) for gradient in tape.gradient(loss, variables))


@pytest.mark.parametrize("leading_shape", [(), (2,), (2, 3), (0,)])
def test_any_leading_shape(leading_shape):
    dequantizer = small_dequantizer(dtype="float64")
    pixels, noise = random_pixels(*leading_shape, 4, 6, 1), normal_noise(*leading_shape, 4, 6, 1)
    values, log_prob = dequantizer.transform_noise(noise, pixels)
    assert values.shape == noise.shape and log_prob.shape == leading_shape
    flat = (tf.reshape(maps, [-1, 4, 6, 1]) for maps in (noise, pixels))
    flat_values, flat_log_prob = dequantizer.transform_noise(*flat)
    np.testing.assert_allclose(values, tf.reshape(flat_values, values.shape), rtol=1e-12)
    np.testing.assert_allclose(log_prob, tf.reshape(flat_log_prob, leading_shape), rtol=1e-12)


def test_unknown_batch_size_and_rank():
    dequantizer = small_dequantizer(dtype="float64")
    pixels, noise = random_pixels(3, 4, 6, 1), normal_noise(3, 4, 6, 1)
    expected = dequantizer.transform_noise(noise, pixels)
    for shape in ([None, 4, 6, 1], None):
        specs = [tf.TensorSpec(shape, tf.float64), tf.TensorSpec(shape, tf.uint8)]
        traced = tf.function(dequantizer.transform_noise, input_signature=specs, autograph=False)
        for one, other in zip(traced(noise, pixels), expected, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-12)


def test_one_noise_for_all_images_broadcasts():
    dequantizer = small_dequantizer(dtype="float64")
    pixels, noise = random_pixels(3, 4, 6, 1), normal_noise(4, 6, 1)
    values, log_prob = dequantizer.transform_noise(noise, pixels)
    for index in range(3):
        alone = dequantizer.transform_noise(noise, pixels[index])
        np.testing.assert_allclose(values[index], alone[0], rtol=1e-12)
        np.testing.assert_allclose(log_prob[index], alone[1], rtol=1e-12)


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))])
def test_deep_copies_have_equal_weights_of_their_own(duplicate):
    dequantizer, noise, pixels = small_dequantizer(), normal_noise(4, 6, 1), random_pixels(4, 6, 1)
    noise = tf.cast(noise, tf.float32)
    before = dequantizer.transform_noise(noise, pixels)[0]
    twin = duplicate(dequantizer)
    np.testing.assert_array_equal(twin.transform_noise(noise, pixels)[0], before)
    for variable in twin.trainable_variables:
        variable.assign_add(0.1 * tf.ones_like(variable))
    np.testing.assert_array_equal(dequantizer.transform_noise(noise, pixels)[0], before)


def test_one_is_built_from_its_config():
    dequantizer = new_dequantizer()
    twin = VariationalDequantizer(**dequantizer.get_config())
    for one, other in zip(dequantizer.variables, twin.variables, strict=True):
        np.testing.assert_array_equal(one, other)
    assert twin.config == dequantizer.config


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda one: one.sample(seed=1), InputError, r"uint8 images \(4, 6, 1\); got None"),
        (
            lambda one: one.sample(seed=1, conditional_input=np.zeros([4, 6, 1], np.float32)),
            InputTypeError,
            r"must be uint8 images \(4, 6, 1\); got float32",
        ),
        (
            lambda one: one.sample(seed=1, conditional_input=np.zeros([4, 4, 1], np.uint8)),
            InputError,
            r"must be uint8 images \(4, 6, 1\); got \(4, 4, 1\)",
        ),
        (lambda one: new_dequantizer((4, 5, 1)), InputError, r"even height and width; got \(4, 5"),
        (lambda one: new_dequantizer(num_steps=0), InputError, "`dequantizer_num_steps` must be"),
        (lambda one: new_dequantizer(num_steps=10**5), InputError, "at most 10000 steps"),
        (lambda one: new_dequantizer(hidden_channels=10**6), InputError, "GiB of weights"),
        (
            lambda one: Dequantized(small_model(), 17, dequantizer=one),
            InputError,
            r"`dequantizer` must be of event_shape \(8, 8, 1\), num_grey_levels 17.*got.*\(4, 6",
        ),
    ],
)  # fmt: skip
def test_bad_arguments_are_named(call, error, message):
    with pytest.raises(error, match=message):
        call(new_dequantizer())


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-4), ("float64", 1e-10)])
def test_reference(dtype, tolerance):
    """Values and gradients are those of the model in plain TensorFlow."""
    images = Dequantized(
        small_model(dtype=dtype, prior="gaussian"),
        NUM_GREY_LEVELS,
        dequantizer=small_dequantizer((8, 8, 1), dtype=dtype, scale=0.1),
    )
    pixels, noise = random_pixels(2, 8, 8, 1), 0.5 * normal_noise(2, 8, 8, 1, dtype=dtype)

    def fast(noise):
        continuous, log_noise_prob = images.dequantize_with(noise, pixels)
        bound = images.distribution.log_prob(continuous) - log_noise_prob
        return bound + images.scaling.log_volume(images.num_dimensions)

    results = []
    for function in (
        tf.function(fast, autograph=False),
        lambda noise: reference_dequantizer.log_prob(images, pixels, noise),
    ):
        with tf.GradientTape() as tape:
            tape.watch(noise)
            bound = function(noise)
            loss = tf.reduce_sum(bound)
        results.append([bound, *tape.gradient(loss, [noise, *images.trainable_variables])])
    for actual, expected in zip(*results, strict=True):
        atol = tolerance * max(1.0, np.max(np.abs(expected)))
        np.testing.assert_allclose(actual, expected, rtol=0.0, atol=atol)
