"""Dropout as a pure function of a seed.

A bijector's value and log-det must see one mask, and a resumed run must see the masks of the run
that it continues. So there is no hidden random state: a seed turns dropout on, None turns it off.
"""

import tensorflow as tf

from tf_marscf.stateless_seed import batch_mask


def dropout_mask(shape, rate, seed):
    """Which entries dropout keeps, `bool`; None where it is off: without a seed, or at rate 0.

    Args:
        shape: of the mask, the batch first: a list, its last entry a Python `int`.
        rate: Python `float` in [0, 1), the share that is dropped.
        seed: as of `batch_mask`, or None.
    """
    return None if seed is None or rate == 0.0 else batch_mask(shape, seed, rate)


def spatial_dropout(maps, rate, seed):
    """Zeroes whole channels of [N, H, W, C] maps and scales the others by `1 / (1 - rate)`.

    `rate` and `seed` are as of `dropout_mask`.
    """
    kept = dropout_mask([tf.shape(maps)[0], 1, 1, maps.shape[-1]], rate, seed)
    return maps if kept is None else maps * (tf.cast(kept, maps.dtype) / (1.0 - rate))
