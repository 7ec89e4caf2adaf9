"""Parts of a batch that are computed side by side.

On CPUs, TensorFlow computes independent operations at the same time, which costs next to nothing,
or one operation on several threads, which all meet after each. Where operations are limited to one
thread (see `intra_op_threads.py`), a chain of operations keeps several cores busy only if it is
there several times: once for each part of the batch.

Networks take a tensor, or a list of parts of one batch, which share all that follows from weights.
"""

import tensorflow as tf

from tf_marscf.kernels.intra_op_threads import num_cores, num_intra_op_threads


def num_batch_parts(num_images):
    """Into how many parts a batch is split: 1, except in graphs on CPUs, one thread an operation.

    Args:
        num_images: of the batch, or None where it is not known while a graph is traced.
    """
    if not num_images or tf.executing_eagerly() or num_intra_op_threads() != 1:
        return 1
    if tf.config.list_physical_devices("GPU"):
        return 1
    num_threads = tf.config.threading.get_inter_op_parallelism_threads() or num_cores()
    return min(num_images, num_threads)


def split_batch(values):
    """A list of tensors: the parts of a batch, in order, sizes as equal as they can be."""
    num_images = values.shape[0]
    num_parts = num_batch_parts(num_images)
    if num_parts == 1:
        return [values]
    bounds = [num_images * part // num_parts for part in range(num_parts + 1)]
    return tf.split(values, [stop - start for start, stop in zip(bounds, bounds[1:], strict=False)])


def split_like(values, maps):
    """What belongs to a whole batch, split as `maps` is: a tensor, or a list of parts.

    None stays None for each part.
    """
    if not isinstance(maps, list):
        return values
    if values is None:
        return [None] * len(maps)
    return [values] if len(maps) == 1 else tf.split(values, [part.shape[0] for part in maps])


def batch_size(maps):
    """The number of images of a tensor, or of a list of parts."""
    if not isinstance(maps, list):
        return tf.shape(maps)[0]
    return tf.add_n([tf.shape(part)[0] for part in maps])


def for_each_part(function, *batches):
    """Calls a function of tensors once for each part, or once if there are none.

    Args:
        function: from tensors to a structure.
        *batches: its arguments: tensors, or lists of as many parts.

    Returns:
        What `function` returns, or a list of that.
    """
    if not isinstance(batches[0], list):
        return function(*batches)
    return [function(*parts) for parts in zip(*batches, strict=True)]


def joined(parts):
    """Puts the parts of structures of tensors together again."""
    if len(parts) == 1:
        return parts[0]
    return tf.nest.map_structure(lambda *tensors: tf.concat(tensors, axis=0), *parts)
