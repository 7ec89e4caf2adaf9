"""What benchmarks that compare models share: a figure, a table and the numbers behind them."""

import abc
import os
import shlex

from tf_marscf.benchmarks.measurement import machine_facts
from tf_marscf.command_text import command_text
from tf_marscf.errors import InputError
from tf_marscf.figures import save_figure
from tf_marscf.files.atomic_file import write_csv
from tf_marscf.files.paths import output_directory
from tf_marscf.files.result_files import DIGESTS, write_result
from tf_marscf.rules import check_entries, entries, integer, list_of, text


class ComparisonBenchmark(abc.ABC):
    """A benchmark that writes `NAME.json`, `NAME.csv` and `NAME.png`.

    Args:
        config: a `ComparisonConfig`; its fields are the flags of `bin/benchmark.py NAME`.
        output_dir: directory of the files; created if missing.

    Raises:
        InputError: if `output_dir` is no directory.

    Attributes:
        name: of the benchmark and its files.
        rules: dict from entries of the JSON file to what `check` wants of them.
        columns: likewise of a row, in the order of the CSV file; None: nothing is wanted.
        figure_size: width and height in inches.
    """

    name, rules, columns, figure_size = None, {}, {}, (10.0, 4.6)

    def __init__(self, config, output_dir):
        self._output_dir = output_directory("output_dir", output_dir)
        self._config = config

    def run(self, report=print):
        """Runs the benchmark and writes its files.

        Args:
            report: called with each line of a table.

        Returns:
            The dict that the JSON file holds: "benchmark", "command", "config", "machine" and what
            `measure` returns.
        """
        return self._write_measured(self.measure(report), report)

    def _write_measured(self, measured, report):
        """Writes the files of what `measure` returns, and returns what the JSON file holds."""
        result = {
            "benchmark": self.name,
            "command": command_text("benchmark", self._config.changes(), self.name),
            "config": self._config.to_dict(),
            "machine": machine_facts(),
            **measured,
        }
        return self.write(self._output_dir, result, report)

    @abc.abstractmethod
    def measure(self, report):
        """A dict that JSON can hold; its "rows" have the entries of `columns`."""

    @staticmethod
    @abc.abstractmethod
    def draw(figure, result):
        """Draws the content of the JSON file on an empty Matplotlib figure."""

    @classmethod
    def check(cls, result):
        """Checks what a JSON file holds, which somebody may have written by hand.

        Raises:
            InputError: naming the entry that is missing or wrong.
        """
        row_rule = entries(**{name: rule for name, rule in cls.columns.items() if rule is not None})
        machine = entries(num_cpus=integer(1), devices=list_of(text()), tensorflow=text())
        common = {"benchmark": text(cls.name), "command": text(), "machine": machine}
        check_entries(result, common | cls.rules | {"rows": list_of(row_rule, 1)})
        try:
            shlex.split(result["command"])
        except ValueError as error:
            raise InputError(f"command must be a command line; {error}.") from error

    @staticmethod
    def check_models(result):
        """Raises `InputError` if the rows are not of the models of the config."""
        models = set(result["config"]["models"])
        if {row["model"] for row in result["rows"]} != models:
            raise InputError(f"rows must be of the models {sorted(models)}.")

    @classmethod
    def write(cls, output_dir, result, report=print):
        """Writes the files as one, tells `report`, and returns what `write_result` does."""
        json_path = os.path.join(output_dir, f"{cls.name}.json")

        def write_files(directory):
            cls.write_tables(directory, result)
            save_figure(
                directory / f"{cls.name}.png",
                lambda figure: cls.draw(figure, result),
                cls.figure_size,
            )
            return result

        written = write_result(json_path, write_files)
        paths = [os.path.join(output_dir, name) for name in written[DIGESTS]["files"]]
        report("wrote " + ", ".join([json_path, *paths]))
        return written

    @classmethod
    def write_tables(cls, directory, result):
        """Writes the rows as a CSV file into a directory, a `Path`."""
        rows = [{column: row.get(column) for column in cls.columns} for row in result["rows"]]
        write_csv(directory / f"{cls.name}.csv", list(cls.columns), rows)
