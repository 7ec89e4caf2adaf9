"""What `sample` takes and what it refuses."""

import numpy as np
import pytest
import tensorflow as tf

import tf_marscf
from tests.small_models import small_model
from tf_marscf.distributions.sampling_arguments import (
    checked_sample_shape,
    checked_temperature,
    temperature_by_level,
)
from tf_marscf.errors import InputError


@pytest.fixture(scope="module")
def model():
    return small_model()


@pytest.mark.parametrize(
    "shape",
    [
        0,
        3,
        np.int64(3),
        [],
        (),
        [2, 0],
        (2, np.int32(3)),
        np.array([2, 3]),
        np.array([], np.int32),
        tf.constant(2),
        tf.constant([2, 3], tf.int64),
        [tf.constant(2), 3],
        tf.TensorShape([2, 3]),
        tf.Variable(2),
    ],
)
def test_shapes(shape):
    assert checked_sample_shape(shape) is not None
    tf.function(lambda: checked_sample_shape(shape) is not None)()


@pytest.mark.parametrize(
    "shape",
    [
        2.5,
        2.0,
        np.float32(2.0),
        float("nan"),
        -1,
        [2, -1],
        np.array([-1]),
        True,
        [True],
        np.True_,
        "2",
        None,
        1j,
        2**31,
        2**70,
        [[2, 3]],
        [[2]],
        np.ones([1, 1], np.int32),
        {"count": 2},
        [2.0, 3],
        tf.constant(2.0),
        tf.constant([-1]),
        tf.constant(True),
        tf.constant([[2]]),
        [tf.constant(2.0)],
        tf.TensorShape([None, 2]),
        tf.TensorShape(None),
    ],
)
def test_what_is_no_shape_is_refused(model, shape):
    for distribution in (model, tf_marscf.Dequantized(model), model.levels[-1].latent_prior):
        with pytest.raises(InputError, match=r"`sample_shape` must be an integer in \[0, 2\^31\)"):
            distribution.sample(shape, seed=1)
    with pytest.raises(InputError, match="`sample_shape` must be"):
        model.experimental_sample_and_log_prob(shape, seed=1)


def test_shapes_that_a_graph_works_out(model):
    @tf.function(
        input_signature=[tf.TensorSpec([], tf.int32), tf.TensorSpec([2], tf.int64)],
    )
    def shapes(count, sizes):
        one, two = model.sample(count, seed=1), model.sample(sizes, seed=1)
        return tf.shape(one), tf.shape(two), tf.shape(model.sample([count, 2], seed=1))

    one, two, three = shapes(3, tf.constant([1, 2], tf.int64))
    assert one.numpy().tolist() == [3, 8, 8, 1]
    assert two.numpy().tolist() == [1, 2, 8, 8, 1]
    assert three.numpy().tolist() == [3, 2, 8, 8, 1]
    with pytest.raises(InputError, match="`sample_shape`"):
        tf.function(model.sample).get_concrete_function(tf.TensorSpec([], tf.float32), seed=1)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("temperature", [0, 0.0, -0.0, 1, 0.7, np.float64(0.7), tf.constant(0.7)])
def test_temperatures(temperature, dtype):
    tensor = checked_temperature(temperature, dtype)
    assert tensor.dtype == dtype
    assert float(tensor) == pytest.approx(float(temperature), abs=1e-7)


@pytest.mark.parametrize(
    "temperature",
    [
        -1,
        -1e-30,
        np.nan,
        np.inf,
        -np.inf,
        1e39,
        10**400,
        True,
        "1",
        None,
        1j,
        np.ones([4, 1, 1, 1]),
        tf.constant(-1.0),
        tf.constant(np.nan),
        tf.constant(True),
        {},
        [1.0, -0.5],
        (np.nan, 1.0),
        [1.0, True],
        ["1", 1.0],
        [[1.0], 1.0],
        np.array([1.0, np.inf]),
        tf.constant([-1.0, 1.0]),
        tf.constant([True, False]),
    ],
)
def test_what_is_no_temperature_is_refused(model, temperature):
    for distribution in (model, tf_marscf.Dequantized(model), model.levels[-1].latent_prior):
        with pytest.raises(InputError, match="`temperature` must be finite and >= 0; got"):
            distribution.sample(2, seed=1, temperature=temperature)
    with pytest.raises(InputError, match="`temperature`"):
        model.experimental_sample_and_log_prob(2, seed=1, temperature=temperature)
    with pytest.raises(InputError, match="`temperature`"):
        tf.function(lambda: model.sample(2, seed=1, temperature=temperature))()


