"""What the kernels ask about devices: is there a GPU, how precise are its products, how many cores.

A mAR-SCF model has few large operations and many small ones. Several threads of one operation meet
after each, which on few cores takes longer than they save; independent operations, such as those of
a ConvLSTM's layers, use the cores as well and never meet. So commands give one thread to an
operation on few cores, where the user says nothing else.
"""

import contextlib
import contextvars
import os

from tf_marscf.errors import InputError

_VARIABLE = "TF_NUM_INTRAOP_THREADS"  # TensorFlow's own.
MAX_CORES_FOR_ONE_THREAD = 4  # More than a model's independent operations would keep busy.

_is_for_any_device = contextvars.ContextVar("is_for_any_device", default=False)

# TensorFlow is imported where it is needed: commands ask for cores before it may start.


@contextlib.contextmanager
def for_any_device():
    """Graphs that are traced in this context will run on other machines, which may have GPUs."""
    token = _is_for_any_device.set(True)
    try:
        yield
    finally:
        _is_for_any_device.reset(token)


def has_gpu():
    """Whether a GPU may run what is traced: TensorFlow sees one, or it is `for_any_device`."""
    import tensorflow as tf

    return _is_for_any_device.get() or bool(tf.config.list_physical_devices("GPU"))


def uses_tensor_float_32():
    """Whether products of float32 tensors may be computed in TensorFloat-32."""
    import tensorflow as tf

    return tf.config.experimental.tensor_float_32_execution_enabled() and has_gpu()


def is_watched():
    """Whether somebody looks at each operation, such as `tf.debugging.enable_check_numerics`."""
    from tensorflow.python.eager import context

    return bool(context.context().op_callbacks)


def num_operations_at_once():
    """How many operations of a graph it takes to keep a CPU busy.

    1 where one operation does: on GPUs, where operations have several threads, and in eager mode,
    which runs one after another.
    """
    import tensorflow as tf

    if tf.executing_eagerly() or num_intra_op_threads() != 1 or has_gpu():
        return 1
    return tf.config.threading.get_inter_op_parallelism_threads() or num_cores()


def num_cores():
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def set_default_intra_op_threads(num_threads=None, one_on_few_cores=True):
    """Sets what TensorFlow uses where a program does not say; call it before TensorFlow starts.

    Args:
        num_threads: `int` >= 1; 0 for TensorFlow's choice, a thread a core; or None for what the
            environment variable `TF_NUM_INTRAOP_THREADS` says, which may be 0 as well.
        one_on_few_cores: whether it is 1, where neither says anything, on at most
            `MAX_CORES_FOR_ONE_THREAD` cores. Else it is TensorFlow's choice.

    Raises:
        ValueError: if that variable is needed, and no integer >= 0.
    """
    if num_threads is None:
        if _threads_of_environment() is not None or not one_on_few_cores:
            return
        if num_cores() > MAX_CORES_FOR_ONE_THREAD:
            return
        num_threads = 1
    if num_threads:
        os.environ[_VARIABLE] = str(num_threads)
    else:
        os.environ.pop(_VARIABLE, None)


def num_intra_op_threads():
    """The threads of one operation, by TensorFlow's own rules.

    Raises:
        ValueError: as `set_default_intra_op_threads`.
    """
    import tensorflow as tf

    configured = tf.config.threading.get_intra_op_parallelism_threads()
    return configured or _threads_of_environment() or num_cores()


def _threads_of_environment():
    """None where there is no variable, or an empty one."""
    text = os.environ.get(_VARIABLE)
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise InputError(
            f"the environment variable {_VARIABLE} must be an integer >= 0; got {text!r}."
        )
    return int(text)
