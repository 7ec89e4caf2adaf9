"""Where in an image its bits/dim come from: parts that add up to it."""

import math

import numpy as np
import pytest
import tensorflow as tf

import tf_marscf
from tests.small_models import BOTH_OF_ALL, random_images, randomize, small_model
from tf_marscf.bijectors import ActNorm, ImageChain, InvertibleConv1x1, Squeeze
from tf_marscf.bijectors.coupling import AffineCoupling, MixLogCdfCoupling
from tf_marscf.bijectors.residual_block import ResidualBlock
from tf_marscf.distributions import VariationalDequantizer
from tf_marscf.distributions.density_maps import bits_per_dim_maps, spread_over_pixels
from tf_marscf.errors import InputError
from tf_marscf.stateless_seed import split_seed, stateless_seed

MODELS = [
    *BOTH_OF_ALL,
    {"coupling": "affine", "prior": "mar", "prior_network": "causal", "num_classes": 3},
    {"coupling": "residual", "prior": "gaussian", "num_levels": 1},
    {"image_shape": (4, 8, 3), "num_levels": 2, "prior": "gaussian"},
]


def small_images_distribution(num_grey_levels=17, **options):
    return tf_marscf.Dequantized(small_model(dtype="float64", **options), num_grey_levels)


def random_pixels(distribution, count=2):
    generator = np.random.default_rng(0)
    shape = [count, *distribution.event_shape]
    return generator.integers(distribution.num_grey_levels, size=shape).astype(np.uint8)


@pytest.mark.parametrize("options", MODELS, ids=str)
def test_the_parts_add_up_to_bits_per_dim(options):
    distribution = small_images_distribution(**options)
    pixels = random_pixels(distribution)
    of_class = {} if distribution.num_classes is None else {"label": tf.constant([2, 0])}
    maps = bits_per_dim_maps(distribution, pixels, seed=4, **of_class).numpy()
    num_levels = len(distribution.distribution.levels)
    assert maps.shape == (num_levels + 1, 2, *distribution.event_shape[:2])
    log_prob = distribution.log_prob(pixels, seed=4, **of_class).numpy()
    size = distribution.num_dimensions
    np.testing.assert_allclose(
        maps.sum(axis=(0, 2, 3)), -log_prob / (size * math.log(2.0)), rtol=1e-12
    )
    # Those of a level are its own terms.
    noise = distribution.noise(pixels, split_seed(stateless_seed(4), 1)[0])
    images = distribution.scaling.continuous(pixels, noise)
    terms = distribution.distribution.log_prob_parts(images, **of_class)
    of_levels = -np.add(*terms) / (size * math.log(2.0))
    np.testing.assert_allclose(maps[1:].sum(axis=(2, 3)), of_levels, rtol=1e-9, atol=1e-12)


def test_parts_of_learned_noise_add_up_too():
    distribution = small_images_distribution(num_levels=1, prior="gaussian")
    dequantizer = VariationalDequantizer((8, 8, 1), 17, 1, 4, seed=3, dtype="float64")
    distribution = distribution.copy(dequantizer=randomize(dequantizer))
    pixels = random_pixels(distribution)
    maps = bits_per_dim_maps(distribution, pixels, seed=4).numpy()
    expected = distribution.bits_per_dim(pixels, seed=4)
    np.testing.assert_allclose(maps.sum(axis=(0, 2, 3)), expected, rtol=1e-12)
    assert maps[0].std() > 0.0
    noise = distribution.noise(pixels, 1)
    values, log_prob = dequantizer.transform_noise(noise, pixels)
    same, log_prob_map = dequantizer.transform_noise_with_map(noise, pixels)
    np.testing.assert_array_equal(same, values)
    np.testing.assert_allclose(tf.reduce_sum(log_prob_map, [1, 2]), log_prob, rtol=1e-10)


