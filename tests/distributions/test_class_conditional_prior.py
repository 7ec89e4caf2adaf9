"""Priors with classes: the density, its order, its integral, and labels that are wrong."""

import numpy as np
import pytest
import tensorflow as tf

import tf_marscf
from tests.small_models import random_images, randomize, small_model
from tf_marscf.distributions import ClassConditionalPrior, GaussianPrior, MarPrior
from tf_marscf.errors import InputError, InputTypeError

NUM_CLASSES = 3


def mar_prior(event_shape=(2, 2, 3), num_conditional_channels=0, dtype="float64"):
    options = {"hidden_channels": 4, "num_layers": 1, "kernel_size": 3, "seed": 1}
    prior = MarPrior(event_shape, num_conditional_channels, dtype=dtype, **options)
    return randomize(prior, scale=0.3)


def class_prior(prior=None):
    return randomize(ClassConditionalPrior(prior or mar_prior(), NUM_CLASSES), 0.5)


def latents_of(prior, *leading_shape, seed=0):
    return 3.0 * random_images(*leading_shape, *prior.event_shape, dtype="float64", seed=seed)


def test_a_new_one_is_the_prior_in_every_class():
    prior = mar_prior()
    latents = latents_of(prior, 4)
    of_classes = ClassConditionalPrior(prior, NUM_CLASSES)
    expected = prior.log_prob(latents)
    np.testing.assert_array_equal(of_classes.log_prob(latents, label=[0, 1, 2, 1]), expected)
    samples = of_classes.sample(2, seed=1, label=[2, 0])
    np.testing.assert_array_equal(samples, prior.sample(2, seed=1))


def test_log_det_is_that_of_the_jacobian():
    """log p(l | y) = log Normal(noise) - log|det dl/dnoise|."""
    prior = class_prior()
    noise = random_images(1, 2, 2, 3, dtype="float64")
    for label in range(NUM_CLASSES):
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(noise)
            latents = prior.latents_from_noise(noise, label=label)
            flat = tf.reshape(latents, [-1])
        jacobian = tf.reshape(tape.jacobian(flat, noise, experimental_use_pfor=False), [12, 12])
        log_normal = -0.5 * np.sum(noise**2) - 6.0 * np.log(2.0 * np.pi)
        expected = log_normal - tf.linalg.slogdet(jacobian)[1]
        np.testing.assert_allclose(prior.log_prob(latents, label=label)[0], expected, rtol=1e-10)


def test_channels_keep_their_order():
    prior = class_prior()
    latents = latents_of(prior, 1)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(latents)
        noise = tf.reduce_sum(prior.log_prob(latents, label=1))
        (gradient,) = tape.gradient(noise, [latents])
        last = tf.reduce_sum(gradient[..., -1])
    # The last channel's mean depends on all before it, and no mean depends on the last.
    second = tape.gradient(last, latents)
    assert np.all(np.any(second, axis=(0, 1, 2)))
    _, log_scale = prior._of_class(1, tf.TensorShape([1]))
    _, inner_log_scale = prior.prior._mean_and_log_scale(
        (latents - prior._of_class(1, tf.TensorShape([1]))[0]) * tf.exp(-log_scale), None
    )
    expected = -tf.exp(-2.0 * (log_scale + inner_log_scale))[..., -1]
    np.testing.assert_allclose(second[..., -1], expected, rtol=1e-10)


@pytest.mark.parametrize("label", range(NUM_CLASSES))
def test_the_density_of_a_class_integrates_to_one(label):
    prior = class_prior(randomize(GaussianPrior((1, 1, 1), dtype="float64"), 0.3))
    values = np.linspace(-15.0, 15.0, 3001)
    density = prior.prob(tf.reshape(tf.constant(values), [-1, 1, 1, 1]), label=label)
    assert np.trapezoid(density, values) == pytest.approx(1.0, abs=1e-9)


def test_labels_of_any_leading_shape():
    prior = class_prior(mar_prior((4, 4, 3), 2))
    rest, latents = random_images(2, 3, 4, 4, 2, dtype="float64"), latents_of(prior, 2, 3)
    labels = np.array([[0, 1, 2], [2, 2, 0]], np.int64)
    whole = prior.log_prob(latents, conditional_input=rest, label=labels)
    for index, label in np.ndenumerate(labels):
        alone = prior.log_prob(latents[index], conditional_input=rest[index], label=label)
        np.testing.assert_allclose(whole[index], alone, rtol=1e-10)
    of_all = prior.log_prob(latents, conditional_input=rest, label=1)
    np.testing.assert_allclose(of_all[0, 1], whole[0, 1], rtol=1e-10)
    samples, log_prob = prior.experimental_sample_and_log_prob(
        seed=1, conditional_input=rest, label=labels
    )
    expected = prior.log_prob(samples, conditional_input=rest, label=labels)
    np.testing.assert_allclose(log_prob, expected, rtol=1e-10)


def test_a_class_trains_its_own_weights_and_gradients_are_dense():
    prior = class_prior()
    latents = latents_of(prior, 4)

    @tf.function(autograph=False)
    def gradients():
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(prior.log_prob(latents, label=[0, 2, 2, 0]))
        return tape.gradient(loss, [prior.shift, prior.log_scale])

    for gradient in gradients():
        assert isinstance(gradient, tf.Tensor)
        assert np.all(gradient[0] != 0.0) and np.all(gradient[2] != 0.0)
        np.testing.assert_array_equal(gradient[1], 0.0)
    assert len(prior.trainable_variables) == 2 + len(prior.prior.trainable_variables)


