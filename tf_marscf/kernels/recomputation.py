"""What a gradient computes a second time, and its inputs.

Not `tf.recompute_grad`, which `keras.remat` calls: in graphs it has no second derivatives, and puts
a constant NaN there, which `tf.debugging.enable_check_numerics` refuses. Its loops would keep
copies of the layers' weights.
"""

import tensorflow as tf


def copies_after(tensors, gradient):
    """Copies of tensors that exist only after a gradient does: after the forward pass.

    Without them TensorFlow, which merges equal operations, could keep what the first pass computed.

    Args:
        tensors: a list of tensors.
        gradient: the gradient that a backward pass is given: a tensor, or a structure of some.

    Returns:
        A list of tensors.
    """
    with tf.control_dependencies(tf.nest.flatten(gradient)):
        return [tf.identity(tensor) for tensor in tensors]


def recomputed(function, *tensors, forward=None):
    """Calls a function of tensors, of which nothing is kept for the gradient: it is run once more.

    Args:
        function: from tensors to a tensor or a list. Gradients flow to its arguments only, zeros
            where it does not depend on an argument.
        *tensors: its arguments.
        forward: another way to compute the same, for the forward pass; or None.

    Returns:
        What `function` returns.
    """

    @tf.custom_gradient
    def run(*tensors):
        def gradient(*output_gradients):
            again = copies_after(tensors, output_gradients)
            with tf.GradientTape() as tape:
                tape.watch(again)
                outputs = tf.nest.flatten(function(*again))
            return tape.gradient(
                outputs, again, list(output_gradients), unconnected_gradients="zero"
            )

        return (forward or function)(*tensors), gradient

    return run(*tensors)
