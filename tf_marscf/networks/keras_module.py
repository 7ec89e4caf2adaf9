"""Shows the weights of a Keras layer to `tf.Module`."""

import tensorflow as tf

from tf_marscf.networks import keras_backend  # noqa: F401  (fails early on a foreign backend)


class KerasModule(tf.Module):
    """A `tf.Module` that owns a built Keras 3 layer.

    A Keras 3 layer is no `tf.Module`: a bijector or distribution that merely holds one does not
    list its weights in `trainable_variables`, so that they would silently never train. This module
    keeps the layer's `tf.Variable`s themselves, for TFP, `tf.train.Checkpoint` and SavedModel.

    Args:
        layer: a Keras layer, built by this constructor.
        *build_arguments: the arguments of `layer.build`, usually the shape of its input.
        name: Python `str`, default the layer's name.
    """

    def __init__(self, layer, *build_arguments, name=None):
        super().__init__(name=name or layer.name)
        if not layer.built:
            layer.build(*build_arguments)
        # The layer hides behind a function, so that checkpoints see each variable by one path.
        self._get_layer = lambda: layer
        self.layer_variables = [variable.value for variable in layer.variables]

    @property
    def layer(self):
        """The Keras layer."""
        return self._get_layer()

    def __call__(self, *args, **kwargs):
        """Calls the layer."""
        return self.layer(*args, **kwargs)
