"""What all benchmarks write: a figure, a table and the numbers behind them."""

import dataclasses
import os
import shlex

from tf_marscf.csv_file import write_csv
from tf_marscf.errors import InputError
from tf_marscf.evaluation.figures import save_figure
from tf_marscf.json_file import write_json


def check_output_dir(output_dir):
    """Checks, before anything is measured, that files can be written there.

    Raises:
        ValueError: if it is a file, or lies in one.
    """
    path = os.path.abspath(output_dir)
    while not os.path.exists(path):
        path = os.path.dirname(path)
    if not os.path.isdir(path):
        raise InputError(
            f"`output_dir` must be a directory; got {str(output_dir)!r}, with the file "
            f"{os.path.basename(path)!r}."
        )


def benchmark_command(name, config):
    """The command line that repeats a benchmark: the flags that differ from the defaults.

    Args:
        name: the benchmark, such as "sampling".
        config: its config, a dataclass whose fields are the flags; a path is left out, because it
            says where somebody's files are.

    Returns:
        A string.
    """
    words = ["python", "bin/benchmark.py", name]
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if value != field.default and field.name != "data_dir":
            text = ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
            words.append(f"--{field.name}={text}")
    return shlex.join(words)


def config_dict(config):
    """The fields of a config but for `data_dir`, as a dict that JSON can hold."""
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in dataclasses.asdict(config).items()
        if name != "data_dir"
    }


def write_benchmark(output_dir, name, result, columns, draw, size, report=print):
    """Writes `NAME.json`, `NAME.csv` and `NAME.png`.

    Args:
        output_dir: directory; created if missing.
        name: of the files.
        result: what the JSON file holds; its "rows" make the CSV file.
        columns: names of the CSV file's columns.
        draw: function of an empty Matplotlib figure and `result`.
        size: width and height of the figure in inches.
        report: called with a line that names the files.
    """
    paths = [os.path.join(output_dir, f"{name}.{ending}") for ending in ("json", "csv", "png")]
    write_json(paths[0], result)
    rows = [{column: row.get(column) for column in columns} for row in result["rows"]]
    write_csv(paths[1], columns, rows)
    save_figure(paths[2], lambda figure: draw(figure, result), size)
    report("wrote " + ", ".join(paths))
