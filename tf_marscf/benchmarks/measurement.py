"""How benchmarks measure, and on what."""

import math
import platform
import statistics
import time
from importlib import metadata

import tensorflow as tf

from tf_marscf.kernels.devices import num_cores
from tf_marscf.progress import ProgressLines

LEAST_REPEATS = 2  # For a variance.
_PACKAGES = ("tensorflow", "tensorflow-probability", "keras", "tf-keras", "numpy")


def machine_facts():
    """What a measurement depends on besides the program, without names of hosts, users or paths.

    Returns:
        A dict that JSON can hold: "python" and one entry a package (versions), "num_cpus" (those
        that this process may use), "devices" (kinds, such as "CPU" or a GPU's model).
    """
    gpus = tf.config.get_visible_devices("GPU")
    details = [tf.config.experimental.get_device_details(gpu) for gpu in gpus]
    return {
        "python": platform.python_version(),
        **{package: metadata.version(package) for package in _PACKAGES},
        "num_cpus": num_cores(),
        "devices": ["CPU", *(detail.get("device_name", "GPU") for detail in details)],
    }


def waiting_task(function, jit_compile=False):
    """A task to be timed: the graph of a function without arguments, and the wait for its value."""
    graph = tf.function(function, autograph=False, jit_compile=jit_compile)
    return lambda: graph().numpy()


def interleaved_seconds(tasks, num_repeats, max_seconds=math.inf, description=None):
    """Seconds of the calls of each task, a dict of lists, after one call of each to compile it.

    The tasks take turns, so that whatever else the machine does hits all of them. A slow one gets
    as many of `num_repeats` calls as fit into `max_seconds`, and at least `LEAST_REPEATS`.
    `description` is what lines of progress say is done, on the standard error stream; None: there
    are none.
    """
    for task in tasks.values():
        task()
    lines = description and ProgressLines(num_repeats, description, "repeats")
    seconds = {name: [] for name in tasks}
    for _ in range(num_repeats):
        for name, task in tasks.items():
            spent = seconds[name]
            if len(spent) < LEAST_REPEATS or sum(spent) + statistics.fmean(spent) <= max_seconds:
                start = time.perf_counter()
                task()
                spent.append(time.perf_counter() - start)
        if lines:
            lines.update()
    return seconds
