"""Trainers so small that a test of what is around them takes a second."""

import keras
import numpy as np

from tests.small_trainers import random_pixels, small_distribution, small_trainer

PIXELS = random_pixels(8)


def tiny_distribution(seed=0, **kwargs):
    options = {"num_levels": 1, "prior": "gaussian", "hidden_channels": 4}
    return small_distribution(seed=seed, **options | kwargs)


def tiny_trainer(optimizer=None, distribution=None, **kwargs):
    return small_trainer(distribution or tiny_distribution(), optimizer, **kwargs)


def eager_trainer():
    """One whose steps are not traced, which takes longer than a few of them."""
    trainer = tiny_trainer()
    trainer.compile(keras.optimizers.Adamax(2e-3), run_eagerly=True)
    return trainer


def fit(trainer, epochs=1, callbacks=None, **kwargs):
    options = {"batch_size": 4, "shuffle": False, "verbose": 0}
    return trainer.fit(PIXELS, epochs=epochs, callbacks=callbacks, **options | kwargs).history


def score(trainer):
    return trainer.evaluate(PIXELS, batch_size=8, verbose=0, return_dict=True)["bits_per_dim"]


def assert_same(first, second):
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one, other)


def differs(first, second):
    return any(np.any(one != other) for one, other in zip(first, second, strict=True))