@pytest.mark.parametrize(
    "temperature",
    [[1.0], (1.0, 1.0, 1.0), [], np.ones([3]), tf.constant([1.0]), tf.ones([0])],
)
def test_temperatures_of_another_number_of_levels_are_refused(model, temperature):
    message = "`temperature` must be a number, or one for each of 2 levels; got"
    for distribution in (model, tf_marscf.Dequantized(model), model.distribution):
        with pytest.raises(InputError, match=message):
            distribution.sample(2, seed=1, temperature=temperature)
    with pytest.raises(InputError, match=message):
        model.experimental_sample_and_log_prob(2, seed=1, temperature=temperature)
    with pytest.raises(InputError, match="`temperature` must be finite and >= 0; got"):
        model.levels[-1].latent_prior.sample(2, seed=1, temperature=temperature)


@pytest.mark.parametrize("prior", ["mar", "gaussian"])
def test_each_level_has_the_temperature_of_its_place(prior):
    model = small_model((8, 8, 1), num_levels=3, prior=prior, dtype="float64")
    temperatures = [0.9, 0.5, 0.1]
    noise = model._noise([4], 1, 1.0)
    expected = model.decode_noise(
        [scale * maps for scale, maps in zip(temperatures, noise, strict=True)]
    )
    for given in (temperatures, tuple(temperatures), np.array(temperatures)):
        np.testing.assert_array_equal(model.sample(4, seed=1, temperature=given), expected)
    hidden = model.distribution.sample(4, seed=1, temperature=temperatures)
    np.testing.assert_allclose(model.bijector.forward(hidden), expected, atol=1e-9)
    rest = model.levels[1]
    np.testing.assert_array_equal(
        rest.sample(4, seed=1, temperature=[0.5, 0.5]), rest.sample(4, seed=1, temperature=0.5)
    )
    images, log_prob = model.experimental_sample_and_log_prob(4, seed=1, temperature=temperatures)
    np.testing.assert_array_equal(images, expected)
    np.testing.assert_allclose(log_prob, model.log_prob(images), rtol=1e-9)
    hidden_too, _ = model.distribution.experimental_sample_and_log_prob(
        4, seed=1, temperature=temperatures
    )
    np.testing.assert_allclose(hidden_too, hidden, atol=1e-12)


def test_one_number_for_all_levels_is_the_same_number_for_each(model):
    np.testing.assert_array_equal(
        model.sample(2, seed=2, temperature=[0.7, 0.7]), model.sample(2, seed=2, temperature=0.7)
    )
    assert temperature_by_level(0.7, 3) == [0.7, 0.7, 0.7]


def test_levels_temperatures_that_a_graph_works_out(model):
    expected = model.sample(2, seed=1, temperature=[0.5, 0.25])
    for shape in ([2], [None]):
        sample = tf.function(
            lambda temperature: model.sample(2, seed=1, temperature=temperature),
            input_signature=[tf.TensorSpec(shape)],
        )
        np.testing.assert_array_equal(sample(tf.constant([0.5, 0.25])), expected)
        with pytest.raises(tf.errors.InvalidArgumentError, match="must be finite and >= 0"):
            sample(tf.constant([0.5, -1.0]))
    with pytest.raises(tf.errors.InvalidArgumentError, match="not compatible with expected shape"):
        sample(tf.constant([0.5]))


def test_temperatures_that_a_graph_works_out(model):
    sample = tf.function(lambda temperature: model.sample(2, seed=1, temperature=temperature))
    np.testing.assert_array_equal(
        sample(tf.constant(0.5)), model.sample(2, seed=1, temperature=0.5)
    )
    for wrong in (-1.0, np.nan, np.inf):
        with pytest.raises(tf.errors.InvalidArgumentError, match="must be finite and >= 0"):
            sample(tf.constant(wrong))


@pytest.mark.parametrize("num_samples", [0, -1, 1.5, True, "2", None])
def test_numbers_of_draws_of_a_bound(model, num_samples):
    with pytest.raises(InputError, match="`num_samples` must be an integer >= 1"):
        tf_marscf.Dequantized(model).log_prob(
            np.zeros([1, 8, 8, 1], np.uint8), num_samples=num_samples
        )


@pytest.mark.parametrize(
    "seed", [2**63, -(2**63) - 1, 2**64 + 1, np.uint64(2**63), tf.constant(2**63, tf.uint64)]
)
def test_seeds_that_would_be_cut_are_refused(model, seed):
    pixels, images = tf_marscf.Dequantized(model), np.zeros([1, 8, 8, 1], np.uint8)
    for function in (
        lambda: model.sample(2, seed=seed),
        lambda: model.experimental_sample_and_log_prob(2, seed=seed),
        lambda: pixels.sample(2, seed=seed),
        lambda: pixels.dequantize(images, seed=seed),
        lambda: pixels.log_prob(images, seed=seed),
        lambda: pixels.bits_per_dim(images, seed=seed),
    ):
        with pytest.raises(InputError, match=r"`seed` must be .* in \[-2\^63, 2\^63\)"):
            function()


@pytest.mark.parametrize("seed", [1.5, True, "1", 1j, float("nan")])
def test_other_seeds_are_refused(model, seed):
    with pytest.raises(InputError, match="`seed` must be None, an integer"):
        model.sample(2, seed=seed)
