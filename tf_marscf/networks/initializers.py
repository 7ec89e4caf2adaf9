"""Weight initialisation: seeds of its layers, and the published code's defaults."""

import numbers

import keras
import numpy as np

from tf_marscf.errors import InputError


def spawn_seeds(seed, count):
    """Derives `count` independent integer seeds from one.

    Args:
        seed: Python `int` >= 0, or None for fresh entropy.
        count: how many seeds.

    Returns:
        A list of Python integers in [0, 2^31).

    Raises:
        InputError: if `seed` is not None and no integer in [0, 2^63).
    """
    is_integer = isinstance(seed, numbers.Integral) and not isinstance(seed, bool)
    if seed is not None and not (is_integer and 0 <= seed < 2**63):
        raise InputError(f"`seed` must be None or an integer in [0, 2^63); got {seed!r}.")
    children = np.random.SeedSequence(seed).generate_state(count, dtype=np.uint32)
    return [int(child >> 1) for child in children]


def fan_in_uniform(seed):
    """U(-1/sqrt(fan_in), 1/sqrt(fan_in)): what PyTorch gives the kernels of convolutions."""
    return keras.initializers.VarianceScaling(
        scale=1.0 / 3.0, mode="fan_in", distribution="uniform", seed=seed
    )


def symmetric_uniform(limit, seed):
    """U(-limit, limit)."""
    return keras.initializers.RandomUniform(-limit, limit, seed=seed)
