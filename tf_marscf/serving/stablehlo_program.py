"""Functions of a model as StableHLO, which XLA compiles wherever it runs."""

import typing

import tensorflow as tf
from tensorflow.compiler.xla.service import hlo_pb2

from tf_marscf.kernels.devices import for_any_device


class StableHloProgram(typing.NamedTuple):
    """A function whose variables are arguments, and their new values results.

    Arguments are the inputs and then what is captured; results are the outputs and then the new
    values. All have static shapes.

    Attributes:
        code: the serialized StableHLO, `bytes`.
        inputs: dict from names to `tf.TensorSpec`s.
        outputs: the same.
        captured: what the other arguments are, in their order: `tf.Variable`s and eager tensors.
        aliases: pairs of numbers (result, argument): results that replace variables.
    """

    code: bytes
    inputs: dict
    outputs: dict
    captured: list
    aliases: list


def stablehlo_program(function, specs, variables=()):
    """Compiles a function to a `StableHloProgram`.

    It is traced for any device: a batch is not split, and what must be exact is so on GPUs as well.
    Where TensorFloat-32 is off, as in the commands, products ask for full float32.

    Args:
        function: takes tensors by name, and returns a dict of tensors.
        specs: dict from the arguments' names to `tf.TensorSpec`s of static shapes.
        variables: those that the function uses by their handles alone, as fused optimizers do.
    """
    names = []

    def call(*values):
        outputs = function(**dict(zip(specs, values, strict=True)))
        names[:] = outputs
        return list(outputs.values())

    compiled = tf.function(call, jit_compile=True, autograph=False)
    examples = [tf.zeros(spec.shape, spec.dtype) for spec in specs.values()]
    with for_any_device():
        concrete = compiled.get_concrete_function(*examples)
        emit = compiled.experimental_get_compiler_ir(*examples)
    outputs = [tf.TensorSpec(one.shape, one.dtype) for one in concrete.structured_outputs]
    variables = {id(one.handle): one for one in (*concrete.variables, *variables)}
    program = StableHloProgram(
        code=emit(stage="stablehlo_serialized"),
        inputs=dict(specs),
        outputs=dict(zip(names, outputs, strict=True)),
        captured=[variables.get(id(one), one) for one in concrete.captured_inputs],
        aliases=[],
    )
    module = hlo_pb2.HloModuleProto.FromString(emit(stage="hlo_serialized"))
    for entry in module.input_output_alias.entries:
        (result,) = entry.output_shape_index
        program.aliases.append((result, int(entry.parameter_number)))
    _check(program, module.host_program_shape)
    return program


def _check(program, shape):
    """Raises unless XLA's arguments and results are those of a program, one by one."""
    inputs, outputs = program.inputs.values(), program.outputs.values()
    arguments = [*inputs, *program.captured]
    replaced = [arguments[argument] for _, argument in sorted(program.aliases)]
    # One result is no tuple.
    results = shape.result.tuple_shapes or [shape.result]
    for expected, found in ((arguments, shape.parameters), ([*outputs, *replaced], results)):
        shapes = [tuple(one.shape) for one in expected]
        seen = [tuple(one.dimensions) for one in found]
        if shapes != seen:
            raise RuntimeError(f"XLA's program has {seen} in the place of {shapes}")
