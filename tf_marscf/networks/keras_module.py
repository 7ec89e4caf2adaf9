"""Shows the weights of a Keras layer to `tf.Module`."""

import contextlib

import keras
import tensorflow as tf

if keras.backend.backend() != "tensorflow":
    raise ImportError(
        "tf_marscf needs Keras with the TensorFlow backend; got KERAS_BACKEND="
        f"{keras.backend.backend()!r}. Set KERAS_BACKEND=tensorflow before Python starts."
    )


def network_policy(dtype, network_dtype=None):
    """The Keras dtype policy of a network.

    Args:
        dtype: float dtype of the weights, and of what goes in and comes out.
        network_dtype: dtype of the computations in between, "bfloat16" or None for `dtype`.

    Returns:
        A `keras.DTypePolicy`.
    """
    name = tf.as_dtype(dtype).name
    return keras.DTypePolicy(name if network_dtype is None else f"mixed_{network_dtype}")


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
        """Calls the layer; the results have the dtype of its weights."""
        outputs = self.layer(*args, **kwargs)
        return tf.nest.map_structure(
            lambda output: tf.cast(output, self.layer.variable_dtype), outputs
        )

    def initialize(self, maps, constant_channels):
        """Sets the ActNorms of a coupling's network from its input; notes the constant channels."""
        self(
            maps,
            initialize=True,
            report=lambda name, is_constant: constant_channels.within(name).add(is_constant),
        )


@contextlib.contextmanager
def weights_read_once(module):
    """Reads every weight of the Keras layers inside a module, once, while a function is traced.

    What runs in this context uses the values read here, in the bodies of loops as well, which would
    otherwise hold the variables themselves.

    Args:
        module: a `tf.Module`.
    """
    layers = [one.layer for one in module.submodules if isinstance(one, KerasModule)]
    variables = [variable for layer in layers for variable in layer.variables]
    values = [(variable, tf.convert_to_tensor(variable.value)) for variable in variables]
    with keras.StatelessScope(state_mapping=values):
        yield
