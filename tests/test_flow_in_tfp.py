"""The distribution inside TensorFlow and TFP: transformations, joint distributions, saving."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

import tf_marscf
from tests.small_models import (
    BOTH_OF_ALL,
    greatest_difference,
    ids_of_options,
    random_images,
    small_model,
)

tfd, tfb = tfp.distributions, tfp.bijectors


@pytest.fixture(scope="module", params=BOTH_OF_ALL, ids=ids_of_options, name="model")
def fixture_model(request):
    return small_model(**request.param)


@pytest.fixture(scope="module", name="images")
def fixture_images():
    return random_images(3, 8, 8, 1)


def gradient(model, images):
    with tf.GradientTape() as tape:
        tape.watch(images)
        log_prob = model.log_prob(images)
    return tape.gradient(log_prob, images)


@pytest.mark.parametrize("leading_shape", [(), (2,), (2, 3), (1, 2, 2)])
def test_any_leading_shape(model, leading_shape):
    images = random_images(*leading_shape, 8, 8, 1)
    log_prob = model.log_prob(images)
    assert tuple(log_prob.shape) == leading_shape
    flat = model.log_prob(tf.reshape(images, [-1, 8, 8, 1]))
    np.testing.assert_allclose(tf.reshape(log_prob, [-1]), flat, rtol=1e-5)
    latents = model.latents(images)
    assert all(tuple(part.shape[:-3]) == leading_shape for part in latents)
    assert greatest_difference(model.decode(latents), images) < 1e-4
    assert tuple(model.sample(leading_shape, seed=1).shape) == (*leading_shape, 8, 8, 1)


def test_static_shapes_and_batch_shape(model):
    assert tuple(model.event_shape) == (8, 8, 1)
    assert tuple(model.batch_shape) == ()
    np.testing.assert_array_equal(model.event_shape_tensor(), [8, 8, 1])
    assert model.batch_shape_tensor().shape == (0,)
    assert model.dtype == tf.float32
    assert isinstance(model, tfd.TransformedDistribution)
    assert isinstance(model.bijector, tfb.Bijector)


@pytest.mark.parametrize("shape", [[None, 8, 8, 1], [None, None, None, None], None])
def test_unknown_batch_and_rank(model, images, shape):
    traced = tf.function(model.log_prob, input_signature=[tf.TensorSpec(shape)])
    np.testing.assert_allclose(traced(images), model.log_prob(images), rtol=1e-5)


def test_unknown_number_of_samples(model):
    draw = tf.function(
        lambda count: model.sample(count, seed=1), input_signature=[tf.TensorSpec([], tf.int32)]
    )
    np.testing.assert_allclose(draw(4), model.sample(4, seed=1), atol=1e-5)
    assert draw(0).shape == (0, 8, 8, 1)


def test_an_empty_batch_has_an_empty_answer(model):
    assert model.log_prob(tf.zeros([0, 8, 8, 1])).shape == (0,)
    assert model.decode(model.latents(tf.zeros([0, 8, 8, 1]))).shape == (0, 8, 8, 1)


def test_vectorized_map(model, images):
    mapped = tf.vectorized_map(model.log_prob, images)
    np.testing.assert_allclose(mapped, model.log_prob(images), rtol=1e-5)
    mapped = tf.vectorized_map(lambda image: gradient(model, image), images)
    np.testing.assert_allclose(mapped, gradient(model, images), atol=1e-3)
    seeds = tf.constant([[1, 2], [3, 4]])
    assert tf.vectorized_map(lambda seed: model.sample(seed=seed), seeds).shape == (2, 8, 8, 1)


def test_everything_compiles_with_xla(model, images):
    compiled = tf.function(model.log_prob, autograph=False, jit_compile=True)
    np.testing.assert_allclose(compiled(images), model.log_prob(images), rtol=1e-5)
    compiled = tf.function(
        lambda images: gradient(model, images), autograph=False, jit_compile=True
    )
    np.testing.assert_allclose(compiled(images), gradient(model, images), atol=1e-3)
    compiled = tf.function(lambda: model.sample(2, seed=1), autograph=False, jit_compile=True)
    np.testing.assert_allclose(compiled(), model.sample(2, seed=1), atol=1e-4)


def test_joint_distributions(model):
    joint = tfd.JointDistributionSequential(
        [model, lambda image: tfd.Independent(tfd.Normal(image, 0.1), 3)]
    )
    image, observed = joint.sample(2, seed=1)
    noise = tfd.Independent(tfd.Normal(image, 0.1), 3)
    np.testing.assert_allclose(
        joint.log_prob([image, observed]),
        model.log_prob(image) + noise.log_prob(observed),
        rtol=1e-5,
    )
    named = tfd.JointDistributionNamed(
        {"x": model, "y": lambda x: tfd.Independent(tfd.Normal(x, 0.1), 3)}
    )
    assert named.log_prob(named.sample(2, seed=1)).shape == (2,)


def test_sample_independent_and_transformed(model, images):
    np.testing.assert_allclose(
        tfd.Sample(model, 3).log_prob(images), tf.reduce_sum(model.log_prob(images)), rtol=1e-5
    )
    assert tfd.Sample(model, 3).sample(2, seed=1).shape == (2, 3, 8, 8, 1)
    np.testing.assert_allclose(
        tfd.Independent(model, 0).log_prob(images), model.log_prob(images), rtol=1e-6
    )
    doubled = tfd.TransformedDistribution(model, tfb.Scale(2.0))
    np.testing.assert_allclose(
        doubled.log_prob(2.0 * images), model.log_prob(images) - 64 * np.log(2.0), rtol=1e-5
    )


def test_hamiltonian_monte_carlo_moves(model, images):
    states = tfp.mcmc.sample_chain(
        2,
        current_state=images[0],
        kernel=tfp.mcmc.HamiltonianMonteCarlo(model.log_prob, 1e-3, 2),
        trace_fn=None,
        seed=1,
    )
    assert states.shape == (2, 8, 8, 1)
    assert np.all(np.isfinite(states))


def test_a_distribution_is_an_argument_of_tf_function(model, images):
    traced = tf.function(lambda distribution, images: distribution.log_prob(images))
    np.testing.assert_allclose(traced(model, images), model.log_prob(images), rtol=1e-5)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(traced(model, images))
    assert all(g is not None for g in tape.gradient(loss, model.trainable_variables))


def test_a_module_that_holds_the_model_lists_its_variables(model):
    holder = tf.Module()
    holder.inside = [tf_marscf.Dequantized(model)]
    listed = {id(variable) for variable in holder.trainable_variables}
    assert listed == {id(variable) for variable in model.trainable_variables}


def test_a_copy_shares_the_weights(model, images):
    copied = model.copy(name="other", validate_args=True)
    assert copied.name == "other"
    assert copied.validate_args
    np.testing.assert_array_equal(copied.log_prob(images), model.log_prob(images))
    assert copied.trainable_variables[0] is model.trainable_variables[0]


def test_another_architecture_is_a_new_model(model):
    wider = model.copy(hidden_channels=12)
    assert wider.config.hidden_channels == 12
    assert not set(map(id, wider.variables)) & set(map(id, model.variables))


def test_config_round_trip(model, images):
    twin = tf_marscf.MarScf.from_config(model.get_config(), seed=5)
    assert twin.config == model.config
    for mine, theirs in zip(twin.variables, model.variables, strict=True):
        mine.assign(theirs)
    np.testing.assert_array_equal(twin.log_prob(images), model.log_prob(images))


def test_checkpoint_round_trip(model, images, tmp_path):
    path = tf.train.Checkpoint(model=model).write(str(tmp_path / "weights"))
    twin = tf_marscf.MarScf.from_config(model.get_config(), seed=5)
    tf.train.Checkpoint(model=twin).read(path).assert_consumed()
    np.testing.assert_array_equal(twin.log_prob(images), model.log_prob(images))


def test_saved_model_round_trip(model, images, tmp_path):
    module = tf.Module()
    module.model = model
    module.log_prob = tf.function(
        model.log_prob, input_signature=[tf.TensorSpec([None, 8, 8, 1], tf.float32)]
    )
    tf.saved_model.save(module, str(tmp_path))
    loaded = tf.saved_model.load(str(tmp_path))
    np.testing.assert_allclose(loaded.log_prob(images), model.log_prob(images), rtol=1e-5)


def test_validate_args_refuses_what_is_not_finite(model):
    checked = model.copy(validate_args=True)
    image = np.zeros((8, 8, 1), np.float32)
    checked.log_prob(image)
    for bad in (np.nan, np.inf):
        image[3, 2, 0] = bad
        for log_prob in (checked.log_prob, tf.function(checked.log_prob)):
            with pytest.raises(
                tf.errors.InvalidArgumentError, match="`value` of .* must be finite"
            ):
                log_prob(image)
    model.log_prob(image)  # Not asked to look.


@pytest.mark.parametrize("method", ["log_prob", "prob", "latents", "initialize", "log_prob_parts"])
@pytest.mark.parametrize(
    ("images", "error", "message"),
    [
        (tf.zeros([8, 8, 2]), ValueError, r"event shape \(8, 8, 1\); got \(8, 8, 2\)"),
        (tf.zeros([8, 8]), ValueError, r"got \(8, 8\)"),
        (tf.zeros([2, 6, 8, 1]), ValueError, r"got \(2, 6, 8, 1\)"),
        (tf.zeros([8, 8, 1], tf.float64), TypeError, "dtype float32; got float64"),
        (np.zeros([8, 8, 1], np.uint8), TypeError, "dtype float32; got uint8"),
    ],
)
def test_unsuitable_images_are_named(model, method, images, error, message):
    with pytest.raises(error, match=message):
        getattr(model, method)(images)


def test_unsuitable_latents_are_named(model):
    latents = model.latents(tf.zeros([2, 8, 8, 1]))
    with pytest.raises(ValueError, match="`latents` must hold one map a level, 2; got 1"):
        model.decode(latents[:1])
    with pytest.raises(ValueError, match=r"`latents` of .* got \(2, 4, 4, 2\)"):
        model.decode(latents[::-1])
    with pytest.raises(ValueError, match="`noise`"):
        model.decode_noise(latents[::-1])


@pytest.mark.parametrize("seed", [1.5, "one", [1, 2, 3]])
def test_unsuitable_seeds_are_named(model, seed):
    with pytest.raises((TypeError, ValueError), match="seed"):
        model.sample(2, seed=seed)
