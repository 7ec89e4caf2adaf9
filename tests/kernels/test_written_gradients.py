"""Gradients written by hand against TensorFlow's of the plain formulas, in float64."""

import numpy as np
import pytest
import tensorflow as tf

from tf_marscf.kernels.dot_product_attention import dot_product_attention
from tf_marscf.networks.normalization import LayerNorm, normalized


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
            loss = tf.reduce_sum(value * normal(*value.shape, seed=9) ** 2 + value**2)
        gradients = tape.gradient(loss, arguments)
        norm = tf.add_n([tf.reduce_sum(gradient**2) for gradient in gradients])
    return [value, *gradients, *outer.gradient(norm, arguments)]


def assert_equal_derivatives(function, plain, *arguments):
    for in_graph in (False, True):
        run = tf.function(derivatives, autograph=False) if in_graph else derivatives
        actual, expected = run(function, arguments), derivatives(plain, arguments)
        for one, other in zip(actual, expected, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("rate", [0.0, 0.3])
def test_attention(rate):
    kept = normal(2, 3, 5, 7, seed=4) > -0.5 if rate else None

    def plain(query, key, value):
        weights = tf.nn.softmax(tf.einsum("...cq,...ck->...qk", query, key))
        if rate:
            weights *= tf.cast(kept, tf.float64) / (1.0 - rate)
        return tf.einsum("...qk,...ck->...cq", weights, value)

    def attention(query, key, value):
        return dot_product_attention(query, key, value, kept, rate)

    arguments = (normal(2, 3, 4, 5), normal(2, 3, 4, 7, seed=1), normal(2, 3, 4, 7, seed=2))
    assert_equal_derivatives(attention, plain, *arguments)


@pytest.mark.parametrize("shape", [(3, 6), (2, 3, 4, 6)])
def test_layer_norm(shape):
    layer = LayerNorm(epsilon=1e-3, dtype="float64")
    layer.build(shape)

    def plain(maps, gamma, beta):
        mean, variance = tf.nn.moments(maps, axes=[-1], keepdims=True)
        return gamma * (maps - mean) / tf.sqrt(variance + 1e-3) + beta

    def layer_norm(maps, gamma, beta):
        return layer.stateless_call([gamma, beta], [], maps)[0]

    gamma, beta = normal(6, seed=1), normal(6, seed=2)
    assert_equal_derivatives(layer_norm, plain, normal(*shape), gamma, beta)


def test_layer_norm_in_half_precision_computes_in_float32():
    layer = LayerNorm(1e-3, dtype="mixed_bfloat16")
    maps = tf.cast(100.0 + normal(4, 64), tf.bfloat16)
    layer.build(maps.shape)
    outputs = layer(maps)
    assert outputs.dtype == tf.bfloat16
    values = tf.cast(maps, tf.float32).numpy()
    expected = (values - values.mean(-1, keepdims=True)) / values.std(-1, keepdims=True)
    np.testing.assert_allclose(tf.cast(outputs, tf.float32), expected, atol=0.02)


@pytest.mark.parametrize("shape", [(5, 4), (3, 3, 2, 4)])
def test_weight_norm(shape):
    def plain(direction, gain):
        axes = list(range(len(shape) - 1))
        return direction * gain / tf.sqrt(tf.reduce_sum(direction**2, axis=axes))

    def weight_norm(direction, gain):
        return normalized(direction, gain)

    assert_equal_derivatives(weight_norm, plain, normal(*shape), normal(4, seed=1))
