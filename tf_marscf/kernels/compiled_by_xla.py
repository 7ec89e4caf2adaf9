"""Functions that XLA compiles."""

import tensorflow as tf

from tf_marscf.kernels import choices
from tf_marscf.kernels.recomputation import recomputed


def whole_by_xla(function, jit_compile):
    """A function as one computation that XLA compiles, or, unless `jit_compile`, itself.

    For what is large and has its gradients inside, such as a density or the gradients of a training
    step. What must not be lost stays outside: XLA makes no checks.

    Args:
        function: of structures of tensors to a structure of tensors, of static shapes. It may read
            other tensors and variables.
        jit_compile: `bool`.
    """
    return tf.function(function, autograph=False, jit_compile=True) if jit_compile else function


def compiled_by_xla(function):
    """A function that, while a graph is traced, is one computation that XLA compiles.

    TensorFlow runs each operation of a loop's body by itself, and its threads meet after each. XLA
    fuses what is element-wise and spends less between operations. It compiles once for every set of
    shapes, when they are first seen.

    Gradients run the function once more, as operations of the graph: what a loop keeps for its
    gradient cannot leave an XLA computation.

    Args:
        function: of structures of tensors, returns one tensor. It reads no other tensors.

    Returns:
        A function of the same arguments. Calls with the same shapes share what was compiled.
    """
    by_xla = tf.function(function, jit_compile=True, autograph=False)

    def call(*args):
        if not choices.compiles_loop():
            return function(*args)

        def flat(*tensors):
            return function(*tf.nest.pack_sequence_as(args, tensors))

        def run(*tensors):
            # TensorFlow must not prepare for a gradient of its own.
            constants = [tf.stop_gradient(tensor) for tensor in tensors]
            return by_xla(*tf.nest.pack_sequence_as(args, constants))

        return recomputed(flat, *tf.nest.flatten(args), forward=run)

    return call
