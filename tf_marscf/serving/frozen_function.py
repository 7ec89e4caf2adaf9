"""Functions without variables."""

import hashlib

import tensorflow as tf
from tensorflow.core.protobuf import config_pb2, meta_graph_pb2
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2
from tensorflow.python.grappler import tf_optimizer
from tensorflow.python.training.saver import export_meta_graph


def freeze(function, specs):
    """Turns a function of a model into one without variables, with all that follows from them.

    The weights become constants. What is computed from constants alone, such as the inverse of a
    1x1 convolution or a weight-normalised kernel, is computed here once, and not in every call.

    Args:
        function: takes tensors by name, and returns a dict of tensors.
        specs: dict from the arguments' names to `tf.TensorSpec`s.

    Returns:
        A `tf.function` that takes the arguments in the order of `specs`.
    """
    names = list(specs)
    traced = tf.function(lambda *args: function(**dict(zip(names, args, strict=True))))
    concrete = traced.get_concrete_function(*specs.values())
    # Functional loops stay: TensorFlow runs their bodies in parallel, and v1 loops hide constants.
    frozen = convert_variables_to_constants_v2(concrete, lower_control_flow=False)
    graph_def = _fold_constants(frozen)
    _remove_gradients(graph_def)
    _rename_functions(graph_def)
    imported = tf.compat.v1.wrap_function(
        lambda: tf.compat.v1.import_graph_def(graph_def, name=""), []
    )
    pruned = imported.prune(
        [imported.graph.as_graph_element(tensor.name) for tensor in frozen.inputs],
        [imported.graph.as_graph_element(tensor.name) for tensor in frozen.outputs],
    )
    # The order in which TensorFlow flattens a dict.
    output_names = sorted(concrete.structured_outputs)

    def call(*args):
        return dict(zip(output_names, pruned(*args), strict=True))

    return tf.function(call, input_signature=list(specs.values()))


def _fold_constants(frozen):
    """The graph of a function after TensorFlow's constant folding."""
    meta_graph = export_meta_graph(graph_def=frozen.graph.as_graph_def(), graph=frozen.graph)
    # TensorFlow's optimizer keeps what it finds in this collection.
    kept = meta_graph_pb2.CollectionDef()
    kept.node_list.value.extend(tensor.name for tensor in [*frozen.inputs, *frozen.outputs])
    meta_graph.collection_def["train_op"].CopyFrom(kept)
    config = config_pb2.ConfigProto()
    options = config.graph_options.rewrite_options
    options.min_graph_nodes = -1
    options.optimizers.append("constfold")
    return tf_optimizer.OptimizeGraph(config, meta_graph)


def _rename_functions(graph_def):
    """Gives the functions in a graph new names: their old ones are taken, by others, in TensorFlow.

    The names depend on the graph alone, so that equal exports are equal files.
    """
    suffix = hashlib.sha256(graph_def.SerializeToString(deterministic=True)).hexdigest()[:16]
    names = {function.signature.name for function in graph_def.library.function}
    for node in _all_nodes(graph_def):
        for attribute in node.attr.values():
            for reference in (attribute.func, *attribute.list.func):
                if reference.name in names:
                    reference.name += suffix
        if node.op in names:
            node.op += suffix
    for function in graph_def.library.function:
        function.signature.name += suffix


def _remove_gradients(graph_def):
    """Removes references to gradients written by hand: Python functions that no server has."""
    for node in _all_nodes(graph_def):
        node.attr.pop("_gradient_op_type", None)
    del graph_def.library.gradient[:]


def _all_nodes(graph_def):
    """The nodes of a graph and of the functions in it."""
    functions = graph_def.library.function
    return [*graph_def.node, *(node for part in functions for node in part.node_def)]
