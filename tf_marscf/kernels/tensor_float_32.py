"""TensorFloat-32: products of float32 numbers on GPUs since Ampere, of which 10 bits are read.

TensorFlow has one switch for a process, which is on by default. The commands turn it off, and so
should programs that need densities and inverses in full float32:

    tf.config.experimental.enable_tensor_float_32_execution(False)

Where it is on, the networks use it, and what is inverted does not: `exact_matmul`. The switch is
read when a function is traced; set it before.
"""

import warnings

import tensorflow as tf

from tf_marscf.kernels import devices


class TensorFloat32Warning(UserWarning):
    """Networks are computed in TensorFloat-32."""


def set_tensor_float_32(is_allowed):
    """Sets whether this process may use TensorFloat-32; call it before anything is traced.

    Args:
        is_allowed: Python `bool`; if True, `TensorFloat32Warning`s are turned off.
    """
    tf.config.experimental.enable_tensor_float_32_execution(is_allowed)
    if is_allowed:
        warnings.simplefilter("ignore", TensorFloat32Warning)


def warn_of_tensor_float_32(dtype):
    """Warns where the networks of a model of this dtype use TensorFloat-32."""
    if tf.as_dtype(dtype) == tf.float32 and devices.uses_tensor_float_32():
        warnings.warn(
            "TensorFloat-32 is on, TensorFlow's default on GPUs: networks are computed with 10 "
            "bits of mantissa, so that densities and inverses are less exact than float32. "
            "Full float32: tf.config.experimental.enable_tensor_float_32_execution(False)",
            TensorFloat32Warning,
            stacklevel=3,
        )


def exact_matmul(a, b, transpose_b=False):
    """`tf.matmul` that is never computed in TensorFloat-32.

    Where float32 products may be, it is computed in float64: for small matrices.
    """
    dtype = a.dtype
    if dtype == tf.float32 and devices.uses_tensor_float_32():
        a, b = tf.cast(a, tf.float64), tf.cast(b, tf.float64)
    return tf.cast(tf.matmul(a, b, transpose_b=transpose_b), dtype)
