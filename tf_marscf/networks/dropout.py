"""Dropout as a pure function of a seed.

A bijector's value and log-det must see one mask, and a resumed run must see the masks of the run
that it continues. So there is no hidden random state: a seed turns dropout on, None turns it off.
"""

import tensorflow as tf

from tf_marscf.stateless_seed import batch_mask


def dropout(inputs, rate, seed, noise_shape=None):
    """Zeroes a share of the inputs and scales the others by `1 / (1 - rate)`.

    Args:
        inputs: a float tensor.
        rate: Python `float` in [0, 1), the share that is dropped.
        seed: [2] integer tensor, or None: then the inputs are returned as they are.
        noise_shape: shape of the mask, which broadcasts, the batch first; default: the inputs'
            shape.
    """
    if seed is None or rate == 0.0:
        return inputs
    shape = tf.shape(inputs) if noise_shape is None else noise_shape
    kept = batch_mask(shape, seed, rate)
    # A gradient needs the mask alone, one byte an entry.
    return tf.where(kept, inputs / (1.0 - rate), tf.zeros([], inputs.dtype))


def spatial_dropout(maps, rate, seed):
    """Drops whole channels of [N, H, W, C] maps."""
    shape = tf.shape(maps)
    return dropout(maps, rate, seed, noise_shape=[shape[0], 1, 1, shape[3]])
