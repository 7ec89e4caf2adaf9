"""The epochs of a training run, the first of which may have been interrupted."""

import keras
import tensorflow as tf

from tf_marscf.errors import NonFiniteLossError
from tf_marscf.training.callbacks import StopAfterEpoch


class TrainingLoop:
    """Runs Keras's `fit` from where a run stands to its last epoch.

    Args:
        state: a `TrainingState`.
        training: the `TrainingConfig`.
        steps_per_epoch: steps between evaluations.
        num_epochs: how many such intervals the run has.
        make_batches: returns the training batches from `state.progress.images_seen` on.
        validation: endless batches to evaluate on after each epoch, or None.
        validation_steps: batches of one evaluation.
        callbacks: Keras callbacks.
        verbosity: Keras's `verbose`.
    """

    def __init__(
        self,
        state,
        training,
        steps_per_epoch,
        num_epochs,
        make_batches,
        validation,
        validation_steps,
        callbacks,
        verbosity,
    ):
        self._state = state
        self._training = training
        self._steps_per_epoch = steps_per_epoch
        self._num_epochs = num_epochs
        self._make_batches = make_batches
        self._validation = validation
        self._validation_steps = validation_steps if validation is not None else None
        self._callbacks = callbacks
        self._verbosity = verbosity

    def run(self):
        """Runs all epochs that are left.

        Raises:
            NonFiniteLossError: if loss or gradient become NaN or infinite.
        """
        try:
            if not self._is_finished():
                self._finish_epoch()
            if not self._is_finished():
                self._fit(self._steps_per_epoch, self._callbacks)
        except (tf.errors.InvalidArgumentError, NonFiniteLossError) as error:
            message = getattr(error, "message", str(error))
            cause = [line for line in message.splitlines() if "is not finite" in line]
            if not cause:
                raise
            set_aside = "".join(
                f" Set aside, as no finite loss was computed with it: {str(path)!r}."
                for path in self._state.set_aside_if_not_good()
            )
            raise NonFiniteLossError(
                f"training stopped after step {self._state.step}: {cause[0].strip()}.{set_aside} "
                f"Last good checkpoint: {self._state.latest_checkpoint or 'none yet'}. "
                "Try a lower learning_rate or clip_norm, or a longer warm_up_images."
            ) from error

    def _is_finished(self):
        progress = self._state.progress
        waited = int(progress.epochs_without_improvement.numpy())
        return (
            int(progress.epoch.numpy()) >= self._num_epochs
            or 0 < self._training.early_stopping_epochs <= waited
        )

    def _fit(self, num_steps, callbacks):
        self._state.trainer.fit(
            self._make_batches(),
            epochs=self._num_epochs,
            initial_epoch=int(self._state.progress.epoch.numpy()),
            steps_per_epoch=num_steps,
            validation_data=self._validation,
            validation_steps=self._validation_steps,
            shuffle=False,  # The pipeline shuffles.
            verbose=self._verbosity,
            callbacks=callbacks,
        )

    def _finish_epoch(self):
        """Runs what is left of an epoch that was interrupted."""
        num_done = int(self._state.progress.epoch_images.numpy()) // self._training.batch_size
        if num_done >= self._steps_per_epoch:
            self._end_epoch()
        elif num_done:
            self._fit(self._steps_per_epoch - num_done, [*self._callbacks, StopAfterEpoch()])

    def _end_epoch(self):
        """Evaluates and ends an epoch whose steps are all done: a signal came after them."""
        trainer = self._state.trainer
        callbacks = keras.callbacks.CallbackList(self._callbacks, model=trainer)
        logs = trainer.epoch_means()
        callbacks.on_train_begin()
        if self._validation is not None:
            scores = trainer.evaluate(
                self._validation,
                steps=self._validation_steps,
                verbose=0,
                return_dict=True,
                callbacks=callbacks,
            )
            logs |= {f"val_{name}": value for name, value in scores.items()}
        callbacks.on_epoch_end(int(self._state.progress.epoch.numpy()), logs)
        callbacks.on_train_end()
