"""Densities of values that are far from any image."""

import numpy as np
import pytest
import tensorflow as tf

import tf_marscf
from tests.small_models import BOTH_OF_ALL, ids_of_options, random_images, small_model

SIZES = [1e6, 1e18, 1e30]
KINDS = [("affine", "mar"), ("mixlogcdf", "gaussian"), ("affine", "gaussian"), ("mixlogcdf", "mar")]


def far_images(dtype):
    """One far pixel, all pixels, and pixels of both signs, for each size."""
    greatest = np.finfo(dtype).max
    images = []
    for size in [*SIZES, greatest**0.5, greatest / 4, greatest, -greatest, np.inf, -np.inf]:
        one = random_images(8, 8, 1, dtype=dtype).numpy()
        one[3, 3] = size
        signs = np.resize([1.0, -1.0, -1.0], [8, 8, 1])
        images += [one, np.full_like(one, size), (size * signs).astype(dtype)]
    return np.stack(images)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("coupling", "prior"), KINDS)
def test_densities_are_small_or_zero(coupling, prior, dtype):
    model = small_model(coupling=coupling, prior=prior, dtype=dtype)
    images = far_images(dtype)
    near = model.log_prob(random_images(1, 8, 8, 1, dtype=dtype))
    in_graph = tf.function(model.log_prob, autograph=False)
    for log_prob in (model.log_prob(images), in_graph(images)):
        assert np.all(log_prob < near - 1e5)  # False of NaN.
    assert np.all(model.prob(images) == 0.0)
    assert np.isnan(model.log_prob(np.full([8, 8, 1], np.nan, dtype)))


@pytest.mark.parametrize("options", BOTH_OF_ALL, ids=ids_of_options)
def test_xla_agrees(options):
    model = small_model(**options)
    compiled = tf.function(model.log_prob, autograph=False, jit_compile=True)
    log_prob = compiled(tf.constant(far_images("float32")))
    assert np.all(log_prob < -1e5)


@pytest.mark.parametrize("prior", ["mar", "gaussian"])
def test_priors_by_themselves(prior):
    level = small_model(prior=prior).levels[0]
    latents = tf.fill([2, *level.latent_prior.event_shape], np.float32(np.finfo("float32").max))
    rest = tf.ones_like(latents)
    assert np.all(level.latent_prior.log_prob(latents, conditional_input=rest) == -np.inf)


def test_arguments_are_checked_where_that_is_asked_for():
    model = small_model(validate_args=True)
    for value in (np.inf, np.nan):
        with pytest.raises(tf.errors.InvalidArgumentError, match="must be finite"):
            model.log_prob(tf.fill([8, 8, 1], np.float32(value)))
    # Finite, but not what becomes of it.
    with pytest.raises(tf.errors.InvalidArgumentError, match="must be finite"):
        model.log_prob(tf.fill([8, 8, 1], np.float32(3e38)))


def test_weights_that_are_nan_are_not_hidden():
    model = small_model()
    model.trainable_variables[0].assign(np.nan * model.trainable_variables[0])
    assert np.all(np.isnan(model.log_prob(random_images(2, 8, 8, 1))))


def test_images_of_a_density_without_mass_have_no_probability():
    class Nowhere(tf_marscf.MarScf):
        def _log_prob(self, value, dropout_seed=None):
            return tf.fill(tf.shape(value)[:-3], -np.inf)

    model = Nowhere((8, 8, 1), num_levels=1, num_steps=1, hidden_channels=4)
    pixels = np.zeros([2, 8, 8, 1], np.uint8)
    log_prob = tf_marscf.Dequantized(model).log_prob(pixels, seed=1, num_samples=3)
    assert np.all(log_prob == -np.inf)
