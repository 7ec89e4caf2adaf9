"""The epochs of a training run, the first of which may have been interrupted."""

import keras
import tensorflow as tf

from tf_marscf.data import padded_evaluation_pipeline, training_pipeline
from tf_marscf.errors import NonFiniteLossError
from tf_marscf.training.callbacks import StopAfterEpoch
from tf_marscf.training.strategies import distribute_batches


def training_batches(dataset, state):
    """The endless global batches of training images that a `TrainingState` has not seen."""
    training, first_image = state.training, int(state.progress.images_seen)
    return training_pipeline(
        dataset.examples("train", state.images_distribution.num_classes),
        training.batch_size,
        training.seed,
        training.augmentation,
        first_image=first_image,
    )


def run_epochs(dataset, state, callbacks, verbosity):
    """Runs Keras's `fit` from where a run stands to its last epoch.

    Args:
        dataset: the `ImageDataset`; its validation images, if any, are scored after each epoch.
        state: the `TrainingState`.
        callbacks: Keras callbacks.
        verbosity: Keras's `verbose`.

    Raises:
        NonFiniteLossError: if loss or gradient become NaN or infinite.
    """
    validation, num_validation_steps = None, None
    if dataset.validation is not None:
        size = state.training.evaluation_batch_size
        # Endless, because Keras cannot tell how long a distributed data set is.
        images = dataset.examples("validation", state.images_distribution.num_classes)
        batches = padded_evaluation_pipeline(images, size).repeat()
        validation = distribute_batches(state.strategy, batches, size)
        num_validation_steps = -(-dataset.num_validation_images // size)

    def fit(num_steps, callbacks):
        batches = training_batches(dataset, state)
        state.trainer.fit(
            distribute_batches(state.strategy, batches, state.training.batch_size),
            epochs=state.num_epochs,
            initial_epoch=int(state.progress.epoch),
            steps_per_epoch=num_steps,
            validation_data=validation,
            validation_steps=num_validation_steps,
            shuffle=False,  # The pipeline shuffles.
            verbose=verbosity,
            callbacks=callbacks,
        )

    steps_per_epoch = int(state.progress.epoch_size) // state.training.batch_size
    num_done = int(state.progress.epoch_images) // state.training.batch_size
    try:
        if num_done >= steps_per_epoch and not state.is_finished:
            _end_epoch(state, callbacks, validation, num_validation_steps)
        elif num_done and not state.is_finished:
            fit(steps_per_epoch - num_done, [*callbacks, StopAfterEpoch()])
        if not state.is_finished:
            fit(steps_per_epoch, callbacks)
    except (tf.errors.InvalidArgumentError, NonFiniteLossError) as error:
        message = getattr(error, "message", str(error))
        cause = [line for line in message.splitlines() if "is not finite" in line]
        if not cause:
            raise
        set_aside = "".join(
            f" Set aside, as no finite loss was computed with it: {str(path)!r}."
            for path in state.set_aside_if_not_good()
        )
        raise NonFiniteLossError(
            f"training stopped after step {state.step}: {cause[0].strip()}.{set_aside} "
            f"Last good checkpoint: {state.latest_checkpoint or 'none yet'}. "
            "Try a lower learning_rate or clip_norm, or a longer warm_up_images."
        ) from error


def _end_epoch(state, callbacks, validation, num_validation_steps):
    """Evaluates and ends an epoch whose steps are all done: a signal came after them."""
    callbacks = keras.callbacks.CallbackList(callbacks, model=state.trainer)
    logs = state.trainer.epoch_means()
    callbacks.on_train_begin()
    if validation is not None:
        scores = state.trainer.evaluate(
            validation,
            steps=num_validation_steps,
            verbose=0,
            return_dict=True,
            callbacks=callbacks,
        )
        logs |= {f"val_{name}": value for name, value in scores.items()}
    callbacks.on_epoch_end(int(state.progress.epoch), logs)
    callbacks.on_train_end()
