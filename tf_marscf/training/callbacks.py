"""Keras callbacks of a training run."""

import math
import os
import sys

import keras
import numpy as np
import tensorflow as tf

from tf_marscf.errors import InputError, NonFiniteLossError, RunError
from tf_marscf.progress import ProgressLines, is_terminal
from tf_marscf.sampling.sample_files import save_sample_picture


class StopAtNonFiniteLoss(keras.callbacks.Callback):
    """Ends training at an evaluation that is not finite. Training steps raise by themselves."""

    def on_epoch_end(self, epoch, logs=None):
        """Checks the result of an evaluation."""
        for name, value in (logs or {}).items():
            if not math.isfinite(float(np.mean(value))):
                raise NonFiniteLossError(f"{name} after epoch {epoch + 1} is not finite")


class CountSteps(StopAtNonFiniteLoss):
    """Counts steps and images of a `TrainingState`.

    Loss and gradient were finite, else the step had raised. It comes before all callbacks that use
    the counts.
    """

    def __init__(self, state):
        super().__init__()
        self._state = state

    def on_train_batch_end(self, batch, logs=None):
        """Counts a step."""
        self._state.note_finite_loss()
        self._state.step += 1
        self._state.progress.add_images(self._state.training.batch_size)

    def on_epoch_end(self, epoch, logs=None):
        """Checks and notes an evaluation, if there was one."""
        super().on_epoch_end(epoch, logs)
        if any(name.startswith("val_") for name in logs or {}):
            self._state.note_finite_loss()


class ShowProgress(keras.callbacks.Callback):
    """Says how far a whole run is, and how long it takes: Keras's own bar knows the epoch alone.

    Args:
        state: the `TrainingState`.
        num_steps: of the whole run.
        has_bar: whether Keras shows its bar: lines come between the epochs then.
    """

    def __init__(self, state, num_steps, has_bar):
        super().__init__()
        self._has_bar = has_bar
        done = min(int(state.step), num_steps)
        self._lines = ProgressLines(num_steps, "training", "steps", done, sys.stdout)

    def on_epoch_begin(self, epoch, logs=None):
        """Writes a line, if one is due, before Keras writes of the epoch."""
        self._lines.show_if_due()

    def on_train_batch_end(self, batch, logs=None):
        """Counts a step."""
        self._lines.advance()
        if not self._has_bar:
            self._lines.show_if_due()

    def on_train_end(self, logs=None):
        """Writes the last line, after Keras's bar."""
        self._lines.show_if_due()


def keras_verbosity(progress):
    """Keras's `verbose` of a value of `--progress`: its bar is for terminals.

    `InputError` for another value.
    """
    bar = 1 if is_terminal(sys.stdout) else 2
    verbosity = {"auto": bar, "bar": bar, "line": 2, "none": 0}
    if progress not in verbosity:
        raise InputError(f"`progress` must be one of {tuple(verbosity)}; got {progress!r}.")
    return verbosity[progress]


class StopAfterEpoch(keras.callbacks.Callback):
    """Ends training after one epoch."""

    def on_epoch_end(self, epoch, logs=None):
        """Ends training."""
        self.model.stop_training = True


class SaveCheckpoints(keras.callbacks.Callback):
    """Keeps the state of the run on the disk, and the best weights by validation.

    The state is saved every few steps, at the end of each epoch, and when one of the `StopSignals`
    of any worker asks the run to end: all workers end after the same step. Of the trained weights
    and their average those with the lower validation bits/dim are "best"; without validation images
    the (average) weights of the last epoch are.
    """

    def __init__(self, state, signals):
        super().__init__()
        self._state = state
        self._signals = signals

    def on_train_batch_end(self, batch, logs=None):
        """Saves, if it is time."""
        self.on_test_batch_end(batch)
        if self._state.step % self._state.training.checkpoint_every == 0:
            self._state.save_latest()

    def on_test_batch_end(self, batch, logs=None):
        """Lets a signal end the run, also in the middle of an evaluation."""
        number = max(self._state.workers.gather([self._signals.number]))[0]
        if number:
            self._state.save_latest()
            self._signals.stop(
                number,
                f" after step {self._state.step}, which is saved; the same command continues",
            )

    def on_epoch_end(self, epoch, logs=None):
        """Saves, and decides whether training goes on."""
        state, logs = self._state, logs or {}
        if state.latest_checkpoint is None:
            # Killed between best and latest, a run must have a state to go on from.
            state.save_latest()
        values = {"model": "val_bits_per_dim", "average": "val_average_bits_per_dim"}
        scores = {name: float(logs[value]) for name, value in values.items() if value in logs}
        best = min(scores, key=scores.get) if scores else state.evaluated
        if not scores or state.progress.note(scores[best]):
            state.save_best(best)
        state.progress.end_epoch()
        state.save_latest()
        if state.is_finished:
            self.model.stop_training = True


class SaveSamples(keras.callbacks.Callback):
    """Writes a picture of samples beside real images every few epochs.

    Args:
        directory: where the pictures go.
        stream: a `SampleStream`, of which each picture has the first samples.
        real_images: uint8 [N, H, W, C]; as many samples are drawn.
        every: epochs between pictures; 0 for none.
        log: the `RunLog`, which tells of a picture that failed: training goes on.
        log_picture: called with the picture.
    """

    def __init__(self, directory, stream, real_images, every, log, log_picture):
        super().__init__()
        self._directory = directory
        self._picture = (stream, real_images, log)
        self._every = every
        self._log_picture = log_picture

    def on_epoch_end(self, epoch, logs=None):
        """Writes a picture, if it is time."""
        if self._every and (epoch + 1) % self._every == 0:
            path = os.path.join(self._directory, f"epoch_{epoch + 1:04d}.png")
            if try_to_save_picture(path, *self._picture, f" after epoch {epoch + 1}"):
                self._log_picture(tf.io.decode_png(tf.io.read_file(path)))


def try_to_save_picture(path, stream, real_images, log, occasion=""):
    """Whether there is a picture of samples beside real images, or the log says why not."""
    try:
        save_sample_picture(path, stream, real_images, report=log.warn)
    except (RunError, InputError) as error:
        log.warn(f"no picture{occasion}: {error}")
        return False
    return True
