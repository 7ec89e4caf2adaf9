"""Functions that XLA compiles inside of a graph."""

import numpy as np
import pytest
import tensorflow as tf

from tf_marscf.kernels.compiled_by_xla import compiled_by_xla


def powers(base, factors):
    """The sum over steps of `factors[0] * base ** step`, in a loop."""

    def body(step, power, total):
        return step + 1, power * base, total + factors[0] * power

    loop = tf.while_loop(
        lambda step, *_: step < 4,
        body,
        (tf.constant(0), tf.ones_like(base), tf.zeros_like(base)),
        maximum_iterations=4,
    )
    return loop[-1]


def values_and_derivatives(base, factor):
    """[value, d/dbase, d/dfactor, d2/dbase2]."""
    with tf.GradientTape() as outer:
        outer.watch(base)
        with tf.GradientTape(persistent=True) as tape:
            tape.watch([base, factor])
            value = compiled_by_xla(powers)(base, (factor,))
        slope = tape.gradient(value, base)
    return [value, slope, tape.gradient(value, factor), outer.gradient(slope, base)]


@pytest.mark.parametrize("options", [{}, {"jit_compile": True}])
def test_values_and_derivatives_are_those_of_the_function(options):
    base, factor = tf.constant([0.5, -1.5, 2.0], tf.float64), tf.constant(3.0, tf.float64)
    results = tf.function(values_and_derivatives, **options)(base, factor)
    x = base.numpy()
    expected = [
        3.0 * (1.0 + x + x**2 + x**3),
        3.0 * (1.0 + 2.0 * x + 3.0 * x**2),
        np.sum(1.0 + x + x**2 + x**3),
        3.0 * (2.0 + 6.0 * x),
    ]
    for result, value in zip(results, expected, strict=True):
        np.testing.assert_allclose(result, value, rtol=1e-13)
    for result, value in zip(values_and_derivatives(base, factor), expected, strict=True):
        np.testing.assert_allclose(result, value, rtol=1e-13)


def test_only_graphs_are_compiled():
    def is_compiled(value):
        graph = tf.function(lambda x: compiled_by_xla(tf.sin)(x)).get_concrete_function(value).graph
        functions = graph.as_graph_def().library.function
        return any(function.attr["_XlaMustCompile"].b for function in functions)

    assert is_compiled(tf.constant(1.0))
    assert compiled_by_xla(lambda x: tf.constant(float(tf.executing_eagerly())))(1.0) == 1.0


def test_sizes_may_be_unknown():
    function = tf.function(
        lambda x: compiled_by_xla(powers)(x, (tf.constant(1.0),)),
        input_signature=[tf.TensorSpec([None], tf.float32)],
    )
    for size in (1, 3):
        np.testing.assert_allclose(function(2.0 * tf.ones([size])), 15.0 * np.ones(size))
