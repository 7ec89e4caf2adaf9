"""Keras callbacks of a training run."""

import os

import keras
import numpy as np

from tf_marscf.evaluation.sample_picture import save_sample_picture


class SaveCheckpoints(keras.callbacks.Callback):
    """Saves the weights after each epoch, and keeps the best by validation bits/dim.

    Args:
        latest: a `tf.train.CheckpointManager`.
        best: another; without validation images it saves every epoch.
        best_bits_per_dim: a `tf.Variable` that both checkpoints hold.
    """

    def __init__(self, latest, best, best_bits_per_dim):
        super().__init__()
        self._latest = latest
        self._best = best
        self._best_bits_per_dim = best_bits_per_dim

    def on_epoch_end(self, epoch, logs=None):
        """Saves."""
        bits_per_dim = (logs or {}).get("val_bits_per_dim")
        if bits_per_dim is None:
            self._best.save(checkpoint_number=epoch + 1)
        elif bits_per_dim < float(self._best_bits_per_dim.numpy()):
            self._best_bits_per_dim.assign(bits_per_dim)
            self._best.save(checkpoint_number=epoch + 1)
        self._latest.save(checkpoint_number=epoch + 1)


class SaveSamples(keras.callbacks.Callback):
    """Writes a picture of samples beside real images every few epochs.

    Args:
        directory: where the pictures go.
        images_distribution: a `Dequantized` distribution.
        real_images: uint8 [N, H, W, C]; as many samples are drawn.
        every: epochs between pictures; 0 for none.
        seed: the same noise in every picture.
    """

    def __init__(self, directory, images_distribution, real_images, every, seed):
        super().__init__()
        self._directory = directory
        self._images_distribution = images_distribution
        self._real_images = np.asarray(real_images)
        self._every = every
        self._seed = seed

    def on_epoch_end(self, epoch, logs=None):
        """Writes a picture, if it is time."""
        if self._every and (epoch + 1) % self._every == 0:
            save_sample_picture(
                os.path.join(self._directory, f"epoch_{epoch + 1:04d}.png"),
                self._images_distribution,
                self._real_images,
                seed=self._seed,
            )
