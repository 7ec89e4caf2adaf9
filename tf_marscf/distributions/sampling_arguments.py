"""Checks of what `sample` takes."""

import numpy as np
import tensorflow as tf

from tf_marscf.errors import InputError

_TOO_LARGE = 2**31  # The sizes are int32.


def checked_sample_shape(sample_shape):
    """Checks a sample shape, which TFP would round.

    Args:
        sample_shape: an integer >= 0, a sequence of such integers, a `tf.TensorShape`, or an
            integer tensor with at most one axis.

    Returns:
        The shape, for TFP.

    Raises:
        InputError: if it is anything else. Sizes that a `tf.function` works out are not checked.
    """
    shape = sample_shape
    if isinstance(shape, tf.TensorShape) and shape.is_fully_defined():
        shape = shape.as_list()
    if not _is_shape(shape):
        raise InputError(
            "`sample_shape` must be an integer in [0, 2^31), or a sequence of such integers; got "
            f"{sample_shape!r}."
        )
    return shape


def _is_shape(shape, max_rank=1):
    if isinstance(shape, list | tuple):
        return max_rank == 1 and all(_is_shape(size, max_rank=0) for size in shape)
    if tf.is_tensor(shape):
        shape = tf.convert_to_tensor(shape)
        if tf.get_static_value(shape) is None:
            return shape.dtype.is_integer and (shape.shape.rank or 0) <= max_rank
        shape = tf.get_static_value(shape)
    sizes = np.asarray(shape)
    if sizes.ndim > max_rank or sizes.size == 0:
        return sizes.ndim <= max_rank
    return sizes.dtype.kind in "iu" and 0 <= sizes.min() and sizes.max() < _TOO_LARGE


def checked_temperature(temperature, dtype):
    """The scale of a prior's noise, as a scalar tensor.

    Args:
        temperature: a number or scalar tensor, finite and >= 0.
        dtype: float dtype of the result.

    Raises:
        InputError: if it is anything else; the value of a tensor of a `tf.function` is checked at
            run time (`InvalidArgumentError`).
    """
    rule = "`temperature` must be finite and >= 0"
    known = temperature
    if tf.is_tensor(temperature):
        tensor = tf.convert_to_tensor(temperature)
        if tensor.dtype.is_floating or tensor.dtype.is_integer:
            known = tf.get_static_value(tf.cast(tensor, dtype))
            if known is None and tensor.shape.rank in (0, None):
                tensor = tf.cast(tf.ensure_shape(tensor, []), dtype)
                is_allowed = tf.math.is_finite(tensor) & (tensor >= 0.0)
                check = tf.debugging.Assert(is_allowed, [rule, "got", tensor])
                with tf.control_dependencies([check]):
                    return tf.identity(tensor)
    # NumPy makes arrays neither of tensors of a graph nor of sequences of unequal length.
    is_other = tf.is_tensor(known) or isinstance(known, list | tuple)
    number = np.asarray(None if is_other else known)
    is_real = number.ndim == 0 and number.dtype.kind in "iuf"
    with np.errstate(over="ignore"):  # Infinite in `dtype`: refused.
        number = number.astype(tf.as_dtype(dtype).as_numpy_dtype) if is_real else -1.0
    if not 0.0 <= number < np.inf:
        raise InputError(f"{rule}; got {temperature!r}.")
    return tf.constant(number, dtype)


def temperature_by_level(temperature, num_levels):
    """The temperature of each level.

    Args:
        temperature: a number or scalar tensor, for all levels; or a sequence or vector of
            `num_levels` of them, that of level 1 first.
        num_levels: L.

    Returns:
        A list of L numbers or scalar tensors, which `checked_temperature` has not seen.

    Raises:
        InputError: if there is another number of them. Vectors of a size that a `tf.function`
            works out are checked at run time (`InvalidArgumentError`).
    """
    values = temperature
    if tf.is_tensor(temperature):
        values = tf.convert_to_tensor(temperature)
        if values.shape.rank == 1:
            if values.shape[0] is None:
                values = tf.ensure_shape(values, [num_levels])
            values = tf.unstack(values)
    elif isinstance(temperature, np.ndarray) and temperature.ndim == 1:
        values = list(temperature)
    if not isinstance(values, list | tuple):
        return [temperature] * num_levels
    if len(values) != num_levels:
        raise InputError(
            f"`temperature` must be a number, or one for each of {num_levels} levels; got "
            f"{len(values)}: {temperature!r}."
        )
    return list(values)
