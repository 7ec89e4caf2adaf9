"""Randomness as a function of seeds: the same integer gives the same sample, always."""

import math
import numbers

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
from tensorflow.python.ops.random_ops_util import get_key_counter_alg

from tf_marscf.errors import InputError

_ALGORITHM = "philox"  # TensorFlow's own choice differs between devices.
_RULE = (
    "`seed` must be None, an integer in [-2^63, 2^63), two integers of 32 bits, or a function such "
    "as a SeedStream"
)


def stateless_seed(seed):
    """Turns what a user may give as a seed into a stateless one.

    `tfp.random.sanitize_seed` draws from TensorFlow's global generator for a Python integer, so
    that two eager calls with the same integer differ. Here an integer is the seed itself.

    Args:
        seed: None for fresh entropy, an integer or scalar integer tensor, a [2] integer tensor,
            each of 32 bits, or a function that returns one of these. Of an integer the last 64 bits
            count: those of a `tfp.util.SeedStream` have 512. Negative ones are seeds like others.

    Returns:
        A [2] int32 tensor.

    Raises:
        InputError: if the seed is anything else.
    """
    if seed is None:
        return tfp.random.sanitize_seed(None)
    if callable(seed):
        seed = seed()
    if isinstance(seed, bool) or not isinstance(seed, numbers.Integral):
        seed = _checked_tensor(seed)
        if seed.shape.rank:
            return tf.cast(seed, tf.int32)
        if tf.get_static_value(seed) is None:
            # Both halves, as of a Python integer.
            seed = tf.cast(seed, tf.int64)
            high = tf.bitwise.right_shift(seed, tf.constant(32, tf.int64))
            return tf.stack([tf.cast(high, tf.int32), tf.cast(seed, tf.int32)])
        seed = tf.get_static_value(seed)
    seed = int(seed)
    seed = tf.constant([(seed >> 32) & 0xFFFFFFFF, seed & 0xFFFFFFFF], dtype=tf.uint32)
    return tf.bitcast(seed, tf.int32)


def _checked_tensor(seed):
    """A seed as an integer tensor of shape [] or [2]."""
    try:
        tensor = tf.convert_to_tensor(seed)
    except (TypeError, ValueError, OverflowError):
        raise InputError(f"{_RULE}; got {seed!r}.") from None
    if not tensor.dtype.is_integer or tensor.shape.rank is None or tensor.shape not in ([], [2]):
        raise InputError(f"{_RULE}; got {tensor.dtype.name} of shape {tensor.shape}.")
    words = tf.get_static_value(tensor)
    if words is not None and words.size == 2 and (words.min() < -(2**31) or words.max() >= 2**32):
        raise InputError(f"{_RULE}; got {words.tolist()}.")
    return tensor


def checked_seed(seed):
    """Checks a seed that a caller chose: integers whose last 64 bits agree would be one seed.

    Those that a `tfp.util.SeedStream` returns, as TFP's own distributions give them on, are hash
    values of 512 bits, of which any 64 serve: they are taken.

    Args:
        seed: as of `stateless_seed`.

    Returns:
        The seed.

    Raises:
        InputError: if it is an integer outside of [-2^63, 2^63), and no such hash value.
    """
    known = tf.get_static_value(seed) if tf.is_tensor(seed) else seed
    is_integer = np.ndim(known) == 0 and isinstance(known, numbers.Integral)
    # That a hash value of 512 bits has less than 256 of them will not happen.
    is_of_stream = is_integer and 2**256 <= known < 2**512
    if is_integer and not is_of_stream and not -(2**63) <= known < 2**63:
        raise InputError(f"{_RULE}; got {seed!r}.")
    return seed


def split_seed(seed, count):
    """`count` independent stateless seeds from one; None stays None for all of them.

    Args:
        seed: as of `stateless_seed`, or from `seed_of_rows`, or None for "no randomness".
        count: Python `int`.

    Returns:
        A list of [2] int32 tensors, of what `seed_of_rows` returns, or of None.
    """
    if seed is None:
        return [None] * count
    seed, first_row = _seed_and_first_row(seed)
    seeds = tf.unstack(tf.random.split(stateless_seed(seed), count, alg=_ALGORITHM), num=count)
    return seeds if first_row is None else [seed_of_rows(one, first_row) for one in seeds]


def seed_of_rows(seed, first_row):
    """A seed with which `batch_mask` draws some rows of a batch's mask.

    Args:
        seed: as of `stateless_seed`, of the whole batch.
        first_row: scalar int32 tensor, the number of the first of these rows in the batch.

    Returns:
        A [3] int32 tensor.
    """
    return tf.concat([stateless_seed(seed), [first_row]], axis=0)


def _seed_and_first_row(seed):
    """Takes a `seed_of_rows` apart; the row is None of other seeds."""
    return (seed[:2], seed[2]) if tf.is_tensor(seed) and seed.shape == [3] else (seed, None)


def fold_in(seed, number):
    """The seed of one of many numbered draws, a function of the seed and the number alone.

    Args:
        seed: as of `stateless_seed`.
        number: integer or scalar int32 tensor.

    Returns:
        A [2] int32 tensor.
    """
    number = tf.cast(number, tf.int32)
    return tf.random.fold_in(stateless_seed(seed), number, alg=_ALGORITHM)


