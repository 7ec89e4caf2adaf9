"""How far a training run has come."""

import tensorflow as tf


class TrainingProgress(tf.Module):
    """The part of a run's state that is neither model nor optimizer, for its checkpoints.

    Attributes:
        images_seen: training images seen, over all epochs.
        epoch: whole epochs done, evaluation included.
        epoch_images: images seen in the epoch that is not done.
        best_bits_per_dim: the lowest validation bits/dim.
        epochs_without_improvement: epochs since then.
    """

    def __init__(self):
        super().__init__(name="training_progress")
        for name in ("images_seen", "epoch", "epoch_images", "epochs_without_improvement"):
            setattr(self, name, tf.Variable(0, dtype=tf.int64, trainable=False, name=name))
        self.best_bits_per_dim = tf.Variable(
            float("inf"), dtype=tf.float64, trainable=False, name="best_bits_per_dim"
        )

    def add_images(self, num_images):
        """Counts the images of a step."""
        self.images_seen.assign_add(num_images)
        self.epoch_images.assign_add(num_images)

    def end_epoch(self):
        """Counts an epoch."""
        self.epoch.assign_add(1)
        self.epoch_images.assign(0)

    def note(self, bits_per_dim):
        """Takes in a validation result; returns whether it is the best so far."""
        if bits_per_dim < float(self.best_bits_per_dim.numpy()):
            self.best_bits_per_dim.assign(bits_per_dim)
            self.epochs_without_improvement.assign(0)
            return True
        self.epochs_without_improvement.assign_add(1)
        return False
