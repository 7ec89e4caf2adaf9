"""How far a training run has come."""

import math

import tensorflow as tf


class TrainingProgress(tf.Module):
    """How far a run has come: the part of its state that is neither model nor optimizer.

    Attributes:
        images_seen: training images seen, over all epochs.
        epoch_size: images between two evaluations; what is called an epoch here.
        epoch: whole epochs done, evaluation included.
        epoch_images: images seen in the epoch that is not done.
        best_bits_per_dim: the lowest validation bits/dim.
        epochs_without_improvement: epochs since then.
    """

    def __init__(self, epoch_size):
        super().__init__(name="training_progress")
        self.epoch_size = _counter("epoch_size", epoch_size)
        self.images_seen = _counter("images_seen")
        self.epoch = _counter("epoch")
        self.epoch_images = _counter("epoch_images")
        self.epochs_without_improvement = _counter("epochs_without_improvement")
        self.best_bits_per_dim = tf.Variable(
            math.inf, dtype=tf.float64, trainable=False, name="best_bits_per_dim"
        )

    def add_images(self, num_images):
        """Counts the images of a step."""
        self.images_seen.assign_add(num_images)
        self.epoch_images.assign_add(num_images)

    def resize_epochs(self, epoch_size):
        """Counts epochs of another size from now on; of an unfinished one the images remain."""
        if int(self.epoch_size.numpy()) != epoch_size:
            epoch, epoch_images = divmod(int(self.images_seen.numpy()), epoch_size)
            self.epoch_size.assign(epoch_size)
            self.epoch.assign(epoch)
            self.epoch_images.assign(epoch_images)

    def end_epoch(self):
        """Counts an epoch."""
        self.epoch.assign_add(1)
        self.epoch_images.assign(0)

    def forget_best(self):
        """Lets the next validation result be the best: the weights of the best so far are gone."""
        self.best_bits_per_dim.assign(math.inf)
        self.epochs_without_improvement.assign(0)

    def note(self, bits_per_dim):
        """Takes in a validation result; returns whether it is the best so far."""
        if bits_per_dim < float(self.best_bits_per_dim.numpy()):
            self.best_bits_per_dim.assign(bits_per_dim)
            self.epochs_without_improvement.assign(0)
            return True
        self.epochs_without_improvement.assign_add(1)
        return False

    def has_stalled(self, num_epochs):
        """Whether there was no improvement for `num_epochs` epochs; never if that is 0."""
        return 0 < num_epochs <= int(self.epochs_without_improvement.numpy())


def _counter(name, value=0):
    return tf.Variable(value, dtype=tf.int64, trainable=False, name=name)
