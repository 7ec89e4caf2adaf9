"""Large constants that the functions of an export have in common."""

import hashlib

import tensorflow as tf

# TensorFlow itself keeps smaller ones inside a function.
_MIN_NUM_ELEMENTS = 256


class SharedConstants:
    """Keeps one of each large constant that graphs have.

    Every signature needs (nearly) all weights. Were they constants of each one's own graph, an
    export would be five times its size, and a file cannot exceed two gigabytes.
    """

    def __init__(self):
        self._tensors = {}

    def of_graph(self, graph_def):
        """The large constants of a graph.

        Args:
            graph_def: a `GraphDef`. Constants in its functions do not count.

        Returns:
            A dict from the names of the constants' nodes to eager tensors: one tensor for each
            value, whichever graphs it was found in.
        """
        return {
            node.name: self._shared(node.attr["value"].tensor)
            for node in graph_def.node
            if node.op == "Const" and _num_elements(node) >= _MIN_NUM_ELEMENTS
        }

    def _shared(self, tensor_proto):
        value = tf.make_ndarray(tensor_proto)
        content = hashlib.sha256(value.tobytes()).digest()
        key = (value.dtype, value.shape, content)
        if key not in self._tensors:
            self._tensors[key] = tf.constant(value)
        return self._tensors[key]


def _num_elements(node):
    return tf.TensorShape(node.attr["value"].tensor.tensor_shape).num_elements()