def stateless_uniform(shape, seed, dtype, first_row=0):
    """Uniform noise in [0, 1): the same with and without XLA, on CPUs and GPUs.

    The multiples of 2^-24 in float32, of 2^-53 in float64.

    Args:
        shape: shape of the noise.
        seed: as of `stateless_seed`.
        dtype: float32 or float64.
        first_row: where the noise is part of that of a batch, the number of its first row.
    """
    # TensorFlow turns random bits into floats in one way, XLA in another; the bits are the same.
    bits_dtype, num_bits, precision = (
        (tf.uint64, 64, 53) if tf.as_dtype(dtype) == tf.float64 else (tf.uint32, 32, 24)
    )
    bits = _random_bits(shape, seed, bits_dtype, first_row)
    bits = tf.bitwise.right_shift(bits, tf.constant(num_bits - precision, bits_dtype))
    return tf.cast(bits, dtype) * 2.0**-precision


def stateless_normal(shape, seed, dtype, first_row=0):
    """Standard-normal noise, by the Box-Muller transform of `stateless_uniform`.

        sqrt(-2 log(1 - u)) cos(2 pi v)

    Args:
        shape: shape of the noise.
        seed: as of `stateless_seed`.
        dtype: float32 or float64.
        first_row: as of `stateless_uniform`.
    """
    first, second = (
        stateless_uniform(shape, part, dtype, first_row) for part in split_seed(seed, 2)
    )
    return tf.sqrt(-2.0 * tf.math.log1p(-first)) * tf.cos((2.0 * math.pi) * second)


def batch_uniform(shape, seed, dtype):
    """Uniform noise in [0, 1) for a batch, the same on any number of devices.

    Inside a replica of `tf.distribute` it is this replica's rows of the noise that one device would
    draw for the global batch, all replicas having equally many rows.

    Args:
        shape: shape of the noise, the batch first: an integer tensor or list.
        seed: as of `stateless_seed`.
        dtype: float dtype.
    """
    return stateless_uniform(shape, seed, dtype, first_row_of_replica(shape[0]))


def batch_normal(shape, seed, dtype):
    """Standard-normal noise for a batch, as `batch_uniform` is uniform noise for one."""
    return stateless_normal(shape, seed, dtype, first_row_of_replica(shape[0]))


def batch_mask(shape, seed, probability):
    """A random mask for a batch, the same on any number of devices; see `batch_uniform`.

    One random byte an entry, since random bits are what takes time: with p = `probability`, an
    entry is False if its byte is less than 256 p, rounded up or down at random for each row, so
    that p is exact. (Above p = 1/2 the mask's inverse is drawn.)

    Args:
        shape: shape of the mask, the batch first: a list, its last entry a Python `int`.
        seed: as of `stateless_seed`, or from `seed_of_rows`.
        probability: Python `float` in [0, 1], of False.

    Returns:
        A `bool` tensor.
    """
    rarer = min(probability, 1.0 - probability)
    least = math.floor(rarer * 256.0)
    *rows, num_columns = shape
    seed, first_row = _seed_and_first_row(seed)
    if first_row is None:
        first_row = first_row_of_replica(shape[0])
    bytes_seed, bounds_seed = split_seed(seed, 2)
    words = _random_bits([*rows, -(-num_columns // 4)], bytes_seed, tf.uint32, first_row)
    entries = tf.reshape(tf.bitcast(words, tf.uint8), [*rows, -1])[..., :num_columns]
    uniform = stateless_uniform([*rows, 1], bounds_seed, tf.float32, first_row)
    bounds = tf.cast(least, tf.uint8) + tf.cast(uniform < rarer * 256.0 - least, tf.uint8)
    return entries >= bounds if probability <= 0.5 else entries < bounds


def batch_scalar(seed, dtype):
    """A uniform number in [0, 1) for a whole batch: the same for all its rows and devices.

    Args:
        seed: as of `stateless_seed`, or from `seed_of_rows`.
        dtype: float dtype.
    """
    seed, _ = _seed_and_first_row(seed)
    return stateless_uniform([], seed, dtype)


def first_row_of_replica(num_rows):
    """The number, in the global batch, of the first of this replica's rows; 0 without replicas."""
    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return 0
    return tf.cast(context.replica_id_in_sync_group, tf.int32) * num_rows


def _random_bits(shape, seed, dtype, first_row=0):
    """Random integers: those from row `first_row` on of a tensor with more rows."""
    seed = stateless_seed(seed)
    if isinstance(first_row, int) and first_row == 0:
        return tf.random.stateless_uniform(
            shape, seed, minval=None, maxval=None, dtype=dtype, alg=_ALGORITHM
        )
    # Philox gives 16 bytes for each value of a counter.
    values_per_count = 16 // tf.as_dtype(dtype).size
    row_size = tf.reduce_prod(tf.cast(shape[1:], tf.int64))
    start = tf.cast(first_row, tf.int64) * row_size
    key, counter, algorithm = get_key_counter_alg(seed, _ALGORITHM)
    counter += tf.cast(tf.stack([start // values_per_count, 0]), tf.uint64)
    num_values = tf.cast(shape[0], tf.int64) * row_size
    values = tf.raw_ops.StatelessRandomUniformFullIntV2(
        shape=[num_values + values_per_count - 1],
        key=key,
        counter=counter,
        dtype=dtype,
        alg=algorithm,
    )
    # Not a slice from there on: where a slice begins XLA asks for when it compiles, and with it for
    # the seed that holds the row. It would compile each step of a training, or keep one seed.
    values = tf.roll(values, -(start % values_per_count), axis=0)
    return tf.reshape(values[:num_values], shape)