RULE = r"`label` of MarScf must be integers from 0 to 2 \(num_classes=3\)"


@pytest.fixture(scope="module", name="model")
def fixture_model():
    return small_model(num_classes=NUM_CLASSES, prior="gaussian", num_levels=1)


@pytest.mark.parametrize(
    ("label", "error", "message"),
    [
        (None, InputError, "one an image or one for all; got None"),
        (3, InputError, "; got 3"),
        ([0, -1], InputError, "; got -1"),
        ([0, 1, 2], InputError, r"leading shape \(2,\); got shape \(3,\)"),
        ([[0, 1]], InputError, r"got shape \(1, 2\)"),
        (1.0, InputTypeError, "int32 or int64; got float32: 1.0"),
        (True, InputTypeError, "int32 or int64; got bool: True"),
        (np.uint8([0, 1]), InputTypeError, r"int32 or int64; got uint8: \[0 1\]"),
        ("cat", InputTypeError, "int32 or int64; got string: cat"),
        (2**70, InputTypeError, "int32 or int64; got 1180591620717411303424"),
    ],
)
def test_wrong_labels_are_named(model, label, error, message):
    images = random_images(2, 8, 8, 1)
    noise = model.latents(images)
    for call in (
        lambda: model.log_prob(images, label=label),
        lambda: model.log_prob_parts(images, label=label),
        lambda: model.sample(2, seed=1, label=label),
        lambda: model.experimental_sample_and_log_prob(2, seed=1, label=label),
        lambda: model.decode_noise(noise, label),
        lambda: model.decode_with_log_prob_parts(noise, label),
    ):
        with pytest.raises(error, match=f"{RULE}.*{message}") as raised:
            call()
        assert "\n" not in str(raised.value)


def test_labels_that_a_graph_works_out_are_checked_when_it_runs(model):
    images = random_images(2, 8, 8, 1)
    log_prob = tf.function(lambda label: model.log_prob(images, label=label), autograph=False)
    np.testing.assert_allclose(
        log_prob(tf.constant([2, 0])), model.log_prob(images, label=[2, 0]), rtol=1e-5
    )
    with pytest.raises(tf.errors.InvalidArgumentError, match=f"{RULE}.*got from.*-1.*to.*7"):
        log_prob(tf.constant([7, -1]))
    # XLA leaves checks out: then there is no number.
    compiled = tf.function(
        lambda label: model.log_prob(images, label=label), autograph=False, jit_compile=True
    )
    assert np.isnan(compiled(tf.constant([7, 1]))).tolist() == [True, False]


def test_models_without_classes_have_no_labels():
    model = small_model(prior="gaussian", num_levels=1)
    images = random_images(2, 8, 8, 1)
    for call in (
        lambda: model.log_prob(images, label=1),
        lambda: model.sample(2, seed=1, label=[0, 1]),
        lambda: tf_marscf.Dequantized(model).sample(seed=1, label=0),
    ):
        with pytest.raises(InputError, match="`label` of MarScf must be None, since.*; got"):
            call()
    with pytest.raises(InputError, match="`num_classes` of MarScf must be given.*; got None"):
        model.class_log_probs(images)
    assert model.num_classes is None


def test_densities_of_all_classes():
    model = small_model(num_classes=NUM_CLASSES, dtype="float64")
    images = random_images(2, 2, 8, 8, 1, dtype="float64")
    of_classes = model.class_log_probs(images)
    assert of_classes.shape == (2, 2, NUM_CLASSES)
    for label in range(NUM_CLASSES):
        np.testing.assert_allclose(
            of_classes[..., label], model.log_prob(images, label=label), rtol=1e-12
        )
    pixels = tf_marscf.Dequantized(model)
    grey_levels = pixels.sample(2, seed=1, label=[0, 2])
    of_classes = pixels.class_log_probs(grey_levels, seed=3, num_samples=2)
    expected = pixels.log_prob(grey_levels, seed=3, num_samples=2, label=1)
    np.testing.assert_allclose(of_classes[:, 1], expected, rtol=1e-12)


def test_the_flow_is_that_of_all_classes_and_samples_are_of_theirs(model):
    """Latents of an image do not depend on its label, and densities do."""
    images, log_prob = model.experimental_sample_and_log_prob(
        [2, 2], seed=1, label=[[0, 1], [2, 0]]
    )
    np.testing.assert_allclose(
        log_prob, model.log_prob(images, label=[[0, 1], [2, 0]]), rtol=1e-4, atol=1e-3
    )
    of_one, of_other = (model.sample(2, seed=1, label=label) for label in (0, 1))
    assert np.all(np.any(of_one != of_other, axis=(1, 2, 3)))
    np.testing.assert_array_equal(model.sample(2, seed=1, label=[0, 0]), of_one)
    as_base = model.distribution.log_prob(model.bijector.inverse(images), label=[[0, 1], [2, 0]])
    assert as_base.shape == (2, 2)
