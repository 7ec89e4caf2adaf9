"""What a gradient computes a second time, and its inputs.

Not `tf.recompute_grad`, which `keras.remat` calls: in graphs it has no second derivatives, and puts
a constant NaN there, which `tf.debugging.enable_check_numerics` refuses. Its loops would keep
copies of the layers' weights.
"""

import tensorflow as tf


def copies_after(tensors, gradient):
    """Copies of tensors that exist only after a gradient does: after the forward pass.

    Without them TensorFlow, which merges equal operations, could keep what the first pass computed.
    It looks at control dependencies, which XLA does not: there a copy is chosen by a condition on
    the gradient that never holds, which XLA cannot know.

    Args:
        tensors: a list of tensors.
        gradient: the gradient that a backward pass is given: a tensor, or a structure of some.

    Returns:
        A list of tensors, equal bit by bit, whatever the gradient is.
    """
    if tf.executing_eagerly():
        return [tf.identity(tensor) for tensor in tensors]
    gradients = tf.nest.flatten(gradient)
    with tf.control_dependencies(gradients):
        never = tf.reduce_any([_has_impossible_sine(part) for part in gradients])
        return [
            tf.raw_ops.Select(condition=never, x=tf.zeros_like(tensor), y=tensor)
            for tensor in tensors
        ]


def _has_impossible_sine(tensor):
    """False: no sine is above 2, nor is NaN. Of one entry, if there is one: of no pass over all."""
    first = tf.reshape(tensor, [-1])[:1]
    return tf.reduce_any(tf.sin(tf.cast(first, tf.float32)) > 2.0)


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
