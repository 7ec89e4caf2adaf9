"""The callback that starts a trainer's means over an epoch."""

import keras
import tensorflow as tf


class StartEpochSums(keras.callbacks.Callback):
    """Starts a `DensityTrainer`'s means anew with each epoch.

    Not in `reset_metrics`, which Keras calls before each evaluation, too.
    """

    def on_epoch_begin(self, epoch, logs=None):
        """Starts them."""
        self.model.start_epoch_sums()


def with_start_of_epoch_sums(callbacks, trainer):
    """The callbacks of a `fit`, this one among them, once.

    Args:
        callbacks: what `fit` takes: None, a callback, a list of them or a `CallbackList`.
        trainer: the `DensityTrainer`.

    Returns:
        A list, or the `CallbackList`.
    """
    if not isinstance(callbacks, keras.callbacks.CallbackList):
        return [StartEpochSums(), *tf.nest.flatten(callbacks or ())]
    if not any(isinstance(part, StartEpochSums) for part in callbacks.callbacks):
        callbacks.callbacks.append(StartEpochSums())
        callbacks.callbacks[-1].set_model(trainer)
    return callbacks
