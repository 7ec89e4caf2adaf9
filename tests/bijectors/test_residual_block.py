"""Residual blocks: bounds, log-dets, their gradients and inverses."""

import numpy as np
import pytest
import tensorflow as tf

from tests.small_models import greatest_difference, random_images, randomize
from tf_marscf.bijectors import ResidualBlock
from tf_marscf.bijectors.residual_log_det import random_num_terms, roulette_weight
from tf_marscf.kernels.convolution import convolve
from tf_marscf.networks.spectral_norm import spectral_norm_bound

LARGE = (4, 6, 4)  # 96 dimensions: its log-dets are series.


def strong_block(coefficient=0.9, dtype="float64", **options):
    """A block whose weights are large, so that all kernels are at their bound."""
    block = ResidualBlock(4, 8, coefficient, seed=2, dtype=dtype, **options)
    return randomize(block, scale=1.0, seed=3)


def jacobians(block, x):
    """dy/dx of each image, [N, D, D]."""
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        y = block.forward(x)
    size = x.shape[1:].num_elements()
    jacobian = tape.batch_jacobian(y, x, experimental_use_pfor=False)
    return tf.reshape(jacobian, [-1, size, size])


@pytest.mark.parametrize(
    ("shape", "limit"),
    [((3, 3, 2, 5), 1.15), ((3, 3, 5, 2), 1.15), ((1, 1, 4, 4), 1.03), ((5, 5, 1, 2), 1.45)],
)
def test_the_bound_of_a_convolution_is_close_from_above(shape, limit):
    """The operator norm of all maps of 16 x 16 pixels, as a dense matrix."""
    kernel = tf.random.stateless_normal(shape, [4, 5], dtype=tf.float64)
    size = 16 * 16 * shape[2]
    units = tf.reshape(tf.eye(size, dtype=tf.float64), [size, 16, 16, shape[2]])
    matrix = tf.reshape(convolve(units, kernel), [size, -1])
    norm = np.linalg.norm(matrix, 2)
    bound = spectral_norm_bound(kernel)
    assert norm <= bound * (1.0 + 1e-12)
    assert bound <= limit * norm
    np.testing.assert_allclose(spectral_norm_bound(tf.cast(kernel, tf.float32)), bound, rtol=1e-4)


def test_the_bound_of_large_small_and_no_weights():
    kernel = tf.random.stateless_normal([3, 3, 2, 3], [4, 5])
    bound = spectral_norm_bound(kernel)
    for scale in (1e-15, 1e15):
        np.testing.assert_allclose(spectral_norm_bound(scale * kernel), scale * bound, rtol=1e-4)
    zeros = tf.zeros([3, 3, 2, 3])
    with tf.GradientTape() as tape:
        tape.watch(zeros)
        bound = spectral_norm_bound(zeros)
    assert bound < 1e-15
    assert np.all(np.isfinite(tape.gradient(bound, zeros)))


@pytest.mark.parametrize("coefficient", [0.3, 0.9, 0.99])
def test_the_network_contracts(coefficient):
    block = strong_block(coefficient)
    function = block.network.function()
    np.testing.assert_allclose(function.constant, coefficient, rtol=1e-6)
    x = 3.0 * random_images(3, 2, 3, 4, dtype="float64")
    norms = np.linalg.norm(jacobians(block, x) - np.eye(24), 2, axis=(1, 2))
    assert np.all(norms <= coefficient)
    y = 5.0 * random_images(3, 2, 3, 4, dtype="float64", seed=1)
    lengths = [np.linalg.norm(value) for value in (function(x) - function(y), x - y)]
    assert lengths[0] <= coefficient * lengths[1]


def test_the_jacobian_is_that_of_autodiff():
    block = strong_block()
    x = 2.0 * random_images(2, 4, 6, 4, dtype="float64")
    v = random_images(2, 4, 6, 4, dtype="float64", seed=1)
    with tf.GradientTape() as tape:
        tape.watch(x)
        value, jacobian = block.network.function().value_and_jacobian(x)
    expected = tape.gradient(value, x, output_gradients=v)
    np.testing.assert_allclose(jacobian.transposed_product(v), expected, atol=1e-14)


