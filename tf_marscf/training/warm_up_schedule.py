"""The learning rate over the course of a training run."""

import math

import keras
import tensorflow as tf


class WarmUpSchedule(keras.optimizers.schedules.LearningRateSchedule):
    """Linear warm-up over the first steps, then constant or a cosine decay to zero.

        rate(step) = learning_rate * min(1, (step + 1) / warm_up_steps) * decay(step)
        decay(step) = 1, or (1 + cos(pi * progress)) / 2, progress from 0 to 1 after the warm-up

    The published code counts its warm-up in images: 10,000 of them.

    Args:
        learning_rate: the rate after the warm-up.
        warm_up_steps: steps of the warm-up, >= 0; a fraction is fine.
        decay_steps: the step at which a cosine decay reaches zero, or None for no decay.
    """

    def __init__(self, learning_rate, warm_up_steps, decay_steps=None):
        self.learning_rate = learning_rate
        self.warm_up_steps = warm_up_steps
        self.decay_steps = decay_steps

    def __call__(self, step):
        """The learning rate of a step, counted from zero."""
        step = tf.cast(step, tf.float32)
        rate = self.learning_rate * tf.minimum(1.0, (step + 1.0) / max(self.warm_up_steps, 1.0))
        if self.decay_steps is None:
            return rate
        progress = (step - self.warm_up_steps) / max(self.decay_steps - self.warm_up_steps, 1.0)
        return rate * 0.5 * (1.0 + tf.cos(math.pi * tf.clip_by_value(progress, 0.0, 1.0)))

    def get_config(self):
        """The constructor's arguments."""
        return {
            "learning_rate": self.learning_rate,
            "warm_up_steps": self.warm_up_steps,
            "decay_steps": self.decay_steps,
        }
