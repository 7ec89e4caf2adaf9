"""What there is: is there a GPU, how precise are its products, how many cores and threads."""

import contextlib
import contextvars
import os

from tf_marscf.errors import InputError

THREADS_VARIABLE = "TF_NUM_INTRAOP_THREADS"  # TensorFlow's own, of the environment.

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


def num_cores():
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def num_intra_op_threads():
    """The threads of one operation, by TensorFlow's own rules.

    Raises:
        ValueError: if `THREADS_VARIABLE` is needed, and no integer >= 0.
    """
    import tensorflow as tf

    configured = tf.config.threading.get_intra_op_parallelism_threads()
    return configured or threads_of_environment() or num_cores()


def num_inter_op_threads():
    """How many operations of a graph run at the same time, by TensorFlow's own rules."""
    import tensorflow as tf

    return tf.config.threading.get_inter_op_parallelism_threads() or num_cores()


def threads_of_environment():
    """What `THREADS_VARIABLE` says: an `int`, or None where there is none, or an empty one."""
    text = os.environ.get(THREADS_VARIABLE)
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise InputError(
            f"the environment variable {THREADS_VARIABLE} must be an integer >= 0; got {text!r}."
        )
    return int(text)
