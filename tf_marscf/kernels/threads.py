"""The threads of one operation on CPUs: commands set them before TensorFlow starts.

A mAR-SCF model has few large operations and many small ones. Several threads of one operation meet
after each, which on few cores takes longer than they save; independent operations, such as those of
a ConvLSTM's layers, use the cores as well and never meet. So commands give one thread to an
operation on few cores, where the user says nothing else (`choices.default_intra_op_threads`).
"""

import os

from tf_marscf.kernels import choices, devices


def set_default_intra_op_threads(num_threads=None, one_on_few_cores=True):
    """Sets what TensorFlow uses where a program does not say; call it before TensorFlow starts.

    Args:
        num_threads: `int` >= 1; 0 for TensorFlow's choice, a thread a core; or None for what the
            environment variable `TF_NUM_INTRAOP_THREADS` says, which may be 0 as well.
        one_on_few_cores: whether it is 1, where neither says anything, on few cores. Else it is
            TensorFlow's choice.

    Raises:
        ValueError: if that variable is needed, and no integer >= 0.
    """
    if num_threads is None:
        if devices.threads_of_environment() is not None or not one_on_few_cores:
            return
        num_threads = choices.default_intra_op_threads()
        if not num_threads:
            return
    if num_threads:
        os.environ[devices.THREADS_VARIABLE] = str(num_threads)
    else:
        os.environ.pop(devices.THREADS_VARIABLE, None)
