"""The transformation inside MixLogCDF couplings, and its inversion."""

import hypothesis
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
from hypothesis import strategies
from hypothesis.extra import numpy as hypothesis_numpy

from tf_marscf import reference_couplings
from tf_marscf.bijectors import MixtureLogitCdf

tfd = tfp.distributions
NUM_COMPONENTS = 4


def parameters(shape, dtype="float64", num_components=NUM_COMPONENTS, seed=0):
    """Mixtures with components apart, and scales over two orders of magnitude."""
    logits, means, log_scales = (
        tf.random.stateless_normal([*shape, num_components], [seed, index], 0.0, scale, dtype)
        for index, scale in enumerate((1.0, 3.0, 1.5))
    )
    return logits, means, log_scales


@tf.function(autograph=False)
def both_ways(value, *mixture):
    """y, log dy/dx, x and log dx/dy of a value; one graph for all examples of a dtype and shape."""
    bijector = MixtureLogitCdf(*mixture)
    return *bijector.forward_and_log_slope(value), *bijector.inverse_and_log_slope(value)


def floats(dtype):
    """Every finite number of a dtype, and lists of them with mixtures of every shape."""
    width = 32 if dtype == "float32" else 64
    return strategies.floats(allow_nan=False, allow_infinity=False, width=width)


def test_value_and_slope_are_those_of_the_mixture_of_tfp():
    logits, means, log_scales = parameters([50])
    mixture = tfd.MixtureSameFamily(
        tfd.Categorical(logits=logits), tfd.Logistic(means, tf.exp(log_scales))
    )
    x = tf.random.stateless_normal([50], [1, 1], 0.0, 3.0, "float64")
    y, log_slope = MixtureLogitCdf(logits, means, log_scales).forward_and_log_slope(x)
    cdf = mixture.cdf(x)
    np.testing.assert_allclose(y, np.log(cdf) - np.log1p(-cdf), rtol=1e-7)
    expected = mixture.log_prob(x) - tf.math.log(cdf) - tf.math.log1p(-cdf)
    np.testing.assert_allclose(log_slope, expected, atol=1e-7)


def test_slope_is_the_derivative():
    bijector = MixtureLogitCdf(*parameters([200]))
    x = tf.random.stateless_normal([200], [1, 1], 0.0, 10.0, "float64")
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = bijector.forward(x)
    np.testing.assert_allclose(
        tf.exp(bijector.forward_log_det_jacobian(x, event_ndims=0)),
        tape.gradient(y, x),
        rtol=1e-9,
    )


@pytest.mark.parametrize(("dtype", "precision"), [("float32", 1e-5), ("float64", 1e-13)])
def test_inverse_reaches_the_precision_of_the_dtype(dtype, precision):
    """Where the slope is small, the rounding of y moves x by as much as it divided by the slope."""
    bijector = MixtureLogitCdf(*parameters([5000], dtype))
    x = tf.random.stateless_normal([5000], [1, 1], 0.0, 5.0, dtype)
    y, log_slope = bijector.forward_and_log_slope(x)
    error = tf.abs(bijector.inverse(y) - x)
    bound = precision * (1.0 + tf.abs(x) + (1.0 + tf.abs(y)) * tf.exp(-log_slope))
    assert np.all(error <= bound)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_tails_are_linear_and_round_trip(dtype):
    """Far out one component decides: y = (x - mean) / scale + log weight, at any distance."""
    logits, means, log_scales = parameters([1], dtype)
    bijector = MixtureLogitCdf(logits, means, log_scales)
    slowest = float(tf.reduce_max(log_scales))
    for x in (-1e6, -1e3, 1e3, 1e6):
        y, log_slope = bijector.forward_and_log_slope(tf.constant([x], dtype))
        np.testing.assert_allclose(log_slope, -slowest, atol=5e-3)
        np.testing.assert_allclose(bijector.inverse(y), [x], rtol=1e-5)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@hypothesis.settings(max_examples=150, deadline=None)
@hypothesis.given(data=strategies.data())
def test_no_finite_value_gives_nan(dtype, data):
    shape = (3,)
    draw = lambda elements, shape: tf.constant(  # noqa: E731
        data.draw(hypothesis_numpy.arrays(dtype, shape, elements=elements))
    )
    width = 32 if dtype == "float32" else 64
    moderate = strategies.floats(-50, 50, width=width)
    # The network bounds log-scales from below by -7.
    mixture = [
        draw(moderate, (*shape, NUM_COMPONENTS)),
        draw(moderate, (*shape, NUM_COMPONENTS)),
        draw(strategies.floats(-7, 20, width=width), (*shape, NUM_COMPONENTS)),
    ]
    value = draw(floats(dtype), shape)
    for result in both_ways(value, *mixture):
        assert np.all(np.isfinite(result)), result