def test_the_prior_of_a_position_goes_evenly_to_its_pixels():
    """A new model with Gaussian priors, where all is known but the flow of an image."""
    model = tf_marscf.MarScf(
        (8, 8, 1), num_levels=2, num_steps=1, hidden_channels=4, prior="gaussian",
        dtype="float64", seed=0,
    )  # fmt: skip
    distribution = tf_marscf.Dequantized(model, 4)
    pixels = random_pixels(distribution)
    maps = bits_per_dim_maps(distribution, pixels, seed=0).numpy()
    np.testing.assert_allclose(maps[0], 2.0 / 64, rtol=1e-12)
    noise = distribution.noise(pixels, split_seed(stateless_seed(0), 1)[0])
    latents = model.latents(distribution.scaling.continuous(pixels, noise))
    for level, values in enumerate(latents, start=1):
        bits = np.sum(np.square(values), axis=3) / (2.0 * 64 * math.log(2.0) * 4**level)
        constant = maps[level] - bits.repeat(2**level, axis=1).repeat(2**level, axis=2)
        # The rest is the same everywhere: normalizers and log-dets of a new model.
        np.testing.assert_allclose(constant, constant[0, 0, 0], rtol=1e-9)


def test_images_without_a_batch_are_refused():
    distribution = small_images_distribution(num_levels=1)
    with pytest.raises(InputError, match="`pixels` must be a batch"):
        bits_per_dim_maps(distribution, random_pixels(distribution)[0])
    with pytest.raises(ValueError, match="`pixels` of .* must have shape"):
        bits_per_dim_maps(distribution, np.zeros([2, 4, 4, 1], np.uint8))


@pytest.mark.parametrize(
    "make",
    [
        lambda: ActNorm(4, dtype="float64"),
        lambda: InvertibleConv1x1(4, seed=0, dtype="float64"),
        lambda: AffineCoupling(4, 4, seed=0, dtype="float64"),
        lambda: MixLogCdfCoupling(4, 4, 1, 3, 2, seed=0, dtype="float64"),
        lambda: ResidualBlock(4, 4, seed=0, dtype="float64"),
        # Of pixels and then of squares of them.
        lambda: ImageChain(
            [AffineCoupling(4, 4, seed=0, dtype="float64"), Squeeze("float64"),
             AffineCoupling(16, 4, seed=1, dtype="float64")]
        ),
    ],
)  # fmt: skip
def test_the_map_of_a_log_det_adds_up_to_it(make):
    bijector = randomize(make())
    x = random_images(2, 4, 6, 4, dtype="float64")
    y, log_det = bijector.forward_and_log_det(x)
    same, log_det_map = bijector.forward_and_log_det_map(x)
    np.testing.assert_array_equal(same, y)
    assert log_det_map.shape == y.shape[:3]
    np.testing.assert_allclose(tf.reduce_sum(log_det_map, [1, 2]), log_det, rtol=1e-10)


def test_the_map_of_a_coupling_is_that_of_its_elements():
    """What one position is changed by is no part of the log-det of others."""
    coupling = randomize(AffineCoupling(4, 4, seed=0, dtype="float64"))
    x = random_images(1, 8, 8, 4, dtype="float64")
    before = coupling.forward_and_log_det_map(x)[1].numpy()[0]
    changed = x.numpy()
    changed[0, 0, 0] += 1.0
    after = coupling.forward_and_log_det_map(tf.constant(changed))[1].numpy()[0]
    assert before[0, 0] != after[0, 0]
    # The network's two convolutions of 3 x 3 reach no further than two pixels.
    np.testing.assert_array_equal(before[3:], after[3:])
    np.testing.assert_array_equal(before[:, 3:], after[:, 3:])


def test_numbers_are_shared_out_evenly():
    maps = tf.constant([[[4.0, 8.0]]])
    np.testing.assert_array_equal(
        spread_over_pixels(maps, (2, 4))[0], [[1.0, 1.0, 2.0, 2.0], [1.0, 1.0, 2.0, 2.0]]
    )
