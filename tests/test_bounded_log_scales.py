"""Log-scales with a bound: `max_log_scale` and `prior_max_log_scale`."""

import numpy as np
import pytest
import tensorflow as tf

import tf_marscf
from tests.small_models import greatest_difference, random_images, randomize, small_model
from tests.test_reference import assert_equal, assert_equal_in_graph, noise_of
from tf_marscf import reference
from tf_marscf.bijectors import AffineCoupling, MixLogCdfCoupling
from tf_marscf.distributions import GaussianPrior, MarPrior
from tf_marscf.networks.bounded_log_scale import bounded_log_scale

KINDS = [
    {"coupling": "affine", "prior": "gaussian"},
    {"coupling": "affine", "prior": "mar"},
    {"coupling": "affine", "prior": "mar", "prior_network": "causal"},
    {"coupling": "mixlogcdf", "prior": "gaussian"},
]
every_kind = pytest.mark.parametrize("options", KINDS, ids=lambda kind: "-".join(kind.values()))


def bounded_model(bound, **options):
    """A model whose couplings have a bound, and whose priors twice that."""
    prior_bound = None if bound is None else 2.0 * bound
    return small_model(max_log_scale=bound, prior_max_log_scale=prior_bound, **options)


@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16"])
def test_the_bound_holds_everywhere_and_the_slope_at_zero_is_one(dtype):
    values = tf.constant([-1e30, -90.0, -1e-3, 0.0, 1e-3, 90.0, 1e30], dtype)
    with tf.GradientTape() as tape:
        tape.watch(values)
        bounded = bounded_log_scale(values, 2.0)
    slopes = tape.gradient(bounded, values)
    assert bounded.dtype == values.dtype
    np.testing.assert_array_equal(tf.cast(bounded, "float32")[::6], [-2.0, 2.0])
    np.testing.assert_allclose(tf.cast(bounded, "float32")[2:5], [-1e-3, 0.0, 1e-3], rtol=1e-2)
    np.testing.assert_allclose(tf.cast(slopes, "float32"), [0, 0, 1, 1, 1, 0, 0], atol=1e-5)


def test_without_a_bound_nothing_is_computed():
    values = tf.constant([-90.0, 1.0])
    assert bounded_log_scale(values) is bounded_log_scale(values, None) is values


@every_kind
def test_a_far_bound_changes_little_and_a_near_one_changes_the_density(options):
    images = random_images(2, 8, 8, 1, dtype="float64")
    free, far, near = (
        bounded_model(bound, dtype="float64", **options).log_prob(images)
        for bound in (None, 19.0, 0.1)
    )
    assert greatest_difference(free, far) < 0.1
    assert greatest_difference(free, near) > 0.1


@every_kind
def test_densities_and_gradients_are_those_of_the_plain_model(options):
    model = bounded_model(0.3, dtype="float64", **options)
    images = random_images(2, 8, 8, 1, dtype="float64")
    assert_equal_in_graph(
        model.log_prob, lambda images: reference.log_prob(model, images), images, model
    )


@pytest.mark.parametrize("options", KINDS[1:], ids=lambda kind: "-".join(kind.values()))
def test_samples_are_those_of_the_plain_model(options):
    model = bounded_model(0.3, dtype="float64", **options)
    noise = noise_of(model)
    assert_equal(model.decode_noise(noise), reference.sample(model, noise), 1e-10)


def enlarge(weights, factor):
    for weight in weights:
        weight.assign(factor * weight)


@pytest.mark.parametrize("options", [KINDS[0], KINDS[2]], ids=lambda kind: "-".join(kind.values()))
def test_samples_of_large_weights_stay_finite(options):
    """A network's outputs grow with its input: their `exp`, once a step, leave every range."""
    free, bounded = (bounded_model(bound, num_steps=2, **options) for bound in (None, 2.0))
    for model in (free, bounded):
        enlarge(model.trainable_variables, 6.0)
    assert not np.all(np.isfinite(free.sample(16, seed=1)))
    with tf.GradientTape() as tape:
        samples = bounded.sample(16, seed=1)
        loss = tf.reduce_mean(tf.math.asinh(samples))
    assert np.all(np.isfinite(samples))
    for gradient in tape.gradient(loss, bounded.trainable_variables):
        assert np.all(np.isfinite(gradient))


