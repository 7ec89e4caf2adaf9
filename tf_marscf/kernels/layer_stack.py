"""Layers of one kind, one after another, with stacked weights, as a loop that is traced once.

x_(n + 1) = function(x_n, [w[n] for w in stacks], seeds[n]),    n = 0 ... num_layers - 1
"""

import keras
import tensorflow as tf

from tf_marscf.kernels import choices
from tf_marscf.kernels.recomputation import copies_after, recomputed
from tf_marscf.stateless_seed import split_seed


class LayerStack(keras.layers.Layer):
    """Layers of one kind, one after another; each weight of all of them is one variable.

        x_n = layer_n(x_{n - 1}; w[n]),    w: [num_layers, *shape of the weight]

    In a graph the layers are one loop, which is traced once, and an optimizer has one variable
    instead of `num_layers`.

    Args:
        layers: list of layers, not built, that differ in nothing but their initial weights. Their
            outputs have the shape of their inputs.
        recompute: `bool`: gradients run each layer once more, instead of keeping what it computed.
    """

    def __init__(self, layers, *, recompute=False, dtype=None, name=None):
        super().__init__(dtype=dtype, name=name)
        self.num_layers = len(layers)
        self.recompute = recompute
        # Layers hide behind a function, so that Keras lists the stacked weights and no others.
        self._get_layers = lambda: layers

    @property
    def template(self):
        """The first layer, whose operations all layers share. Its weights are never used."""
        return self._get_layers()[0]

    def build(self, input_shape):
        """Creates the weights for inputs of this shape, which all layers have."""
        layers = self._get_layers()
        for layer in layers:
            layer.build(input_shape)
        variables = [layer.variables for layer in layers]
        self.stacked_weights = [
            self._stacked_weight(weights) for weights in zip(*variables, strict=True)
        ]
        self._get_layers = lambda first=layers[:1]: first  # The others may be forgotten.
        self.built = True

    def _stacked_weight(self, weights):
        """One variable that starts with the values of a weight of all layers."""
        first = weights[0]
        name = first.path.rpartition(self.template.name + "/")[-1].replace("/", "_")
        return self.add_weight(
            shape=(self.num_layers, *first.shape),
            initializer=lambda *_, **__: tf.stack([tf.convert_to_tensor(one) for one in weights]),
            dtype=first.dtype,
            autocast=False,  # The layer casts its entries, where it would cast its own weight.
            name=name,
        )

    def call(self, maps, dropout_seed=None):
        """Runs all layers; `dropout_seed` turns dropout on."""
        seeds = split_seed(dropout_seed, self.num_layers)
        stacks = [tf.convert_to_tensor(weight) for weight in self.stacked_weights]
        if not choices.loops_layers(self.num_layers):
            weights = [tf.unstack(stack, num=self.num_layers) for stack in stacks]
            for *values, seed in zip(*weights, seeds, strict=True):
                maps = self._run_layer(maps, values, seed, recompute=self.recompute)
            return maps
        loop = recomputed_layer_loop if self.recompute else layer_loop
        return loop(
            self._run_layer, maps, stacks, None if dropout_seed is None else tf.stack(seeds)
        )

    def _run_layer(self, maps, weights, seed, recompute=False):
        """The template's operations with these weights."""

        def run(maps, *weights):
            return self.template.stateless_call(weights, [], maps, dropout_seed=seed)[0]

        return recomputed(run, maps, *weights) if recompute else run(maps, *weights)


def layer_loop(function, maps, stacks, seeds=None):
    """Runs all layers, with TensorFlow's gradient, which keeps what the layers computed.

    Args:
        function: from maps, a list of weights and a seed (or None) to the next maps.
        maps: x_0. All x_n have its static shape.
        stacks: list of tensors, [num_layers, ...], one a weight.
        seeds: [num_layers, 2] integer tensor, or None.

    Returns:
        The last maps.
    """
    # The gradient of a tensor in a loop is a sum of whole tensors, that of an array is an array.
    arrays = [_array_of_layers(stack.shape, stack.dtype).unstack(stack) for stack in stacks]

    def body(index, maps):
        weights = [array.read(index) for array in arrays]
        following = function(maps, weights, _entry(seeds, index))
        return index + 1, tf.ensure_shape(following, maps.shape)

    return _run(body, stacks[0].shape[0], (tf.constant(0), maps))[1]


def recomputed_layer_loop(function, maps, stacks, seeds=None):
    """As `layer_loop`, but of each layer only its maps are kept; the gradient runs it once more."""
    num_layers = stacks[0].shape[0]

    @tf.custom_gradient
    def run(maps, *stacks):
        def run_layer(index, maps, weights):
            return tf.ensure_shape(function(maps, weights, _entry(seeds, index)), maps.shape)

        def body(index, maps, inputs):
            following = run_layer(index, maps, [stack[index] for stack in stacks])
            return index + 1, following, inputs.write(index, maps)

        def gradient(output_gradient):
            arrays = [_array_of_layers(stack.shape, stack.dtype) for stack in stacks]

            def body(index, gradient, arrays):
                weights = [stack[index] for stack in stacks]
                # Only once it is needed: TensorFlow would run all layers again at the same time.
                (layer_input,) = copies_after([inputs[index]], gradient)
                with tf.GradientTape() as tape:
                    tape.watch([layer_input, weights])
                    output = run_layer(index, layer_input, weights)
                gradient, weight_gradients = tape.gradient(
                    output, (layer_input, weights), gradient, unconnected_gradients="zero"
                )
                arrays = [
                    array.write(index, weight_gradient)
                    for array, weight_gradient in zip(arrays, weight_gradients, strict=True)
                ]
                return index - 1, gradient, arrays

            state = (tf.constant(num_layers - 1), output_gradient, arrays)
            _, gradient, arrays = _run(body, num_layers, state)
            return gradient, *(array.stack() for array in arrays)

        inputs = _array_of_layers((num_layers, *maps.shape), maps.dtype)
        _, outputs, inputs = _run(body, num_layers, (tf.constant(0), maps, inputs))
        inputs = inputs.stack()
        return outputs, gradient

    return run(maps, *stacks)


def _run(body, num_layers, state):
    return tf.while_loop(
        lambda index, *_: (index >= 0) & (index < num_layers),
        body,
        state,
        maximum_iterations=num_layers,
    )


def _entry(seeds, index):
    return None if seeds is None else seeds[index]


def _array_of_layers(shape, dtype):
    """A `TensorArray` for the entries of a tensor of this shape along its first axis."""
    return tf.TensorArray(dtype, size=shape[0], element_shape=shape[1:])
