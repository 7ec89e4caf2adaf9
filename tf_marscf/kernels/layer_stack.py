"""Layers of one kind, one after another, with stacked weights."""

import keras
import tensorflow as tf

from tf_marscf.kernels.layer_loop import layer_loop, recomputed_layer_loop
from tf_marscf.kernels.recomputation import recomputed
from tf_marscf.stateless_seed import split_seed

_MIN_LOOPED_LAYERS = 3


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
            self._stacked_weight(copies) for copies in zip(*variables, strict=True)
        ]
        self._get_layers = lambda first=layers[:1]: first  # The others may be forgotten.
        self.built = True

    def _stacked_weight(self, copies):
        """One variable that starts with the values of a weight of all layers."""
        first = copies[0]
        name = first.path.rpartition(self.template.name + "/")[-1].replace("/", "_")
        return self.add_weight(
            shape=(self.num_layers, *first.shape),
            initializer=lambda *_, **__: tf.stack([tf.convert_to_tensor(copy) for copy in copies]),
            dtype=first.dtype,
            autocast=False,  # The layer casts its entries, where it would cast its own weight.
            name=name,
        )

    def call(self, maps, dropout_seed=None):
        """Runs all layers; `dropout_seed` turns dropout on."""
        seeds = split_seed(dropout_seed, self.num_layers)
        stacks = [tf.convert_to_tensor(weight) for weight in self.stacked_weights]
        if tf.executing_eagerly() or self.num_layers < _MIN_LOOPED_LAYERS:
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
