"""Keras callbacks of a training run."""

import math
import os

import keras
import numpy as np
import tensorflow as tf

from tf_marscf.errors import InputError, NonFiniteLossError, RunError
from tf_marscf.sampling.sample_files import save_sample_picture


class CountSteps(keras.callbacks.Callback):
    """Counts steps and images, and notes that loss and gradient were finite.

    `StopAtNonFiniteLoss` comes before it, all others come after it.

    Args:
        state: a `TrainingState`.
        batch_size: images a step.
    """

    def __init__(self, state, batch_size):
        super().__init__()
        self._state = state
        self._batch_size = batch_size

    def on_train_batch_end(self, batch, logs=None):
        """Counts a step."""
        self._state.note_finite_loss()
        self._state.step += 1
        self._state.progress.add_images(self._batch_size)

    def on_epoch_end(self, epoch, logs=None):
        """Notes an evaluation, if there was one."""
        if any(name.startswith("val_") for name in logs or {}):
            self._state.note_finite_loss()


class StopAfterEpoch(keras.callbacks.Callback):
    """Ends training after one epoch."""

    def on_epoch_end(self, epoch, logs=None):
        """Ends training."""
        self.model.stop_training = True


class StopAtNonFiniteLoss(keras.callbacks.Callback):
    """Ends training at the first loss or gradient that is not finite.

    A training step raises by itself, but not where XLA compiled it.
    """

    def on_train_batch_end(self, batch, logs=None):
        """Checks loss and gradient of a step."""
        if not self.model.jit_compile:
            return
        loss, norm = self.model.step_values.numpy()[:2]
        for name, value in (("loss", loss), ("gradient", norm)):
            if not math.isfinite(value):
                raise NonFiniteLossError(f"The {name} is not finite")

    def on_epoch_end(self, epoch, logs=None):
        """Checks the result of an evaluation."""
        for name, value in (logs or {}).items():
            if not math.isfinite(float(np.mean(value))):
                raise NonFiniteLossError(f"{name} after epoch {epoch + 1} is not finite")


class SaveCheckpoints(keras.callbacks.Callback):
    """Keeps the state of the run on the disk, and the best weights by validation.

    The state is saved every few steps, at the end of each epoch, and when a signal asks the run to
    end. Of the trained weights and their average those with the lower validation bits/dim are
    "best"; without validation images the (average) weights of the last epoch are.

    Args:
        state: a `TrainingState`.
        every: steps between checkpoints.
        early_stopping_epochs: epochs without improvement after which training ends; 0 for never.
        signals: `StopSignals`.
    """

    def __init__(self, state, every, early_stopping_epochs, signals):
        super().__init__()
        self._state = state
        self._every = every
        self._early_stopping_epochs = early_stopping_epochs
        self._signals = signals

    def on_train_batch_end(self, batch, logs=None):
        """Saves, if it is time."""
        if self._signals.requested:
            self._save_and_stop()
        elif self._state.step % self._every == 0:
            self._state.save_latest()

    def on_test_batch_end(self, batch, logs=None):
        """Lets a signal end the run in the middle of an evaluation."""
        if self._signals.requested:
            self._save_and_stop()

    def _save_and_stop(self):
        self._state.save_latest()
        self._signals.stop(
            f" after step {self._state.step}, which is saved; the same command continues"
        )

    def on_epoch_end(self, epoch, logs=None):
        """Saves, and decides whether training goes on."""
        progress, logs = self._state.progress, logs or {}
        if self._state.latest_checkpoint is None:
            # Killed between best and latest, a run must have a state to go on from.
            self._state.save_latest()
        average = self._state.weight_average
        best = self._state.images_distribution if average is None else average.images_distribution
        bits_per_dim = logs.get("val_bits_per_dim")
        if bits_per_dim is None:
            self._state.save_best(best)
        else:
            scores = {"val_bits_per_dim": self._state.images_distribution}
            if average is not None:
                scores["val_average_bits_per_dim"] = average.images_distribution
            name = min(scores, key=lambda name: logs[name])
            if progress.note(float(logs[name])):
                self._state.save_best(scores[name])
        progress.end_epoch()
        self._state.save_latest()
        if progress.has_stalled(self._early_stopping_epochs):
            self.model.stop_training = True


class SaveSamples(keras.callbacks.Callback):
    """Writes a picture of samples beside real images every few epochs.

    Args:
        directory: where the pictures go.
        images_distribution: a `Dequantized` distribution.
        real_images: uint8 [N, H, W, C]; as many samples are drawn.
        every: epochs between pictures; 0 for none.
        seed: the same noise in every picture.
        log: a `RunLog` for what goes wrong with a picture: training goes on without it.
        log_picture: called with the picture.
    """

    def __init__(self, directory, images_distribution, real_images, every, seed, log, log_picture):
        super().__init__()
        self._directory = directory
        self._images_distribution = images_distribution
        self._real_images = np.asarray(real_images)
        self._every = every
        self._seed = seed
        self._log = log
        self._log_picture = log_picture

    def on_epoch_end(self, epoch, logs=None):
        """Writes a picture, if it is time."""
        if self._every and (epoch + 1) % self._every == 0:
            path = os.path.join(self._directory, f"epoch_{epoch + 1:04d}.png")
            try:
                save_sample_picture(
                    path,
                    self._images_distribution,
                    self._real_images,
                    seed=self._seed,
                    report=self._warn,
                )
            except (RunError, InputError) as error:
                self._warn(f"no picture after epoch {epoch + 1}: {error}")
                return
            self._log_picture(tf.io.decode_png(tf.io.read_file(path)))

    def _warn(self, text):
        self._log.write(f"warning: {text}")
