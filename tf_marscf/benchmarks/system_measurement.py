"""Samples, seconds and memory of trained models, each in its process, by turns."""

import dataclasses
import hashlib
import json
import os
import statistics

import numpy as np

from tf_marscf.benchmarks.model_process import ModelProcess, ModelProcessError
from tf_marscf.files.atomic_file import atomic_write

_ARRAYS = ("images", "is_finite", "sample_seconds", "density_seconds")


@dataclasses.dataclass
class SystemMeasurement:
    """What was measured of one model.

    Attributes:
        images: samples, a list of uint8 [N, H, W, C], one a batch.
        is_finite: whether they are images, a list of Booleans [N].
        sample_seconds, density_seconds: of each batch.
        start_memory, peak_memory: as of `ModelProcess.memory`.
        failed: None, or why it ended too early.
    """

    images: list = dataclasses.field(default_factory=list)
    is_finite: list = dataclasses.field(default_factory=list)
    sample_seconds: list = dataclasses.field(default_factory=list)
    density_seconds: list = dataclasses.field(default_factory=list)
    start_memory: int | None = None
    peak_memory: int | None = None
    failed: str | None = None

    @property
    def num_drawn(self):
        """Samples drawn, finite or not."""
        return sum(map(len, self.is_finite))

    def first_samples(self, num_samples):
        """The finite ones of the first samples, and how many are not: `(images, number)`."""
        is_finite = np.concatenate(self.is_finite)[:num_samples]
        images = np.concatenate(self.images)[:num_samples]
        return images[is_finite], int(np.sum(~is_finite))

    def seconds_per_image(self, name):
        """Of "sample" or "density": the median over batches, without the first one.

        The first one, in which TensorFlow prepares what is called again, counts if it is alone.
        """
        seconds = getattr(self, f"{name}_seconds")
        batch_size = len(self.is_finite[0])
        return statistics.median(seconds[1:] or seconds) / batch_size

    def write(self, path):
        """Writes all of it as an .npz file."""
        arrays = {name: np.asarray(getattr(self, name)) for name in _ARRAYS}
        memory = json.dumps([self.start_memory, self.peak_memory])
        with atomic_write(path) as file:
            np.savez(file, **arrays, memory=memory)

    @classmethod
    def read(cls, path):
        """What `write` wrote."""
        with np.load(path) as arrays:
            start, peak = json.loads(str(arrays["memory"]))
            parts = {name: list(arrays[name]) for name in _ARRAYS}
        parts |= {name: list(map(float, parts[name])) for name in _ARRAYS[2:]}
        return cls(**parts, start_memory=start, peak_memory=peak)


def measure_by_turns(models, num_samples, max_seconds, directory, report):
    """Measures models that take turns of one batch, so that other load hits all of them.

    Each has a process of its own until it is done; then its measurement is written, and a killed
    program begins with it again only if it was not. An error ends the process of one model.

    Args:
        models: `MeasuredModel`s by name.
        num_samples: samples of each.
        max_seconds: after a batch that spends these, a model has as many samples as it has.
        directory: where measurements are written; created if missing.
        report: called with a line a turn.

    Returns:
        `SystemMeasurement`s by name.
    """
    os.makedirs(directory, exist_ok=True)
    paths = {name: os.path.join(directory, _file_name(model)) for name, model in models.items()}
    found, processes = {}, {}
    try:
        for name, model in models.items():
            is_done = os.path.exists(paths[name])
            found[name] = SystemMeasurement.read(paths[name]) if is_done else SystemMeasurement()
            if not is_done:
                processes[name] = ModelProcess(model)
        while processes:
            for name in list(processes):
                if _is_done_after_turn(processes[name], found[name], num_samples, max_seconds):
                    processes.pop(name).close()
                    if not found[name].failed:
                        found[name].write(paths[name])
            counts = ", ".join(
                f"{name} {'failed' if one.failed else min(one.num_drawn, num_samples)}"
                for name, one in found.items()
            )
            report(f"samples of {num_samples}: {counts}")
    finally:
        for process in processes.values():
            process.close()
    return found


def _is_done_after_turn(process, measurement, num_samples, max_seconds):
    """Draws and scores a batch of one model; returns whether that was the last one."""
    try:
        seconds, images, is_finite = process.sample()
        measurement.sample_seconds.append(seconds)
        measurement.images.append(images)
        measurement.is_finite.append(is_finite)
        measurement.density_seconds.append(process.density())
        spent = sum(measurement.sample_seconds)
        if measurement.num_drawn < num_samples and spent < max_seconds:
            return False
        measurement.start_memory, measurement.peak_memory = process.memory()
    except ModelProcessError as error:
        measurement.failed = str(error)
    return True


def _file_name(model):
    """Of a measurement: another one for other weights, and for other flags that decide it."""
    config = model.config
    facts = [config.num_samples, config.max_sampling_seconds, config.seed, model.images.shape]
    digest = hashlib.sha256(json.dumps(facts).encode())
    with open(model.weights_path, "rb") as file:
        digest.update(hashlib.file_digest(file, "sha256").digest())
    return f"{model.kind}_{digest.hexdigest()[:12]}_measured.npz"
