"""Trains a model with a `DensityLayer` on one device and on two, for `test_density_layer.py`."""

import os
import sys

import keras
import numpy as np
import tensorflow as tf

import tf_marscf
from tests.tiny_trainers import PIXELS, assert_same, tiny_distribution


def train(strategy, path):
    """The losses and the weights of a run, the latter through a file."""
    with strategy.scope():
        layer = tf_marscf.DensityLayer(tiny_distribution(dtype="float64"), seed=0)
        images = keras.Input((8, 8, 1), dtype="uint8")
        model = keras.Model(images, layer(images))
        model.compile(keras.optimizers.Adam(1e-2), loss=lambda _, log_prob: -log_prob)
    options = {"batch_size": 4, "epochs": 2, "shuffle": False, "verbose": 0}
    losses = model.fit(PIXELS, np.zeros(8), **options).history["loss"]
    weights = model.get_weights()
    model.save_weights(path)
    model.set_weights([np.zeros_like(weight) for weight in weights])
    model.load_weights(path)
    assert_same(weights, model.get_weights())
    return losses, weights


def main(directory):
    """Compares the two."""
    tf.config.set_logical_device_configuration(
        tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
    )
    path = os.path.join(directory, "a.weights.h5")
    losses, weights = train(tf.distribute.get_strategy(), path)
    two_devices = tf.distribute.MirroredStrategy(
        ["CPU:0", "CPU:1"], cross_device_ops=tf.distribute.ReductionToOneDevice()
    )
    other_losses, other_weights = train(two_devices, path)
    np.testing.assert_allclose(losses, other_losses, rtol=1e-6)
    for one, other in zip(weights, other_weights, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-12)


if __name__ == "__main__":
    main(*sys.argv[1:])