@hypothesis.settings(max_examples=100, deadline=None)
@hypothesis.given(
    first=strategies.floats(-1e4, 1e4),
    second=strategies.floats(-1e4, 1e4),
    seed=strategies.integers(0, 99),
)
def test_forward_and_inverse_increase(first, second, seed):
    mixture = parameters([1], seed=seed)
    low, high = (
        both_ways(tf.constant([value], tf.float64), *mixture) for value in sorted((first, second))
    )
    for index in (0, 2):
        assert low[index] <= high[index]


def test_gradients_of_the_inverse_are_those_of_the_implicit_function():
    """Through x = f^-1(y): dx/dy = 1 / f', dx/dparameter = -(df/dparameter) / f'."""
    tensors = parameters([20])
    y = tf.random.stateless_normal([20], [1, 1], 0.0, 2.0, "float64")
    with tf.GradientTape() as tape:
        tape.watch([y, *tensors])
        x, log_slope = MixtureLogitCdf(*tensors).inverse_and_log_slope(y)
        loss = tf.reduce_sum(tf.sin(x)) + tf.reduce_sum(log_slope)
    gradients = tape.gradient(loss, [y, *tensors])

    def loss_at(y, *tensors):
        x, log_slope = MixtureLogitCdf(*tensors).inverse_and_log_slope(y)
        return float(tf.reduce_sum(tf.sin(x)) + tf.reduce_sum(log_slope))

    arguments = [y, *tensors]
    for index, gradient in enumerate(gradients):
        direction = tf.random.stateless_normal(gradient.shape, [5, index], dtype="float64")
        losses = [
            loss_at(
                *(
                    argument + sign * 1e-6 * direction if position == index else argument
                    for position, argument in enumerate(arguments)
                )
            )
            for sign in (1, -1)
        ]
        slope = (losses[0] - losses[1]) / 2e-6
        assert slope == pytest.approx(float(tf.reduce_sum(gradient * direction)), rel=1e-5)


