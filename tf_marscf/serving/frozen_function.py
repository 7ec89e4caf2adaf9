"""Functions without variables."""

import hashlib

import tensorflow as tf
from tensorflow.core.protobuf import config_pb2, meta_graph_pb2
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2
from tensorflow.python.grappler import tf_optimizer
from tensorflow.python.training.saver import export_meta_graph


def freeze(function, specs, shared_constants):
    """Turns a function of a model into one without variables, with all that follows from them.

    The weights become constants. What is computed from constants alone, such as the inverse of a
    1x1 convolution or a weight-normalised kernel, is computed here once, and not in every call.

    No loader of a SavedModel compares the shapes of a request with those of its signature, and
    TensorFlow leaves out what the signature's shapes make look needless. So the function is made
    for any shape, and checks the shapes first.

    Args:
        function: takes tensors by name, and returns a dict of tensors.
        specs: dict from the arguments' names to `tf.TensorSpec`s.
        shared_constants: the `SharedConstants` that hold the large constants.

    Returns:
        A `tf.function` that takes the arguments in the order of `specs`.
    """

    def checked(*values):
        return function(
            **{
                name: tf.ensure_shape(value, spec.shape)
                for (name, spec), value in zip(specs.items(), values, strict=True)
            }
        )

    concrete = tf.function(checked, autograph=False).get_concrete_function(
        *(tf.TensorSpec(None, spec.dtype, name) for name, spec in specs.items())
    )
    # Functional loops stay: TensorFlow runs their bodies in parallel, and v1 loops hide constants.
    frozen = convert_variables_to_constants_v2(concrete, lower_control_flow=False)
    graph_def = _fold_constants(frozen)
    _remove_gradients(graph_def)
    inputs = [tensor.op.name for tensor in frozen.inputs]
    outputs = [tensor.name for tensor in frozen.outputs]
    _remove_nodes(graph_def, inputs)
    constants = shared_constants.of_graph(graph_def)
    _remove_nodes(graph_def, constants)
    _rename_functions(graph_def)
    # The order in which TensorFlow flattens a dict.
    output_names = sorted(concrete.structured_outputs)

    def call(*values):
        # The errors of the checks quote these names; behind this operation, no shape is known.
        values = [
            tf.raw_ops.PlaceholderWithDefault(input=value, shape=None, name=f"request/{name}")
            for name, value in zip(specs, values, strict=True)
        ]
        replaced = {**dict(zip(inputs, values, strict=True)), **constants}
        results = tf.graph_util.import_graph_def(
            graph_def,
            input_map={f"{name}:0": tf.identity(tensor) for name, tensor in replaced.items()},
            return_elements=outputs,
            name="model",
        )
        return dict(zip(output_names, results, strict=True))

    return tf.function(call, input_signature=list(specs.values()), autograph=False)


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
    # The second one removes what the first has made needless, before it is written out.
    options.optimizers.extend(["constfold", "pruning"])
    return tf_optimizer.OptimizeGraph(config, meta_graph)


def _remove_nodes(graph_def, names):
    """Removes nodes that an import replaces.

    What waits for one of them, or for what a constant waited for, need not: such edges order reads
    of variables, and there are none any more. A check that fails ends a call wherever it stands.
    """
    waits = {f"^{name}" for name in names}
    for index in reversed(range(len(graph_def.node))):
        node = graph_def.node[index]
        if node.name in names:
            del graph_def.node[index]
        elif waits.intersection(node.input):
            inputs = [name for name in node.input if name not in waits]
            del node.input[:]
            node.input.extend(inputs)


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
