"""A trained model in a process of its own, whose peak of memory is that of this model alone."""

import dataclasses
import multiprocessing
import os
import signal
import sys
import time
import traceback

import numpy as np

from tf_marscf.errors import first_line
from tf_marscf.quiet_import import import_tensorflow

_STATUS_FILE = "/proc/self/status"


@dataclasses.dataclass(frozen=True)
class MeasuredModel:
    """Which model, with which weights, on which images.

    Attributes:
        kind: a key of `MODEL_KINDS`.
        width: as of `model_of_width`.
        config: a `SystemComparisonConfig`.
        num_grey_levels: of the images.
        weights_path: what `write_weights` wrote.
        images: a batch of images to score, uint8 [N, H, W, C]; samples are drawn by N as well.
    """

    kind: str
    width: int
    config: object
    num_grey_levels: int
    weights_path: str
    images: np.ndarray


class ModelProcessError(Exception):
    """What a model's process could not do; the message says why."""


class ModelProcess:
    """The parent's side: starts the process, and asks it for one measurement after another.

    Args:
        measured: a `MeasuredModel`.
    """

    def __init__(self, measured):
        context = multiprocessing.get_context("spawn")
        self._connection, other_end = context.Pipe()
        # A daemon ends with its parent; it also ends when it finds the other end of its pipe gone.
        self._process = context.Process(target=_serve, args=(other_end, measured), daemon=True)
        self._process.start()
        other_end.close()

    def sample(self):
        """Draws a batch: `(seconds, images, is_finite)`.

        The images are uint8 [N, H, W, C]; where a value is NaN or infinite, `is_finite`, [N], is
        False, and the image means nothing.
        """
        return self._ask("sample")

    def density(self):
        """Seconds of the densities of the batch of images."""
        return self._ask("density")

    def memory(self):
        """`(start, peak)`: resident bytes before the model was built, and the most since.

        Both are None where the system does not tell. Memory of a GPU is not in them.
        """
        return self._ask("memory")

    def _ask(self, name):
        try:
            self._connection.send(name)
            is_done, answer = self._connection.recv()
        except (EOFError, OSError):
            self._process.join()
            status = self._process.exitcode
            raise ModelProcessError(f"its process ended with status {status}") from None
        if not is_done:
            raise ModelProcessError(answer)
        return answer

    def close(self):
        """Ends the process."""
        self._connection.close()
        self._process.join(5.0)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()


def resident_bytes(name):
    """The entry VmRSS, what this process has in memory, or VmHWM, its peak; None if there is none.

    Not `ru_maxrss`: that of a process starts with the peak of the one that started it.
    """
    if not os.path.exists(_STATUS_FILE):
        return None
    with open(_STATUS_FILE, encoding="utf-8") as file:
        kibibytes = [line.split()[1] for line in file if line.startswith(f"{name}:")]
    return 1024 * int(kibibytes[0]) if kibibytes else None


def _serve(connection, measured):
    """What the process does until the parent closes the connection."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent as well.
    model = None
    while True:
        try:
            name = connection.recv()
        except EOFError:
            return
        try:
            if model is None:
                model = _RestoredModel(measured)
            answer = True, getattr(model, name)()
        except Exception as error:
            traceback.print_exc(file=sys.stderr)
            answer = False, f"{type(error).__name__}: {first_line(error)}"
        try:
            connection.send(answer)
        except OSError:
            return


class _RestoredModel:
    """The process's side: the methods of `ModelProcess`."""

    def __init__(self, measured):
        import_tensorflow()
        import tensorflow as tf
        import tf_keras

        from tf_marscf.benchmarks.comparison_models import model_of_width

        self._start = resident_bytes("VmRSS")
        config, images = measured.config, measured.images
        model = model_of_width(
            measured.kind,
            measured.width,
            config,
            images.shape[1:],
            config.num_levels,
            measured.num_grey_levels,
        )
        pixels = model.dequantized(measured.num_grey_levels)
        read_weights(measured.weights_path, pixels)

        def sample():
            values = model.sample(len(images))
            is_finite = tf.reduce_all(tf.math.is_finite(values), axis=[1, 2, 3])
            return pixels.scaling.grey_levels(values), is_finite

        def density():
            return pixels.bits_per_dim(tf.constant(images), seed=config.seed)

        # TFP's models take no seed without reusing it for all of their draws; this one decides
        # those of the operations that are traced below, each its own.
        tf_keras.utils.set_random_seed(config.seed)
        self._sample, self._density = (
            tf.function(function, autograph=False).get_concrete_function()
            for function in (sample, density)
        )

    def sample(self):
        start = time.perf_counter()
        images, is_finite = (part.numpy() for part in self._sample())
        seconds = time.perf_counter() - start
        return seconds, images, is_finite

    def density(self):
        start = time.perf_counter()
        self._density().numpy()
        return time.perf_counter() - start

    def memory(self):
        return self._start, resident_bytes("VmHWM")


def write_weights(file, weights):
    """Writes arrays, those of all variables in their order, into an open file."""
    np.savez(file, *weights)


def read_weights(path, pixels):
    """Sets all variables of a `Dequantized` to what `write_weights` wrote."""
    with np.load(path) as arrays:
        for index, variable in enumerate(pixels.variables):
            variable.assign(arrays[f"arr_{index}"])
        if len(arrays.files) != len(pixels.variables):
            raise ValueError(
                f"{path!r} has {len(arrays.files)} arrays for {len(pixels.variables)} variables."
            )