@pytest.mark.parametrize("in_graph", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_inverse_is_that_of_plain_bisection(dtype, in_graph):
    """Values and gradients, to y and to the mixture."""
    tensors = parameters([200], dtype)
    y = tf.random.stateless_normal([200], [1, 1], 0.0, 2.0, dtype)

    def root_and_gradients(function):
        with tf.GradientTape() as tape:
            tape.watch([y, *tensors])
            x = function(y, *tensors)
            loss = tf.reduce_sum(tf.sin(x))
        return x, *tape.gradient(loss, [y, *tensors])

    def inverse(y, *mixture):
        return MixtureLogitCdf(*mixture).inverse(y)

    run = tf.function(root_and_gradients, autograph=False) if in_graph else root_and_gradients
    tolerance = {"float32": 1e-3, "float64": 1e-9}[dtype]
    for actual, expected in zip(
        run(inverse), root_and_gradients(reference_couplings.inverse_logit_mixture_cdf), strict=True
    ):
        np.testing.assert_allclose(actual, expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(("dtype", "most"), [("float32", 12), ("float64", 14)])
@pytest.mark.parametrize(("spread", "variety"), [(0.3, 1.0), (1.0, 1.0), (3.0, 1.0)])
def test_inversion_takes_few_evaluations(dtype, most, spread, variety):
    """The slowest of 12,000 elements decides; bisection alone would take hundreds in its tails.

    One evaluation more, after the loop, is that of the slopes.
    """
    logits, means, log_scales = (
        tf.random.stateless_normal([12_000, 32], [3, index], 0.0, scale, dtype)
        for index, scale in enumerate((1.0, spread, variety))
    )
    bijector = MixtureLogitCdf(logits, means, log_scales - 1.0)
    y = tf.random.stateless_normal([12_000], [3, 3], 0.0, 2.0, dtype)
    num_evaluations = 0
    derivatives = bijector._derivatives

    def counted(x):
        nonlocal num_evaluations
        num_evaluations += 1
        return derivatives(x)

    bijector._derivatives = counted
    x = bijector.inverse(y)
    value, log_slope = bijector.forward_and_log_slope(x)
    # Neither f nor x is known better.
    precision = 8.0 * np.finfo(dtype).eps * (1.0 + np.abs(y) + np.exp(log_slope) * np.abs(x))
    assert np.all(np.abs(value - y) <= precision)
    assert num_evaluations - 1 <= most


@pytest.mark.parametrize(
    "options", [None, {}, {"jit_compile": True}], ids=["eager", "graph", "xla"]
)
def test_float32_has_all_its_digits_in_graphs_too(options):
    """Graphs turned `1 / x` into an operation that is coarse for exponentials near 1e35."""
    tensors = [
        tf.random.stateless_normal([5_000, 32], [4, index], 0.0, scale)
        for index, scale in enumerate((1.0, 3.0, 1.0))
    ]
    x = tf.random.stateless_normal([5_000], [4, 3], 0.0, 3.0)
    run = MixtureLogitCdf(*tensors).forward_and_log_slope
    run = run if options is None else tf.function(run, autograph=False, **options)
    exact = MixtureLogitCdf(*(tf.cast(tensor, tf.float64) for tensor in tensors))
    for actual, expected in zip(
        run(x), exact.forward_and_log_slope(tf.cast(x, tf.float64)), strict=True
    ):
        np.testing.assert_allclose(actual, expected, rtol=2e-6, atol=2e-6)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("location", "variety", "jit_compile"),
    [
        (0.0, 1.0, False),
        (0.0, 3.0, False),
        (0.0, 3.0, True),
        (-20.0, 1.0, False),
        (-50.0, 1.0, False),
        (40.0, 1.0, False),
    ],
)
def test_the_slope_of_an_inverse_is_that_at_its_root(dtype, location, variety, jit_compile):
    """Though it follows from a derivative: where scales vary, or are below the rounding of x."""
    logits, means, log_scales = (
        tf.random.stateless_normal([5_000, 32], [4, index], 0.0, scale, dtype)
        for index, scale in enumerate((1.0, 3.0, variety))
    )
    mixture = MixtureLogitCdf(logits, means, log_scales + location)
    y = tf.random.stateless_normal([5_000], [4, 3], 0.0, 3.0, dtype)
    x, log_slope = tf.function(
        mixture.inverse_and_log_slope, autograph=False, jit_compile=jit_compile
    )(y)
    tolerance = 64.0 * np.finfo(dtype).eps
    expected = mixture.forward_and_log_slope(x)[1]
    np.testing.assert_allclose(log_slope, expected, rtol=tolerance, atol=tolerance)


def test_one_component_is_solved_at_once():
    """A single logistic is an affine map: the bracket is its root."""
    bijector = MixtureLogitCdf(
        tf.constant([[0.0]]), tf.constant([[2.0]]), tf.constant([[np.log(3.0)]], tf.float32)
    )
    np.testing.assert_allclose(bijector.forward([8.0]), [2.0], rtol=1e-6)
    np.testing.assert_allclose(bijector.inverse([2.0]), [8.0], rtol=1e-6)


def test_an_inverse_on_a_plateau_stays_there():
    # Between components that are far apart the CDF is flat: the rounding of f, divided by a slope
    # of 1e-9, is a step of any size.
    x = tf.linspace(-6.0, 13.0, 401)
    parameters = ([0.0, 0.0, -4.0], [-4.0, -3.0, 11.0], np.log([0.15, 0.1, 0.2]))
    mixture = MixtureLogitCdf(
        *(tf.repeat([tf.constant(part, tf.float32)], 401, axis=0) for part in parameters)
    )
    y = mixture.forward(x)
    assert np.min(mixture.forward_and_log_slope(x)[1]) < -15.0
    found, log_slope = mixture.inverse_and_log_slope(y)
    assert np.min(log_slope) < -15.0
    np.testing.assert_allclose(log_slope, mixture.forward_and_log_slope(found)[1], atol=1e-5)
    assert -7.0 < np.min(found) and np.max(found) < 14.0
    np.testing.assert_allclose(mixture.forward(found), y, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_written_gradients_are_those_of_autodiff(dtype):
    """Against the reference in float64, far into both tails."""
    tensors = [tf.cast(tensor, dtype) for tensor in parameters([300])]
    x = tf.cast(tf.linspace(-60.0, 60.0, 300), dtype)

    def results(function, arguments):
        with tf.GradientTape() as tape:
            tape.watch(arguments)
            y, log_slope = function(*arguments)
            loss = tf.reduce_sum(tf.sin(y) + y * log_slope)
        return y, log_slope, *tape.gradient(loss, arguments)

    actual = results(
        lambda x, *rest: MixtureLogitCdf(*rest).forward_and_log_slope(x), [x, *tensors]
    )
    arguments = [tf.cast(tensor, tf.float64) for tensor in (x, *tensors)]
    tolerance = {"float32": 2e-4, "float64": 1e-10}[dtype]
    for ours, theirs in zip(
        actual, results(reference_couplings.logit_mixture_cdf, arguments), strict=True
    ):
        np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(
    "options", [None, {}, {"jit_compile": True}], ids=["eager", "graph", "xla"]
)
def test_second_derivatives_are_those_of_autodiff(options):
    tensors = parameters([40])
    x = tf.linspace(tf.constant(-8.0, tf.float64), 8.0, 40)

    def derivatives(function):
        arguments = [x, *tensors]
        with tf.GradientTape() as outer:
            outer.watch(arguments)
            with tf.GradientTape() as inner:
                inner.watch(arguments)
                y, log_slope = function(*arguments)
                loss = tf.reduce_sum(tf.sin(y) + y * log_slope)
            first = inner.gradient(loss, arguments)
            loss = tf.add_n([tf.reduce_sum(tf.sin(part)) for part in first])
        return outer.gradient(loss, arguments)

    def ours():
        return derivatives(lambda x, *rest: MixtureLogitCdf(*rest).forward_and_log_slope(x))

    actual = ours() if options is None else tf.function(ours, autograph=False, **options)()
    for part, expected in zip(
        actual, derivatives(reference_couplings.logit_mixture_cdf), strict=True
    ):
        np.testing.assert_allclose(part, expected, rtol=1e-8, atol=1e-8)
