"""What a gradient computes a second time is computed after the forward pass, also by XLA."""

import numpy as np
import pytest
import tensorflow as tf

from tf_marscf.benchmarks.compiled_memory import compiled_memory
from tf_marscf.kernels.recomputation import copies_after, recomputed

every_dtype = pytest.mark.parametrize("dtype", ["bfloat16", "float32", "float64"])
every_way = pytest.mark.parametrize(
    "options", [None, {}, {"jit_compile": True}], ids=["eager", "graph", "xla"]
)
VALUES = [0.0, -0.0, 1.5, np.inf, -np.inf, np.nan]


def bits_of(tensor):
    bits = {2: tf.uint16, 4: tf.uint32, 8: tf.uint64}[tensor.dtype.size]
    return tf.bitcast(tensor, bits).numpy()


@every_way
@every_dtype
@pytest.mark.parametrize("gradient", [[], [0.0], [1.0, np.nan], [np.nan], [np.inf], [-np.inf]])
def test_copies_have_the_same_bits_whatever_the_gradient(gradient, dtype, options):
    def copies(values, gradient):
        return copies_after([values, tf.constant(3)], {"of": [gradient]})

    run = copies if options is None else tf.function(copies, autograph=False, **options)
    values = tf.constant(VALUES, dtype)
    copy, number = run(values, tf.constant(gradient, dtype))
    np.testing.assert_array_equal(bits_of(copy), bits_of(values))
    assert int(number) == 3


@every_way
def test_derivatives_of_copies_are_those_of_the_tensors(options):
    def derivatives(x):
        with tf.GradientTape() as outer:
            outer.watch(x)
            with tf.GradientTape() as tape:
                tape.watch(x)
                (copy,) = copies_after([x], tf.stop_gradient(x))
                value = tf.reduce_sum(copy**3)
            slope = tape.gradient(value, x)
        return slope, outer.gradient(slope, x)

    run = derivatives if options is None else tf.function(derivatives, autograph=False, **options)
    x = tf.constant([0.5, -2.0], tf.float64)
    slope, curvature = run(x)
    np.testing.assert_allclose(slope, 3.0 * x**2)
    np.testing.assert_allclose(curvature, 6.0 * x)


def chain(maps, *kernels):
    """A part of a network that keeps much for its gradient."""
    for first, second in zip(kernels[::2], kernels[1::2], strict=True):
        hidden = tf.nn.elu(tf.nn.conv2d(maps, first, 1, "SAME"))
        maps += tf.nn.conv2d(hidden, second, 1, "SAME")
    return maps


@pytest.mark.slow
def test_xla_does_not_keep_what_is_recomputed():
    """By XLA's own analysis: temporaries of the gradients of six parts of two layers each."""
    maps = tf.random.stateless_normal([4, 16, 16, 4], [0, 1])
    kernels = [
        0.1 * tf.random.stateless_normal(shape, [index, 2])
        for index in range(12)
        for shape in ([3, 3, 4, 32], [3, 3, 32, 4])
    ]

    def gradients_of(part):
        def gradients(maps, *kernels):
            with tf.GradientTape() as tape:
                tape.watch([maps, *kernels])
                outputs = maps
                for start in range(0, len(kernels), 4):
                    outputs = part(outputs, *kernels[start : start + 4])
                loss = tf.reduce_sum(tf.sin(outputs))
            return tape.gradient(loss, [maps, *kernels])

        return gradients

    kept = gradients_of(chain)
    again = gradients_of(lambda maps, *kernels: recomputed(chain, maps, *kernels))
    memories = [compiled_memory(run, maps, *kernels).temporaries for run in (kept, again)]
    assert memories[1] < 0.6 * memories[0], memories
    for one, other in zip(
        *(tf.function(run, jit_compile=True)(maps, *kernels) for run in (kept, again)), strict=True
    ):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)
