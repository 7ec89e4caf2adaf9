"""Batches that are computed in parts, and empty ones.

On CPUs, TensorFlow computes independent operations at the same time, which costs next to nothing,
or one operation on several threads, which all meet after each. Where operations are limited to one
thread (see `threads.py`), a chain of operations keeps several cores busy only if it is
there several times: once for each part of the batch.
"""

import tensorflow as tf

from tf_marscf.kernels.choices import num_batch_parts


def size_of_first_part(num_images):
    """The images of the first part of a batch; None where its size is not known."""
    return num_images and num_images // num_batch_parts(num_images)


def in_batch_parts(function, *batches):
    """`function(*batches)`, for a function that treats each image by itself.

    The function is called for each part of the batch, `num_batch_parts` of sizes as equal as they
    can be. It is traced once for each size, and stays a function of the graph: its operations are
    not copied for each call.

    Args:
        function: from tensors [N, ...] to a structure of tensors [N, ...].
        *batches: its arguments, [N, ...] each, or None, which is passed on.

    Returns:
        What `function` returns for the whole batch.
    """
    num_images = batches[0].shape[0]
    num_parts = num_batch_parts(num_images)
    if num_parts == 1:
        return function(*batches)
    bounds = [num_images * part // num_parts for part in range(num_parts + 1)]
    sizes = [stop - start for start, stop in zip(bounds, bounds[1:], strict=False)]
    split = [[None] * num_parts if batch is None else tf.split(batch, sizes) for batch in batches]
    traced = tf.function(function, autograph=False, experimental_attributes={"_noinline": True})
    outputs = [traced(*part) for part in zip(*split, strict=True)]
    return tf.nest.map_structure(lambda *parts: tf.concat(parts, axis=0), *outputs)


def on_nonempty_batch(function, *batches):
    """`function(*batches)`, for a function of batches that must not be empty.

    oneDNN's float32 convolution returns a tensor of the wrong shape for an empty batch. Here the
    function sees one image of zeros instead, and what it makes of that is dropped.

    Args:
        function: from tensors [N, H, W, C] to a structure of tensors whose first axis is N, or
            scalars.
        *batches: its arguments, [N, H, W, C] each, or None, which is passed on.

    Returns:
        What `function` returns.
    """
    if batches[0].shape[0]:
        return function(*batches)
    num_images = tf.shape(batches[0])[0]
    num_missing = tf.cast(tf.equal(num_images, 0), tf.int32)
    padding = [[0, num_missing], [0, 0], [0, 0], [0, 0]]
    outputs = function(*(None if batch is None else tf.pad(batch, padding) for batch in batches))
    return tf.nest.map_structure(
        lambda output: output[:num_images] if output.shape.rank else output, outputs
    )
