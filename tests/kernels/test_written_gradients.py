"""Gradients written by hand against TensorFlow's of the plain formulas."""

import types

import numpy as np
import pytest
import tensorflow as tf

from tf_marscf import reference_networks
from tf_marscf.kernels.dot_product_attention import dot_product_attention
from tf_marscf.networks.normalization import LayerNorm, normalized

every_dtype = pytest.mark.parametrize("dtype", ["float32", "float64"])


def normal(*shape, seed=0):
    return tf.random.stateless_normal(shape, [seed, 8], dtype=tf.float64)


def derivatives(function, arguments):
    """The value, its gradients, and the gradient of a function of the gradients."""
    with tf.GradientTape() as outer:
        outer.watch(arguments)
        with tf.GradientTape() as tape:
            tape.watch(arguments)
            value = function(*arguments)
            # Weights of its own for each entry of the value.
            weights = tf.cast(normal(*value.shape, seed=9) ** 2, value.dtype)
            loss = tf.reduce_sum(value * weights + value**2)
        gradients = tape.gradient(loss, arguments)
        norm = tf.add_n([tf.reduce_sum(gradient**2) for gradient in gradients])
    return [value, *gradients, *outer.gradient(norm, arguments)]


def assert_equal_derivatives(function, plain, *arguments):
    tolerance = {"float32": 1e-4, "float64": 1e-10}[arguments[0].dtype.name]
    for in_graph in (False, True):
        run = tf.function(derivatives, autograph=False) if in_graph else derivatives
        actual, expected = run(function, arguments), derivatives(plain, arguments)
        for one, other in zip(actual, expected, strict=True):
            scale = 1.0 if one.dtype == tf.float64 else max(1.0, np.max(np.abs(other)))
            np.testing.assert_allclose(one, other, rtol=tolerance, atol=tolerance * scale)


@every_dtype
@pytest.mark.parametrize("rate", [0.0, 0.3])
def test_attention(rate, dtype):
    kept = normal(2, 3, 5, 7, seed=4) > -0.5 if rate else None

    def plain(query, key, value):
        query, key, value = (tf.linalg.matrix_transpose(part) for part in (query, key, value))
        query *= query.shape[-1] ** 0.5  # The kernel takes queries that are scaled.
        attended = reference_networks.attention(query, key, value, dropout if rate else tf.identity)
        return tf.linalg.matrix_transpose(attended)

    def dropout(weights):
        return weights * tf.cast(kept, dtype) / (1.0 - rate)

    def attention(query, key, value):
        return dot_product_attention(query, key, value, kept, rate)

    arguments = (normal(2, 3, 4, 5), normal(2, 3, 4, 7, seed=1), normal(2, 3, 4, 7, seed=2))
    assert_equal_derivatives(attention, plain, *(tf.cast(part, dtype) for part in arguments))


@every_dtype
@pytest.mark.parametrize("shape", [(3, 6), (2, 3, 4, 6)])
def test_layer_norm(shape, dtype):
    layer = LayerNorm(epsilon=1e-3, dtype=dtype)
    layer.build(shape)

    def plain(maps, gamma, beta):
        return reference_networks.layer_norm(maps, gamma, beta, epsilon=1e-3)

    def layer_norm(maps, gamma, beta):
        return layer.stateless_call([gamma, beta], [], maps)[0]

    arguments = (normal(*shape), normal(6, seed=1), normal(6, seed=2))
    assert_equal_derivatives(layer_norm, plain, *(tf.cast(part, dtype) for part in arguments))


def test_layer_norm_in_half_precision_computes_in_float32():
    layer = LayerNorm(1e-3, dtype="mixed_bfloat16")
    maps = tf.cast(100.0 + normal(4, 64), tf.bfloat16)
    layer.build(maps.shape)
    outputs = layer(maps)
    assert outputs.dtype == tf.bfloat16
    values = tf.cast(maps, tf.float32).numpy()
    expected = (values - values.mean(-1, keepdims=True)) / values.std(-1, keepdims=True)
    np.testing.assert_allclose(tf.cast(outputs, tf.float32), expected, atol=0.02)


@every_dtype
@pytest.mark.parametrize("shape", [(5, 4), (3, 3, 2, 4)])
def test_weight_norm(shape, dtype):
    def plain(direction, gain):
        return reference_networks.weight_norm(types.SimpleNamespace(direction=direction, gain=gain))

    def weight_norm(direction, gain):
        return normalized(direction, gain)

    arguments = (normal(*shape), normal(4, seed=1))
    assert_equal_derivatives(weight_norm, plain, *(tf.cast(part, dtype) for part in arguments))
