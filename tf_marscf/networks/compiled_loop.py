"""Loops that XLA compiles."""

import tensorflow as tf

from tf_marscf.networks.recomputation import recomputed


def compiled(function, *args):
    """Calls a function; while a graph is traced, as one computation that XLA compiles.

    TensorFlow runs each operation of a loop's body by itself, and its threads meet after each. XLA
    fuses what is element-wise and spends less between operations. It compiles once for every set of
    shapes, when they are first seen.

    Gradients run the function once more, as operations of the graph: what a loop keeps for its
    gradient cannot leave an XLA computation.

    Args:
        function: of structures of tensors. It reads no other tensors.
        *args: its arguments.

    Returns:
        What `function` returns, one tensor.
    """
    if tf.executing_eagerly():
        return function(*args)

    def flat(*tensors):
        return function(*tf.nest.pack_sequence_as(args, tensors))

    def run(*tensors):
        # TensorFlow must not prepare for a gradient of its own.
        constants = [tf.stop_gradient(tensor) for tensor in tensors]
        return tf.function(flat, jit_compile=True, autograph=False)(*constants)

    return recomputed(flat, *tf.nest.flatten(args), forward=run)
