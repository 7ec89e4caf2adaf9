"""Inputs for what a gradient computes a second time."""

import tensorflow as tf


def copies_behind(tensors, gradient):
    """Copies of tensors that exist once a gradient does, after the forward pass only.

    Without them TensorFlow, which merges equal operations, could keep what the first pass computed.

    Args:
        tensors: a list of tensors.
        gradient: the gradient that a backward pass is given.

    Returns:
        A list of tensors.
    """
    with tf.control_dependencies([gradient]):
        return [tf.identity(tensor) for tensor in tensors]
