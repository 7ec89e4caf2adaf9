"""The memory of what XLA compiles, from XLA's own assignment of buffers."""

import dataclasses

import tensorflow as tf


@dataclasses.dataclass(frozen=True)
class CompiledMemory:
    """Bytes that a computation has at once, from its start to its end.

    Attributes:
        arguments: what it is given, weights included.
        outputs: what it returns, but for what lies where an argument was.
        temporaries: all else, such as what a gradient keeps; parts that are never needed at the
            same time share their bytes.
    """

    arguments: int
    outputs: int
    temporaries: int

    @property
    def total(self):
        """The sum: the peak of the computation."""
        return self.arguments + self.outputs + self.temporaries


def compiled_memory(function, *args):
    """The `CompiledMemory` of a function of tensors, which is compiled for it and not run.

    It is of the device of the process. On CPUs, what libraries such as oneDNN allocate inside of an
    operation is not counted.
    """
    # TensorFlow has the protocol buffer, and no public name for it.
    from tensorflow.compiler.xla.service import hlo_pb2

    compiled = tf.function(function, autograph=False, jit_compile=True)
    stage = "optimized_hlo_proto_serialized"
    content = compiled.experimental_get_compiler_ir(*args)(stage=stage)
    buffers = hlo_pb2.HloProto.FromString(content).buffer_assignment.buffer_allocations
    arguments = outputs = temporaries = 0
    for buffer in buffers:
        if buffer.is_entry_computation_parameter:
            arguments += buffer.size
        elif buffer.maybe_live_out:
            outputs += buffer.size
        elif not buffer.is_thread_local:
            temporaries += buffer.size
    return CompiledMemory(arguments, outputs, temporaries)