def test_evaluation_is_within_its_error_bound_where_traces_are_exact(monkeypatch):
    """With a probe for each unit vector, as the exact log-det has, only the series is cut off."""
    block = strong_block(0.7, num_terms=12)
    x = 2.0 * random_images(2, 4, 2, 4, dtype="float64")
    exact = block.forward_and_log_det(x)[1]
    np.testing.assert_allclose(exact, np.linalg.slogdet(jacobians(block, x))[1], atol=1e-12)
    assert block.log_det_error_bound(32) == 0.0

    monkeypatch.setattr("tf_marscf.bijectors.residual_block.MAX_EXACT_DIMENSIONS", 31)
    # Hadamard's matrix: orthogonal vectors of signs, over which the estimate's mean is the trace.
    signs = np.ones([1, 1])
    while len(signs) < 32:
        signs = np.block([[signs, signs], [signs, -signs]])
    block.num_probes = 32
    monkeypatch.setattr(
        "tf_marscf.bijectors.residual_block._signs",
        lambda shape, seed, dtype: tf.constant(signs.reshape(shape), dtype),
    )
    bound = block.log_det_error_bound(32)
    error = np.abs(block.forward_and_log_det(x)[1] - exact)
    assert np.all(error <= bound)
    assert bound < 0.35
    block.num_terms = 80
    assert block.log_det_error_bound(32) < 1e-11
    np.testing.assert_allclose(block.forward_and_log_det(x)[1], exact, atol=1e-11)


def test_evaluation_is_a_function_of_the_image_alone():
    """Not of its place in a batch, of the batch, or of the direction."""
    block = strong_block()
    x = random_images(3, *LARGE, dtype="float64")
    y, log_det = block.forward_and_log_det(x)
    for index in range(3):
        alone = block.forward_and_log_det(x[index])[1]
        np.testing.assert_allclose(alone, log_det[index], rtol=1e-12)
    np.testing.assert_allclose(-block.inverse_and_log_det(y)[1], log_det, rtol=1e-10)
    again = ResidualBlock(4, 8, 0.9, num_probes=3, dtype="float64")
    for own, other in zip(again.trainable_variables, block.trainable_variables, strict=True):
        own.assign(other)
    assert greatest_difference(again.forward_and_log_det(x)[1], log_det) > 1e-4


@pytest.mark.slow
def test_training_is_unbiased_in_value_and_gradient():
    """Means over many seeds, in units of their standard errors, against exact values."""
    block = strong_block(0.5)
    x = 2.0 * random_images(1, 2, 2, 4, dtype="float64")
    variables = block.trainable_variables

    def values(dropout_seed=None):
        with tf.GradientTape() as tape:
            tape.watch(x)
            log_det = block.forward_and_log_det(x, dropout_seed=dropout_seed)[1]
        gradients = tape.gradient(log_det, [x, *variables], unconnected_gradients="zero")
        return tf.concat([tf.reshape(part, [-1]) for part in (log_det, *gradients)], axis=0)

    draw = tf.function(lambda seed: values(seed), autograph=False)
    draws = np.stack([draw(tf.constant([10, index])) for index in range(1500)])
    exact = values().numpy()
    standard_errors = np.std(draws, axis=0) / np.sqrt(len(draws))
    errors = np.abs(np.mean(draws, axis=0) - exact)
    assert np.all(errors <= 5.0 * standard_errors + 1e-12)  # 680 numbers.
    # A gradient that misses a term would be seen.
    assert np.linalg.norm(standard_errors) < 0.1 * np.linalg.norm(exact)


def test_numbers_of_terms_have_the_distribution_that_weights_say():
    draw = tf.function(random_num_terms, autograph=False)
    counts = np.array([draw(tf.constant([6, index])) for index in range(2000)])
    assert counts.min() == 2
    for k in (2, 3, 4, 6):
        probability = 1.0 / float(roulette_weight(tf.constant(float(k))))
        deviation = np.sqrt(probability * (1.0 - probability) / len(counts))
        assert abs(np.mean(counts >= k) - probability) <= 4.0 * deviation


@pytest.mark.parametrize("num_parts", [1, 3])
def test_a_batch_in_parts_has_the_estimates_of_the_whole(num_parts):
    block = strong_block()
    x = random_images(3, *LARGE, dtype="float64")
    seed = tf.constant([3, 4])
    whole = block.forward_and_log_det(x, dropout_seed=seed)[1]
    traced = tf.function(lambda x: block.forward_and_log_det(x, dropout_seed=seed)[1])
    np.testing.assert_allclose(traced(x), whole, rtol=1e-10)
    if num_parts == 3:
        from tf_marscf.stateless_seed import seed_of_rows

        parts = [
            block._forward_and_log_det(x[row : row + 1], dropout_seed=seed_of_rows(seed, row))[1]
            for row in range(3)
        ]
        np.testing.assert_allclose(tf.concat(parts, axis=0), whole, rtol=1e-10)
    assert len(set(whole.numpy())) == 3


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("coefficient", [0.5, 0.99])
def test_the_inverse_has_the_precision_of_the_dtype(coefficient, dtype):
    block = strong_block(coefficient, dtype)
    epsilon = np.finfo(dtype).eps
    for scale in (1.0, 1e4):
        x = scale * random_images(3, *LARGE, dtype=dtype)
        error = greatest_difference(block.inverse(block.forward(x)), x)
        assert error <= 200.0 / (1.0 - coefficient) * epsilon * scale


