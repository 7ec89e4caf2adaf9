"""The TensorBoard log of a training run."""

import os
import re
import time

import keras
import tensorflow as tf

_SESSION = re.compile(r"\.session_(\d+)_after_step_(\d+)$")


def session_suffix(session, step):
    """The end of the names of event files of a session, from 1, that goes on after a step."""
    return f".session_{session}_after_step_{step}"


def session_of(name):
    """Session and step of an event file's name; None where it has none, as of earlier versions."""
    found = _SESSION.search(name)
    return found and (int(found[1]), int(found[2]))


def next_session(directories):
    """The number after those of all sessions that wrote into directories, which may be missing."""
    names = [name for path in directories if os.path.isdir(path) for name in os.listdir(path)]
    return 1 + max((session_of(name)[0] for name in names if session_of(name)), default=0)


class TrainingLog(keras.callbacks.Callback):
    """Writes what TensorBoard shows, all of it over training steps.

    In `train/`, every few steps, the values of that step: `bits_per_dim`, its terms
    `prior_bits_per_dim/level_i`, `log_det_bits_per_dim/level_i` and, of a dequantizer,
    `dequantization_bits_per_dim` (with the bits of a grey level, they add up to it),
    `gradient_norm`, `learning_rate` and `images_per_second`; pictures of samples. In `validation/`,
    after each epoch, `bits_per_dim` of the weights and `average_bits_per_dim` of their moving
    average.

    The names of event files begin with the time, by a clock that may be set back. So each also has
    the number of its session, the next that is free, and the step after which it goes on.

    Args:
        directory: where the logs go.
        state: a `TrainingState`, whose `step` is counted already.
        batch_size: images a step.
        every: steps between entries.
    """

    def __init__(self, directory, state, batch_size, every):
        super().__init__()
        self._state = state
        self._batch_size = batch_size
        self._every = every
        paths = {name: os.path.join(directory, name) for name in ("train", "validation")}
        suffix = session_suffix(next_session(paths.values()), state.step)
        self._writers = {
            name: tf.summary.create_file_writer(path, filename_suffix=suffix)
            for name, path in paths.items()
        }
        self._last_entry = None

    def _write(self, name, values):
        with self._writers[name].as_default(step=self._state.step):
            for tag, value in values.items():
                tf.summary.scalar(tag, value)

    def on_epoch_begin(self, epoch, logs=None):
        """Starts the clock: evaluations and pictures are not training."""
        self._last_entry = (self._state.step, time.perf_counter())

    def on_train_batch_end(self, batch, logs=None):
        """Writes the values of a step, if it is time."""
        step = self._state.step
        if step % self._every:
            return
        now = time.perf_counter()
        first_step, start = self._last_entry
        self._last_entry = (step, now)
        values = dict(zip(self.model.value_names, self.model.step_values.numpy(), strict=True))
        values["learning_rate"] = self.model.optimizer.learning_rate.numpy()
        values["images_per_second"] = (step - first_step) * self._batch_size / (now - start)
        self._write("train", values)

    def on_epoch_end(self, epoch, logs=None):
        """Writes the results of an evaluation."""
        names = [name for name in logs or {} if name.startswith("val_")]
        self._write("validation", {name.removeprefix("val_"): logs[name] for name in names})
        self.flush()

    def log_picture(self, picture):
        """Writes a picture of samples, uint8 [H, W, C]."""
        with self._writers["train"].as_default(step=self._state.step):
            tf.summary.image("samples", picture[tf.newaxis])

    def flush(self, logs=None):
        """Writes what waits in memory."""
        for writer in self._writers.values():
            writer.flush()

    on_train_end = flush
