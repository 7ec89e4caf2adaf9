"""`MarScf`, and all that makes it fast, against the model in plain TensorFlow."""

import numpy as np
import pytest
import tensorflow as tf

import tf_marscf
from tests.small_models import random_images, small_model
from tf_marscf import reference
from tf_marscf.errors import InputError

TOLERANCES = {"float32": 1e-4, "float64": 1e-10}
# Both couplings and both priors in either dtype.
every_model = pytest.mark.parametrize(
    ("coupling", "prior", "dtype"),
    [
        ("affine", "mar", "float64"),
        ("affine", "gaussian", "float64"),
        ("mixlogcdf", "mar", "float64"),
        ("mixlogcdf", "gaussian", "float64"),
        ("affine", "mar", "float32"),
        ("mixlogcdf", "gaussian", "float32"),
        ("affine", "causal", "float64"),
        ("affine", "causal", "float32"),
        ("affine", "two channels a step", "float64"),
        ("affine", "pointwise and logistic", "float64"),
        ("residual", "mar", "float64"),
        ("residual", "gaussian", "float32"),
    ],
)


def model_of(coupling, prior, dtype):
    """Two levels; three blocks of a network run in a loop while a graph is traced.

    The prior is "mar", a mAR prior by a ConvLSTM; "causal", one by convolutions; "two channels a
    step", of a ConvLSTM that starts as Glow's prior; "pointwise and logistic", by convolutions with
    kernels of 1; or "gaussian".
    """
    options = {"num_blocks": 3} if coupling == "mixlogcdf" else {"num_steps": 2}
    if prior == "causal":
        options |= {"prior_network": "causal"}
        prior = "mar"
    elif prior == "pointwise and logistic":
        options |= {"prior_network": "causal", "prior_kernel_sizes": 1, "prior_family": "logistic"}
        prior = "mar"
    elif prior == "two channels a step":
        options |= {"prior_channels_per_step": 2, "prior_start": "gaussian"}
        options |= {"image_shape": (8, 8, 2)}  # So that there are two steps at level 1.
        prior = "mar"
    return small_model(coupling=coupling, prior=prior, dtype=dtype, **options)


def noise_of(model, num_images=2):
    shapes = [level.latent_prior.event_shape for level in model.levels]
    return [
        tf.random.stateless_normal([num_images, *shape], [5, index], dtype=model.dtype)
        for index, shape in enumerate(shapes)
    ]


def values_and_gradients(function, maps, variables):
    """The value, and the gradients of the sum of its sines to maps and variables."""
    with tf.GradientTape() as tape:
        tape.watch(maps)
        value = function(maps)
        loss = tf.add_n([tf.reduce_sum(tf.sin(part)) for part in tf.nest.flatten(value)])
    return value, tape.gradient(loss, [maps, list(variables)], unconnected_gradients="zero")


def assert_equal(actual, expected, tolerance):
    """Close in units of the largest entry of each tensor, or of 1."""
    for one, other in zip(tf.nest.flatten(actual), tf.nest.flatten(expected), strict=True):
        atol = tolerance * max(1.0, np.max(np.abs(other)))
        np.testing.assert_allclose(one, other, rtol=0.0, atol=atol)


def assert_equal_in_graph(function, plain, maps, model):
    """Values and gradients, to the maps and to every weight of the model."""
    variables = model.trainable_variables
    expected = values_and_gradients(plain, maps, variables)
    run = tf.function(values_and_gradients, autograph=False)
    assert_equal(run(function, maps, variables), expected, TOLERANCES[model.dtype.name])
    for gradient in tf.nest.flatten(expected[1]):
        assert np.any(gradient)


@every_model
def test_density(coupling, prior, dtype):
    model = model_of(coupling, prior, dtype)
    images = random_images(2, *model.config.image_shape, dtype=dtype)
    assert_equal_in_graph(
        lambda images: (model.log_prob(images), model.latents(images)),
        lambda images: (reference.log_prob(model, images), reference.latents(model, images)),
        images,
        model,
    )


@every_model
def test_sample(coupling, prior, dtype):
    model = model_of(coupling, prior, dtype)
    assert_equal_in_graph(
        model.decode_noise, lambda noise: reference.sample(model, noise), noise_of(model), model
    )


@pytest.mark.parametrize(
    ("coupling", "prior", "dtype"),
    [("affine", "mar", "float64"), ("mixlogcdf", "gaussian", "float32")],
)
def test_classes(coupling, prior, dtype):
    model = small_model(coupling=coupling, prior=prior, dtype=dtype, num_classes=3)
    label = [2, 0, 1]
    assert_equal_in_graph(
        lambda images: model.log_prob(images, label=label),
        lambda images: reference.log_prob(model, images, label),
        random_images(3, 8, 8, 1, dtype=dtype),
        model,
    )
    assert_equal_in_graph(
        lambda noise: model.decode_noise(noise, label),
        lambda noise: reference.sample(model, noise, label),
        noise_of(model, 3),
        model,
    )


@pytest.mark.parametrize("coupling", ["affine", "mixlogcdf", "residual"])
def test_eager_calls(coupling):
    model = model_of(coupling, "mar", "float64")
    images, latents = random_images(2, 8, 8, 1, dtype="float64"), noise_of(model)
    assert_equal(model.log_prob(images), reference.log_prob(model, images), 1e-10)
    assert_equal(model.latents(images), reference.latents(model, images), 1e-10)
    decoded = reference.decode(model, latents)
    assert_equal(model.decode(latents), decoded, 1e-10)
    assert_equal(reference.latents(model, decoded), latents, 1e-10)


def test_images_of_several_channels_and_three_levels():
    model = small_model((8, 16, 3), num_levels=3, dtype="float64")
    images = random_images(1, 8, 16, 3, dtype="float64")
    assert_equal(model.log_prob(images), reference.log_prob(model, images), 1e-10)
    noise = noise_of(model, num_images=1)
    assert_equal(model.decode(noise), reference.decode(model, noise), 1e-10)


def test_unsuitable_maps_are_named():
    model = small_model()
    with pytest.raises(InputError, match=r"`images` must have shape \[N, 8, 8, 1\]; got \(8, 8, 1"):
        reference.log_prob(model, tf.zeros([8, 8, 1]))
    with pytest.raises(InputError, match="`latents` must hold one map a level, 2; got 1"):
        reference.decode(model, noise_of(model)[:1])
    with pytest.raises(InputError, match=r"`noise` must have shape \[N, 2, 2, 8\]; got \(2, 4, 4"):
        reference.sample(model, noise_of(model)[:1] * 2)


def test_it_is_public():
    assert tf_marscf.reference is reference
    assert "reference" in tf_marscf.__all__
