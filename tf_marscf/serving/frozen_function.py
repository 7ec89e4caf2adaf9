"""Functions without variables."""

import hashlib

import tensorflow as tf

from tf_marscf.networks.keras_module import weights_read_once

# TensorFlow itself keeps smaller constants inside a function.
_MIN_NUM_ELEMENTS = 256


def freeze(function, specs, module, shared_constants):
    """Turns a function of a model into one without variables, with all that follows from them.

    What depends on no argument, such as a weight or the inverse of a 1x1 convolution, is computed
    once, here, and becomes a constant. (TensorFlow's own way, variables to constants and then
    constant folding, needs twenty times the memory of the weights.)

    No loader of a SavedModel compares the shapes of a request with those of its signature, and
    TensorFlow leaves out what the signature's shapes make look needless. So the function is made
    for any shape, and checks the shapes first.

    Args:
        function: takes tensors by name, and returns a dict of tensors.
        specs: dict from the arguments' names to `tf.TensorSpec`s.
        module: the `tf.Module` whose weights the function uses.
        shared_constants: a dict, filled with the large constants, one of each value: signatures
            share nearly all weights, and a file cannot exceed two gigabytes.

    Returns:
        A `tf.function` that takes the arguments in the order of `specs`.
    """

    def checked(*values):
        values = [
            tf.ensure_shape(value, spec.shape)
            for spec, value in zip(specs.values(), values, strict=True)
        ]
        with weights_read_once(module):
            return function(**dict(zip(specs, values, strict=True)))

    wrapped = tf.compat.v1.wrap_function(
        checked, [tf.TensorSpec(None, spec.dtype, name) for name, spec in specs.items()]
    )
    fixed, frontier = _fixed_part(wrapped)
    constants = {
        tensor.name: shared_constants.setdefault(_identity(value), value)
        for tensor, value in zip(frontier, wrapped.prune([], frontier)(), strict=True)
    }
    graph_def = wrapped.graph.as_graph_def()
    _remove_nodes(graph_def, fixed)
    _remove_what_servers_lack(graph_def)
    _rename_functions(graph_def)
    inputs = [tensor.name for tensor in wrapped.inputs[: len(specs)]]
    outputs = {name: tensor.name for name, tensor in sorted(wrapped.structured_outputs.items())}

    def call(*values):
        # The errors of the checks quote these names; after this operation, no shape is known.
        values = [
            tf.raw_ops.PlaceholderWithDefault(input=value, shape=None, name=f"request/{name}")
            for name, value in zip(specs, values, strict=True)
        ]
        replaced = {**dict(zip(inputs, values, strict=True)), **constants}
        results = tf.graph_util.import_graph_def(
            graph_def,
            input_map={name: tf.identity(value) for name, value in replaced.items()},
            return_elements=list(outputs.values()),
            name="model",
        )
        return dict(zip(outputs, results, strict=True))

    return tf.function(call, input_signature=list(specs.values()), autograph=False)


def _identity(value):
    """What equal eager tensors have in common."""
    content = hashlib.sha256(value.numpy().tobytes()).digest()
    return (value.dtype, tuple(value.shape), content)


def _fixed_part(wrapped):
    """The names of the nodes that depend on no argument, and their tensors that others read."""
    captured = {tensor.op for _, tensor in wrapped.graph.captures}
    arguments = {tensor.op for tensor in wrapped.inputs} - captured
    fixed, read = set(), {}
    for operation in wrapped.graph.get_operations():  # In an order in which they can run.
        if operation not in arguments and (
            operation.type in ("Const", "ReadVariableOp") or operation in captured
            or (_is_foldable(operation) and all(x.op in fixed for x in operation.inputs))
        ):  # fmt: skip
            fixed.add(operation)
        else:
            read.update({x.name: x for x in operation.inputs if x.op in fixed})
    read.update({x.name: x for x in wrapped.outputs if x.op in fixed})
    small = {
        x.op
        for x in read.values()
        if x.op.type == "Const" and x.shape.num_elements() < _MIN_NUM_ELEMENTS
    }
    names = {operation.name for operation in (fixed - small) | arguments}
    return names, [tensor for tensor in read.values() if tensor.op not in small]


def _is_foldable(operation):
    """Whether values can take the place of an operation whose inputs are fixed."""
    has_inputs = len(operation.inputs) > 0 and not operation.op_def.is_stateful
    return has_inputs and all(
        x.dtype.is_numpy_compatible and x.dtype != tf.string for x in operation.outputs
    )


def _remove_nodes(graph_def, names):
    """Removes nodes that an import replaces."""
    # What waits for one of them need not: such edges order reads of variables, and there are none
    # any more. A check that fails ends a call wherever it stands.
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
    """Gives the functions in a graph new names: in TensorFlow, others may have their old ones."""
    # They depend on the graph alone, so that equal exports are equal files.
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


def _remove_what_servers_lack(graph_def):
    """Removes references to gradients written by hand, Python functions, and what asks for XLA."""
    for carrier in (*_all_nodes(graph_def), *graph_def.library.function):
        carrier.attr.pop("_gradient_op_type", None)
        carrier.attr.pop("_XlaMustCompile", None)
    del graph_def.library.gradient[:]


def _all_nodes(graph_def):
    """The nodes of a graph and of the functions in it."""
    functions = graph_def.library.function
    return [*graph_def.node, *(node for part in functions for node in part.node_def)]