def test_gradients_of_the_inverse_are_those_of_differences():
    block = strong_block()
    y = random_images(1, 2, 2, 4, dtype="float64")
    variable = block.network.weights[1]

    def loss(y):
        x, log_det = block.inverse_and_log_det(y)
        return tf.reduce_sum(tf.sin(3.0 * x)) + tf.reduce_sum(log_det)

    with tf.GradientTape() as tape:
        tape.watch(y)
        value = loss(y)
    gradients = tape.gradient(value, [y, variable])
    step = 1e-6
    direction = random_images(1, 2, 2, 4, dtype="float64", seed=3)
    difference = (loss(y + step * direction) - loss(y - step * direction)) / (2.0 * step)
    np.testing.assert_allclose(tf.reduce_sum(gradients[0] * direction), difference, rtol=1e-6)
    direction = random_images(*variable.shape, dtype="float64", seed=3)
    start = tf.identity(variable)
    values = []
    for sign in (1.0, -1.0):
        variable.assign(start + sign * step * direction)
        values.append(loss(y))
    difference = (values[0] - values[1]) / (2.0 * step)
    np.testing.assert_allclose(tf.reduce_sum(gradients[1] * direction), difference, rtol=1e-6)


@pytest.mark.parametrize("in_graph", [False, True])
def test_an_inverse_that_does_not_converge_is_an_error(in_graph, monkeypatch):
    """A network that is no contraction, as a bound that is wrong would let through."""
    monkeypatch.setattr(
        "tf_marscf.networks.lipschitz_network.spectral_norm_bound",
        lambda kernel: 1e-3 * spectral_norm_bound(kernel),
    )
    block = strong_block(0.5)
    y = random_images(2, *LARGE, dtype="float64")
    inverse = tf.function(block.inverse, autograph=False) if in_graph else block.inverse
    with pytest.raises(tf.errors.InvalidArgumentError, match="residual_block must converge in"):
        inverse(y)


@pytest.mark.slow
def test_xla_gives_nan_where_it_cannot_raise_and_else_the_same(monkeypatch):
    block = strong_block()
    y = random_images(2, *LARGE, dtype="float64")
    compiled = tf.function(block.inverse_and_log_det, autograph=False, jit_compile=True)
    for own, other in zip(compiled(y), block.inverse_and_log_det(y), strict=True):
        np.testing.assert_allclose(own, other, rtol=1e-10, atol=1e-12)
    monkeypatch.setattr(
        "tf_marscf.networks.lipschitz_network.spectral_norm_bound",
        lambda kernel: 1e-3 * spectral_norm_bound(kernel),
    )
    wrong = tf.function(block.inverse, autograph=False, jit_compile=True)(y)
    assert np.all(np.isnan(wrong))


def test_values_that_are_not_finite_are_not_lost():
    block = strong_block()
    y = random_images(2, *LARGE, dtype="float64").numpy()
    y[1, 0, 0, 0] = np.nan
    x = block.inverse(y)
    assert np.all(np.isfinite(x[0]))
    assert not np.all(np.isfinite(x[1]))


@pytest.mark.parametrize("coefficient", [0.0, 1.0, -0.5, 2.0, np.nan])
def test_coefficients_out_of_range_are_named(coefficient):
    with pytest.raises(ValueError, match="`coefficient` must be above 0 and below 1; got"):
        ResidualBlock(4, 8, coefficient)


@pytest.mark.slow
def test_memory_of_a_gradient_does_not_grow_with_the_number_of_terms():
    """The temporaries that XLA assigns to it."""
    x = random_images(4, 8, 8, 4)

    def temporaries(num_terms):
        block = ResidualBlock(4, 8, num_terms=num_terms, seed=2)

        def gradient():
            with tf.GradientTape() as tape:
                value = tf.reduce_sum(block.forward_and_log_det(x)[1])
            return tape.gradient(value, block.trainable_variables)

        graph = tf.function(gradient, autograph=False, jit_compile=True)
        return graph.experimental_get_compiler_ir()(stage="optimized_hlo").count("f32[4,8,8,8]")

    assert temporaries(5) == temporaries(500)
