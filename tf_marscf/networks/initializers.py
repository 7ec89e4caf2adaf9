"""Weight initialisation: seeds for the parts of a model, and the published code's defaults."""

import keras
import numpy as np


def spawn_seeds(seed, count):
    """Derives `count` independent integer seeds from one.

    Args:
        seed: Python `int` >= 0, or None for fresh entropy.
        count: how many seeds.

    Returns:
        A list of Python integers in [0, 2^31).
    """
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
