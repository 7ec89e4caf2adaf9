"""Empty batches."""

import tensorflow as tf


def with_occupied_batch(function, *maps):
    """Calls a function of batches that must not be empty.

    oneDNN's float32 convolution returns a tensor of the wrong shape for an empty batch. Here the
    function sees one image of zeros instead, and what it makes of that is dropped.

    Args:
        function: from tensors [N, H, W, C] to a structure of tensors whose first axis is N, or
            scalars.
        *maps: tensors [N, H, W, C], or None, which is passed on.

    Returns:
        What `function` returns.
    """
    if maps[0].shape[0]:
        return function(*maps)
    num_images = tf.shape(maps[0])[0]
    num_missing = tf.cast(tf.equal(num_images, 0), tf.int32)
    padding = [[0, num_missing], [0, 0], [0, 0], [0, 0]]
    outputs = function(*(None if part is None else tf.pad(part, padding) for part in maps))
    return tf.nest.map_structure(
        lambda output: output[:num_images] if output.shape.rank else output, outputs
    )