def test_slopes_of_affine_couplings_are_bounded_and_start_as_without_a_bound():
    """`exp(-M) <= s < 1`, and log s = M tanh(log sigmoid(2) / M) at first."""
    coupling = AffineCoupling(4, 8, max_log_scale=1.5, seed=1, dtype="float64")
    maps = 1e6 * random_images(3, 4, 6, 4, dtype="float64")
    mean_log_slope = coupling.forward_log_det_jacobian(maps, event_ndims=3) / (4 * 6 * 2)
    np.testing.assert_allclose(mean_log_slope, np.log(1.0 / (1.0 + np.exp(-2.0))), rtol=1e-2)
    # Raw scales without a bound, all below zero.
    randomize(coupling)
    coupling.network.layer.output_convolution.bias.assign([0.0, -1e9] * 2)
    x, log_det = coupling.inverse_and_log_det(maps)
    np.testing.assert_allclose(log_det / (4 * 6 * 2), 1.5, rtol=1e-12)
    shift, _ = coupling.network(maps[..., :2])
    np.testing.assert_allclose(x[..., 2:], (maps[..., 2:] - shift) * np.exp(1.5))


def test_inverses_of_mix_log_cdf_couplings_are_bounded():
    """`|x| <= m + e^M (e^M |y| + |b|)`, and no slope exceeds `e^(2 M)`."""
    bound = 0.5
    coupling = MixLogCdfCoupling(
        4, 8, max_log_scale=bound, num_blocks=1, num_components=3, seed=1, dtype="float64"
    )
    output = coupling.network.layer.output_convolution
    output.gain.assign(30.0 * output.gain)
    coupling.network.layer.rescale.assign([40.0, -40.0])
    y = 10.0 * random_images(3, 4, 6, 4, dtype="float64")
    _, shift, _, means, log_scales = coupling.network(y[..., 2:])
    assert np.max(np.abs(log_scales)) > 3.0  # Without the bound.
    x, log_det = coupling.inverse_and_log_det(y)
    limit = np.exp(bound) * (np.exp(bound) * np.abs(y[..., :2]) + np.abs(shift))
    assert np.all(np.abs(x[..., :2]) <= np.max(np.abs(means), axis=-1) + limit)
    assert np.all(-log_det <= 2 * bound * 4 * 6 * 2)


@pytest.mark.parametrize("num_conditional_channels", [0, 2])
@pytest.mark.parametrize(
    "make_prior",
    [
        GaussianPrior,
        lambda *shape, **kwargs: MarPrior(*shape, hidden_channels=4, seed=1, **kwargs),
        lambda *shape, **kwargs: MarPrior(*shape, network="causal", seed=1, **kwargs),
    ],
    ids=["gaussian", "conv_lstm", "causal"],
)
def test_priors_are_bounded_and_invert_standardisation(make_prior, num_conditional_channels):
    prior = make_prior((4, 4, 3), num_conditional_channels, max_log_scale=0.7, dtype="float64")
    for index, weight in enumerate(prior.trainable_variables):
        weight.assign_add(
            3.0 * tf.random.stateless_normal(weight.shape, [2, index], dtype="float64")
        )
    noise = tf.random.stateless_normal([2, 4, 4, 3], [1, 2], dtype="float64")
    rest = random_images(2, 4, 4, 2, dtype="float64") if num_conditional_channels else None
    latents = prior.latents_from_noise(noise, rest)
    mean, log_scale = prior._mean_and_log_scale(latents, rest)
    assert 0.6 < np.max(np.abs(log_scale)) <= 0.7
    np.testing.assert_allclose((latents - mean) * np.exp(-log_scale), noise, rtol=1e-6, atol=1e-6)


def test_a_bounded_model_is_saved_and_loaded(tmp_path):
    pixels = tf_marscf.Dequantized(bounded_model(2.5))
    tf_marscf.save(pixels, tmp_path / "model")
    model = tf_marscf.load(tmp_path / "model").distribution
    assert (model.config.max_log_scale, model.config.prior_max_log_scale) == (2.5, 5.0)
    images = random_images(2, 8, 8, 1)
    np.testing.assert_array_equal(model.log_prob(images), pixels.distribution.log_prob(images))
    assert model.copy(name="another").config.max_log_scale == 2.5
