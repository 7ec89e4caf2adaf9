"""The learning rate over the course of a training run."""

import dataclasses
import math

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable("tf_marscf")
@dataclasses.dataclass(eq=False)
class WarmUpSchedule(keras.optimizers.schedules.LearningRateSchedule):
    """Linear warm-up over the first images, then constant or a cosine decay to zero.

        images(step) = first_image + (step + 1 - first_step) * batch_size
        rate(step) = learning_rate * min(1, images / warm_up_images) * decay(images)
        decay(images) = 1, or (1 + cos(pi * progress)) / 2, progress from 0 to 1 after the warm-up

    Like the published code, which warms up over 10,000 images, it counts images and not steps: a
    run that goes on with another batch size stays on its curve.

    Attributes:
        learning_rate: the rate after the warm-up.
        batch_size: images a step.
        warm_up_images: images of the warm-up, >= 0.
        decay_images: images after which a cosine decay reaches zero, or None for no decay.
        first_step: the step at which this schedule starts.
        first_image: images that were seen before that step.
    """

    learning_rate: float
    batch_size: int
    warm_up_images: int = 0
    decay_images: int = None
    first_step: int = 0
    first_image: int = 0

    def __call__(self, step):
        """The learning rate of a step, counted from zero."""
        # In float64: float32 does not tell 2^24 images from the next one.
        step = tf.cast(step, tf.float64)
        seen = self.first_image + (step - self.first_step) * self.batch_size
        rate = self.learning_rate * tf.minimum(
            tf.ones([], tf.float64), (seen + self.batch_size) / max(self.warm_up_images, 1)
        )
        if self.decay_images is not None:
            length = max(self.decay_images - self.warm_up_images, 1)
            progress = tf.clip_by_value((seen - self.warm_up_images) / length, 0.0, 1.0)
            rate *= 0.5 * (1.0 + tf.cos(math.pi * progress))
        return tf.cast(rate, tf.float32)

    def get_config(self):
        """The constructor's arguments."""
        return dataclasses.asdict(self)
