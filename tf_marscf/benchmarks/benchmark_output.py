"""What all benchmarks write: a figure, a table and the numbers behind them."""

import os
import platform
from importlib import metadata

import tensorflow as tf

from tf_marscf.command_text import command_text
from tf_marscf.figures import save_figure
from tf_marscf.files.atomic_file import write_csv
from tf_marscf.files.result_files import write_result
from tf_marscf.kernels.devices import num_cores

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


def benchmark_command(name, config):
    """The command line that repeats a benchmark: the flags that differ from the defaults.

    Args:
        name: the benchmark, such as "sampling".
        config: its config, whose fields are the flags; a path is left out, because it
            says where somebody's files are.

    Returns:
        A string.
    """
    flags = {flag: value for flag, value in config.changes().items() if flag != "data_dir"}
    return command_text("benchmark", flags, name)


def config_dict(config):
    """The fields of a config but for `data_dir`, as a dict that JSON can hold."""
    return {name: value for name, value in config.to_dict().items() if name != "data_dir"}


def benchmark_facts(name, config):
    """What is measured, and with what: a dict of "benchmark", "command", "config" and "machine".

    Args:
        name: the benchmark, such as "sampling".
        config: its config, a dataclass whose fields are the flags.
    """
    return {
        "benchmark": name,
        "command": benchmark_command(name, config),
        "config": config_dict(config),
        "machine": machine_facts(),
    }


def write_benchmark(output_dir, name, result, columns, draw, size, report=print):
    """Writes `NAME.json`, `NAME.csv` and `NAME.png`, as one; see `write_result`.

    Args:
        output_dir: directory; created if missing.
        name: of the files.
        result: what the JSON file holds, but for digests; its "rows" make the CSV file.
        columns: names of the CSV file's columns.
        draw: function of an empty Matplotlib figure and `result`.
        size: width and height of the figure in inches.
        report: called with a line that names the files.

    Returns:
        What the JSON file holds.
    """
    rows = [{column: row.get(column) for column in columns} for row in result["rows"]]

    def write_files(directory):
        write_csv(directory / f"{name}.csv", columns, rows)
        save_figure(directory / f"{name}.png", lambda figure: draw(figure, result), size)
        return result

    paths = [os.path.join(output_dir, f"{name}.{ending}") for ending in ("json", "csv", "png")]
    written = write_result(paths[0], write_files)
    report("wrote " + ", ".join(paths))
    return written
