"""Layers of one kind in a loop, and their stacked weights."""

import gc
import weakref

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.kernels.test_written_gradients import assert_equal_derivatives
from tf_marscf.kernels.layer_stack import LayerStack, layer_loop, recomputed_layer_loop
from tf_marscf.stateless_seed import stateless_normal

NUM_LAYERS = 4
SEEDS = tf.constant([[1, 2], [3, 4], [5, 6], [7, 8]])


def normal(*shape, seed=0):
    return tf.random.stateless_normal(shape, [seed, 3], dtype=tf.float64)


MAPS, KERNELS, BIASES = (
    normal(2, 4),
    normal(NUM_LAYERS, 4, 4, seed=1),
    normal(NUM_LAYERS, 4, seed=2),
)


def layer(maps, weights, seed):
    kernel, bias = weights
    noise = 0.0 if seed is None else stateless_normal([4], seed, tf.float64)
    return tf.tanh(maps @ kernel + bias + noise)


def one_after_another(maps, stacks, seeds=None):
    for index in range(NUM_LAYERS):
        seed = None if seeds is None else seeds[index]
        maps = layer(maps, [stack[index] for stack in stacks], seed)
    return maps


@pytest.mark.parametrize("seeds", [None, SEEDS], ids=["plain", "seeds"])
@pytest.mark.parametrize("loop", [layer_loop, recomputed_layer_loop])
def test_a_loop_has_the_value_and_derivatives_of_its_layers(loop, seeds):
    assert_equal_derivatives(
        lambda maps, *stacks: loop(layer, maps, list(stacks), seeds),
        lambda maps, *stacks: one_after_another(maps, list(stacks), seeds),
        MAPS,
        KERNELS,
        BIASES,
    )


@pytest.mark.parametrize("jit_compile", [False, True], ids=["graph", "xla"])
@pytest.mark.parametrize("loop", [layer_loop, recomputed_layer_loop])
def test_a_loop_in_graphs_has_the_value_and_gradients_of_its_layers(loop, jit_compile):
    @tf.function(jit_compile=jit_compile)
    def run(maps):
        with tf.GradientTape() as tape:
            tape.watch([maps, KERNELS, BIASES])
            outputs = loop(layer, maps, [KERNELS, BIASES], SEEDS)
            loss = tf.reduce_sum(tf.sin(outputs))
        return outputs, tape.gradient(loss, [maps, KERNELS, BIASES])

    outputs, actual = run(MAPS)
    with tf.GradientTape() as tape:
        tape.watch([MAPS, KERNELS, BIASES])
        expected = one_after_another(MAPS, [KERNELS, BIASES], SEEDS)
        loss = tf.reduce_sum(tf.sin(expected))
    gradients = tape.gradient(loss, [MAPS, KERNELS, BIASES])
    np.testing.assert_allclose(outputs, expected, atol=1e-12)
    for one, other in zip(actual, gradients, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-12)


def events_of_a_gradient(loop):
    """What runs, in order: ("forward", n) and ("backward", n) of layer n."""
    events = []

    def logged(kind, index, value):
        def log(value, index):
            events.append((kind, int(index)))
            return value

        # Not stateful: TensorFlow would keep the order in which the program has such operations.
        (result,) = tf.numpy_function(log, [value, index], [value.dtype], stateful=False)
        return tf.ensure_shape(result, value.shape)

    def logged_layer(maps, weights, seed):
        del seed
        kernel, index = weights

        @tf.custom_gradient
        def identity(maps, index):
            def gradient(output_gradient):
                return logged("backward", index, output_gradient), None

            return logged("forward", index, maps), gradient

        return tf.tanh(identity(maps, index) @ kernel)

    @tf.function
    def run(maps, kernels):
        indices = tf.range(NUM_LAYERS, dtype=tf.float64)
        with tf.GradientTape() as tape:
            tape.watch(maps)
            # A gradient that needs the outputs: else it may begin before the last layer has run.
            loss = tf.reduce_sum(tf.sin(loop(logged_layer, maps, [kernels, indices])))
        return tape.gradient(loss, maps)

    run(MAPS, KERNELS)
    return events


def test_a_layer_is_recomputed_once_its_gradient_is_there():
    """Not all layers at once, which would keep as much as if nothing was recomputed."""
    forward = [("forward", index) for index in range(NUM_LAYERS)]
    backward = [("backward", index) for index in reversed(range(NUM_LAYERS))]
    assert events_of_a_gradient(layer_loop) == forward + backward
    again = [(kind, index) for _, index in backward for kind in ("forward", "backward")]
    assert events_of_a_gradient(recomputed_layer_loop) == forward + again


