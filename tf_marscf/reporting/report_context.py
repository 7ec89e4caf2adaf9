"""What all sections of a report share: the model, the data, the files, and results in them."""

import dataclasses
import functools
import io
import os
import re
import shlex
from pathlib import Path

import numpy as np

from tf_marscf.command_text import command_text
from tf_marscf.config_fields import field_defaults
from tf_marscf.data import DataUnavailableError
from tf_marscf.errors import InputError, warn
from tf_marscf.figures import THEMES, render_png
from tf_marscf.files.result_files import check_files, read_entries, read_file
from tf_marscf.reporting.page import Picture
from tf_marscf.reporting.training_curves import TrainingCurves
from tf_marscf.runs.checkpoint_store import CheckpointStore
from tf_marscf.runs.restored_run import RestoredRun
from tf_marscf.runs.run_config import RestoredRunConfig

# Figures have 150 pixels an inch, pages 96: text of 10 points is as large as that of the page.
_PIXEL_RATIO = 150.0 / 96.0


class ReportContext:
    """The model of a training directory, its data set and the report's own directory.

    Args:
        config: a `ReportConfig`.
        given_benchmarks: what `read_given_benchmarks` found.
        report: called with a line for each result.
        progress: whether to show how far each is.

    Raises:
        FileNotFoundError: if the directory or checkpoint is missing.
        DataUnavailableError, InputError: if the data set that `config` names cannot be had. One
            that is not named and not at hand is no error; see `dataset_problem`.

    Attributes:
        new_directory: where files are until the page is there too; see `new_path`.
        run: the `RunConfig` of the directory.
        distribution, weights: the `Dequantized` of its checkpoint, and the `weights_digest`.
        dataset, dataset_problem: an `ImageDataset`, or None and a sentence, why there is none.
    """

    def __init__(self, config, given_benchmarks, report=print, progress=True):
        self.config = config
        self.new_directory = config.directory
        self.report = report
        self.progress = progress
        self.given_benchmarks = given_benchmarks
        restored = RestoredRun(config)
        self.run = restored.run_config
        self.dataset, self.dataset_problem = self._load_dataset(restored)
        self.distribution, self.weights = restored.images_distribution, restored.weights

    def _load_dataset(self, restored):
        is_named = self.config.dataset is not None or self.config.data_dir is not None
        if self.run.data is None and not is_named:
            return None, (
                "The weights were imported, and no data set is known for them: give --dataset."
            )
        try:
            return restored.load_dataset(download=is_named), None
        except (DataUnavailableError, InputError) as error:
            if is_named:
                raise
            warn(f"no data set: {error}")
            return None, f"The data set {self.run.data.name} is not at hand: {error}"

    @functools.cached_property
    def curves(self):
        """The `TrainingCurves` of the directory."""
        return TrainingCurves.load(self.config.train_dir)

    @property
    def dataset_name(self):
        """The data set that is named or that the model was trained on; None where none is known."""
        return self.config.dataset or (self.run.data and self.run.data.name)

    @property
    def step(self):
        """Training steps of the checkpoint, as its name tells; None before there is one."""
        for kind in (self.config.checkpoint, "latest"):
            paths = CheckpointStore(self.config.train_dir, kind).paths()
            if paths:
                return int(re.search(r"step_(\d+)", paths[0].name)[1])
        return None

    @property
    def restored_fields(self):
        """The fields of the report's `RestoredRunConfig`, a dict: arguments of another config."""
        return {
            field.name: getattr(self.config, field.name)
            for field in dataclasses.fields(RestoredRunConfig)
        }

    def path(self, name):
        """The path of a file in the report's directory."""
        return os.path.join(self.config.directory, name)

    def new_path(self, name):
        """Where to write a figure or table, which comes to `path` together with the page."""
        return os.path.join(self.new_directory, name)

    def train_path(self, name):
        """The path of a file in the training directory."""
        return os.path.join(self.config.train_dir, name)

    def command(self, name, **flags):
        """A command line for this report's training directory, checkpoint and data set."""
        defaults = field_defaults(RestoredRunConfig)
        restored = {
            field: None if value == defaults.get(field) else value
            for field, value in self.restored_fields.items()
        }
        return command_text(name, restored | flags)

    def section_command(self, name):
        """The command line of a report of one section."""
        return self.command("report", sections=name, output=self.path(f"{name}.html"))

    def stored_command(self, result, output_dir, data_dir=None):
        """The command that a result holds, with the places that it leaves out."""
        train_dir = f"--train_dir={self.config.train_dir}"
        words = [
            train_dir if word == "--train_dir=TRAIN_DIR" else word
            for word in shlex.split(result["command"])
        ]
        if data_dir is not None:
            words.append(f"--data_dir={data_dir}")
        return shlex.join([*words, f"--output_dir={output_dir}"])

    def picture(self, alt, draw, size, file_name=None):
        """A `Picture` of a Matplotlib figure for light and dark screens.

        Args:
            alt: what it shows.
            draw: as of `render_png`.
            size: width and height in inches.
            file_name: of the file beside the page that holds the light one, or None.
        """
        light, dark = (render_png(draw, size, theme) for theme in THEMES)
        if file_name is not None:
            Path(self.new_path(file_name)).write_bytes(light)
        return Picture(alt, light, dark, _PIXEL_RATIO)

    def find_result(self, path, check=None, **expected):
        """The result in a JSON file, a dict, if it is of the report's weights; else None.

        A result of other weights is named in a line of the report: it is there, and not used.

        Args:
            path: as `check`, of `read_result`.
            check: called for results of these weights only.
            **expected: values that the result must hold besides, by name.
        """

        def is_used(content):
            if content.get("weights") != self.weights:
                self.report(f"{path}: of other weights, not used")
                return False
            return all(content.get(name) == value for name, value in expected.items())

        return read_result(path, is_used, check)

    def stored_or_made(self, section, stored, place, doing, make):
        """The stored result of a section or, where that is None, what `make()` returns.

        The report tells which: `place` is the path of either, `doing` says what `make` does.
        """
        if stored is not None:
            self.report(f"{section}: {place} is of these weights, used again")
            return stored
        self.report(f"{section}: {doing}")
        made = make()
        self.report(f"{section}: wrote {place}")
        return made


def read_result(path, is_used, check=None):
    """The content of a JSON file, a dict; None where there is none, or none that `is_used`.

    A file that was cut off, or for whose content `check` raises `InputError`, is named in a warning
    and not used; by default, all files of the result must belong together.
    """
    if not os.path.lexists(path):
        return None
    try:
        content = read_entries(path)
        if not is_used(content):
            return None
        check_files(path, content) if check is None else check(content)
    except InputError as error:
        warn(f"{path!r} is not used: it is not JSON of a result. {error}")
        return None
    return content


def read_arrays(path, content, name):
    """The arrays of an NPZ file of a result, by name; arguments and errors as of `read_file`."""
    with np.load(io.BytesIO(read_file(path, content, name)), allow_pickle=False) as archive:
        return dict(archive)


def download(path):
    """Name and bytes of a file, to be downloaded from the page."""
    with open(path, "rb") as file:
        return os.path.basename(path), file.read()
