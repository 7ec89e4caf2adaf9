"""What a measurement depends on besides the program."""

import platform
from importlib import metadata

import tensorflow as tf

from tf_marscf.kernels.devices import num_cores

_PACKAGES = ("tensorflow", "tensorflow-probability", "keras", "tf-keras", "numpy")


def machine_facts():
    """Versions and devices, without names of hosts, users or paths.

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