def test_recomputed_layers_read_their_weights_without_a_copy():
    @tf.function
    def run(maps, kernels, biases):
        return tf.gradients(
            tf.reduce_sum(recomputed_layer_loop(layer, maps, [kernels, biases])), kernels
        )

    graph = run.get_concrete_function(MAPS, KERNELS, BIASES).graph.as_graph_def()
    nodes = [
        *graph.node,
        *(node for function in graph.library.function for node in function.node_def),
    ]
    operations = {node.op for node in nodes}
    assert "While" in operations or "StatelessWhile" in operations
    assert "TensorListFromTensor" not in operations


class Dense(keras.layers.Layer):
    """tanh(x kernel + bias), with noise on the bias where there is a seed."""

    def __init__(self, seed, dtype):
        super().__init__(dtype=dtype)
        self._seed = seed

    def build(self, input_shape):
        initializer = keras.initializers.RandomNormal(seed=self._seed)
        self.kernel = self.add_weight(shape=(4, 4), initializer=initializer, name="kernel")
        self.bias = self.add_weight(shape=(4,), initializer="ones", autocast=False, name="bias")

    def call(self, maps, dropout_seed=None):
        bias = tf.convert_to_tensor(self.bias)
        self.seen = maps.dtype, tf.convert_to_tensor(self.kernel).dtype, bias.dtype
        if dropout_seed is not None:
            bias += tf.random.stateless_normal([4], dropout_seed, dtype=bias.dtype)
        return tf.tanh(maps @ self.kernel + tf.cast(bias, maps.dtype))


def dense_stack(num_layers, dtype="float64", **kwargs):
    layers = [Dense(seed, dtype) for seed in range(num_layers)]
    stack = LayerStack(layers, dtype=dtype, **kwargs)
    stack.build((None, 4))
    return stack


@pytest.mark.parametrize("num_layers", [1, 2, 3])
def test_a_stack_starts_with_the_weights_of_its_layers(num_layers):
    stack = dense_stack(num_layers)
    kernel, bias = stack.variables
    assert stack.trainable_variables == [kernel, bias] == stack.stacked_weights
    assert [kernel.name, bias.name] == ["kernel", "bias"]
    assert bias.shape == (num_layers, 4)
    for index in range(num_layers):
        alone = Dense(index, "float64")
        alone.build((None, 4))
        np.testing.assert_array_equal(kernel[index], alone.kernel)


def test_a_stack_keeps_one_of_its_layers_only():
    layers = [Dense(seed, "float64") for seed in range(3)]
    references = [weakref.ref(layer) for layer in layers]
    stack = LayerStack(layers, dtype="float64")
    stack.build((None, 4))
    del layers
    gc.collect()
    assert references[0]() is stack.template
    assert [reference() for reference in references[1:]] == [None, None]


@pytest.mark.parametrize("dropout_seed", [None, tf.constant([5, 6])], ids=["plain", "seed"])
@pytest.mark.parametrize("recompute", [False, True])
@pytest.mark.parametrize("num_layers", [0, 1, 2, 3])
def test_a_stack_runs_its_layers_in_eager_mode_and_in_graphs(num_layers, recompute, dropout_seed):
    stack = dense_stack(num_layers, recompute=recompute)
    run = tf.function(lambda maps: stack(maps, dropout_seed=dropout_seed))
    in_graph = run.get_concrete_function(tf.TensorSpec([None, 4], tf.float64))
    eager = stack(MAPS, dropout_seed=dropout_seed)
    np.testing.assert_allclose(in_graph(MAPS), eager, rtol=1e-14)
    if dropout_seed is None:
        expected = MAPS
        for index in range(num_layers):
            kernel, bias = (weight[index] for weight in stack.stacked_weights)
            expected = tf.tanh(expected @ kernel + bias)
        np.testing.assert_allclose(eager, expected, rtol=1e-14)
    elif num_layers:
        assert np.max(np.abs(eager - stack(MAPS))) > 1e-3


@pytest.mark.parametrize("in_graph", [False, True])
def test_layers_of_a_stack_cast_what_they_would_cast_of_their_own(in_graph):
    stack = dense_stack(3, "mixed_bfloat16", recompute=True)
    run = tf.function(stack.__call__) if in_graph else stack
    assert run(tf.cast(MAPS, tf.float32)).dtype == tf.bfloat16
    assert stack.template.seen == (tf.bfloat16, tf.bfloat16, tf.float32)
    assert {weight.dtype for weight in stack.variables} == {"float32"}
