"""How many threads TensorFlow uses inside of one operation on CPUs.

A mAR-SCF model has few large operations and many small ones. Several threads of one operation meet
after each, which on few cores takes longer than they save; independent operations, such as those of
a ConvLSTM's layers, use the cores as well and never meet.
"""

import os

_VARIABLE = "TF_NUM_INTRAOP_THREADS"  # TensorFlow's own.
_MAX_CORES_FOR_ONE = 4  # More than a model's independent operations would keep busy.


def num_cores():
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def set_default_intra_op_threads(num_threads=None):
    """Sets what TensorFlow uses where a program does not say; call it before TensorFlow starts.

    Args:
        num_threads: `int` >= 1; 0 for TensorFlow's choice, a thread a core; or None: 1 on at most
            four cores, and TensorFlow's choice on more. The environment variable
            `TF_NUM_INTRAOP_THREADS` comes before None.

    Raises:
        ValueError: if that variable is needed, and no integer >= 0.
    """
    if num_threads is None:
        if _threads_of_environment() or num_cores() > _MAX_CORES_FOR_ONE:
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
    """0 where there is no variable."""
    text = os.environ.get(_VARIABLE) or "0"
    if not text.isdecimal():
        raise ValueError(
            f"the environment variable {_VARIABLE} must be an integer >= 0; got {text!r}."
        )
    return int(text)
