"""What all sections of a report share: the model, the data and the files."""

import os
import re

from tf_marscf.command_text import command_text
from tf_marscf.data import DataUnavailableError
from tf_marscf.errors import InputError, warn
from tf_marscf.runs.checkpoint_store import CheckpointStore
from tf_marscf.runs.evaluated_dataset import load_evaluated_dataset
from tf_marscf.runs.run_config import RunConfig
from tf_marscf.runs.trained_model import restore_model
from tf_marscf.runs.weights_digest import weights_digest


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
        config: the `ReportConfig`.
        new_directory: where files are until the page is there too; see `new_path`.
        report: as given.
        progress: as given.
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

    def command(self, script, **flags):
        """A command line for the training directory.

        Args:
            script: a file in bin/.
            **flags: values by name; None and the defaults of all commands are left out.

        Returns:
            A string, quoted for a shell.
        """
        return command_line_of(script, {"train_dir": self.config.train_dir, **flags})

    @property
    def data_flags(self):
        """Flags of the data set, as this report's command has them."""
        return {"dataset": self.config.dataset, "data_dir": self.config.data_dir}

    @property
    def model_flags(self):
        """Flags of data set and checkpoint, as this report's command has them."""
        checkpoint = None if self.config.checkpoint == "best" else self.config.checkpoint
        return {"checkpoint": checkpoint, **self.data_flags}


def command_line_of(script, flags):
    """A command of a script in bin/, as the user calls it; values of None are left out."""
    return command_text(script.removesuffix(".py"), flags)
