"""Dropout as a pure function of a seed.

A bijector's value and log-det must see one mask, and a resumed run must see the masks of the run
that it continues. So there is no hidden random state: a seed turns dropout on, None turns it off.
"""

import tensorflow as tf

from tf_marscf.kernels.batch_parts import batch_size, for_each_part, split_like
from tf_marscf.stateless_seed import batch_mask


def dropout_mask(shape, rate, seed):
    """Which entries dropout keeps, `bool`; None where it is off: without a seed, or at rate 0.

    Args:
        shape: of the mask, the batch first: a list, its last entry a Python `int`.
        rate: Python `float` in [0, 1), the share that is dropped.
        seed: [2] integer tensor, or None.
    """
    return None if seed is None or rate == 0.0 else batch_mask(shape, seed, rate)


def spatial_dropout(maps, rate, seed):
    """Zeroes whole channels of [N, H, W, C] maps and scales the others by `1 / (1 - rate)`.

    Args:
        maps: [N, H, W, C], or a list of parts of a batch: the mask is that of the whole.
        rate: as of `dropout_mask`.
        seed: as of `dropout_mask`.

    Returns:
        What `maps` is.
    """
    num_channels = tf.nest.flatten(maps)[0].shape[-1]
    kept = dropout_mask([batch_size(maps), 1, 1, num_channels], rate, seed)
    if kept is None:
        return maps
    return for_each_part(
        lambda maps, kept: maps * (tf.cast(kept, maps.dtype) / (1.0 - rate)),
        maps,
        split_like(kept, maps),
    )
