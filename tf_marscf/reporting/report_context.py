"""What all sections of a report share: the model, the data and the files."""

import os
import re
from pathlib import Path

from tf_marscf.command_text import command_text
from tf_marscf.data import DataUnavailableError
from tf_marscf.errors import InputError, warn
from tf_marscf.figures import render_png
from tf_marscf.reporting.page import Picture
from tf_marscf.runs.checkpoint_store import CheckpointStore
from tf_marscf.runs.restored_run import load_evaluated_dataset
from tf_marscf.runs.run_config import RunConfig
from tf_marscf.runs.trained_model import restore_model, weights_digest

# Figures have 150 pixels an inch, pages 96: text of 10 points is as large as that of the page.
_PIXEL_RATIO = 150.0 / 96.0


class ReportContext:
    """The model of a training directory, its data set and the report's own directory.

    Args:
        config: a `ReportConfig`.
        report: called with a line for each result.
        progress: whether to show progress bars.

    Raises:
        FileNotFoundError: if the directory or checkpoint is missing.
        DataUnavailableError, InputError: if the data set that `config` names cannot be had. One
            that is not named and not at hand is no error; see `dataset_problem`.

    Attributes:
        config, report, progress: as given.
        new_directory: where files are until the page is there too; see `new_path`.
        run: the `RunConfig` of the directory.
        distribution: the `Dequantized` of its checkpoint.
        weights: its `weights_digest`.
        dataset: an `ImageDataset`, or None.
        dataset_problem: a sentence, why there is none.
    """

    def __init__(self, config, report=print, progress=True):
        self.config = config
        self.new_directory = config.directory
        self.report = report
        self.progress = progress
        self.run = RunConfig.load(config.train_dir)
        self.dataset, self.dataset_problem = self._load_dataset()
        self.distribution = restore_model(self.run, config.train_dir, config.checkpoint)
        self.weights = weights_digest(self.distribution)

    def _load_dataset(self):
        is_named = self.config.dataset is not None or self.config.data_dir is not None
        if self.run.data is None and not is_named:
            return None, (
                "The weights were imported, and no data set is known for them: give --dataset."
            )
        try:
            return load_evaluated_dataset(
                self.run, self.config.dataset, self.config.data_dir, download=is_named
            ), None
        except (DataUnavailableError, InputError) as error:
            if is_named:
                raise
            warn(f"no data set: {error}")
            return None, f"The data set {self.run.data.name} is not at hand: {error}"

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
    def num_parameters(self):
        """Trainable numbers of the model."""
        variables = self.distribution.distribution.trainable_variables
        return sum(variable.shape.num_elements() for variable in variables)

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
        config = self.config
        checkpoint = None if config.checkpoint == "best" else config.checkpoint
        model = {"checkpoint": checkpoint, "dataset": config.dataset, "data_dir": config.data_dir}
        return command_text(name, {"train_dir": config.train_dir, **model, **flags})

    def section_command(self, name):
        """The command line of a report of one section."""
        return self.command("report", sections=name, output=self.path(f"{name}.html"))

    def picture(self, alt, draw, size, file_name=None):
        """Draws a Matplotlib figure for light and dark screens.

        Args:
            alt: what it shows.
            draw: as of `render_png`.
            size: width and height in inches.
            file_name: of the file beside the page that holds the light one, or None.

        Returns:
            A `Picture`.
        """
        light, dark = (render_png(draw, size, theme) for theme in ("light", "dark"))
        if file_name is not None:
            Path(self.new_path(file_name)).write_bytes(light)
        return Picture(alt, light, dark, _PIXEL_RATIO)
