"""A training directory's model, and the images that it is evaluated on."""

import dataclasses

from tf_marscf.data import DataConfig, load_configured_dataset
from tf_marscf.errors import InputError
from tf_marscf.files.paths import local_path
from tf_marscf.runs.run_config import RunConfig
from tf_marscf.runs.trained_model import restore_model, weights_digest


class RestoredRun:
    """The model of a training directory, or one of imported weights, and a data set for it.

    Attributes:
        train_dir: the directory, a string.
        config: its `RunConfig`.
        checkpoint: "best" or "latest".
        dataset: the `ImageDataset`, by default the one of the training, and where it was then.
        images_distribution: the model, a `Dequantized` around a `MarScf`.

    Raises:
        DataUnavailableError: if the data cannot be had.
        MissingInputError: if the directory or checkpoint is missing.
        InputError: if an argument is wrong, or the data do not fit the model.
    """

    def __init__(self, train_dir, which="best", dataset=None, data_dir=None):
        self.train_dir = local_path("train_dir", train_dir)
        self.config = RunConfig.load(self.train_dir)
        self.checkpoint = which
        self.dataset = load_evaluated_dataset(self.config, dataset, data_dir)
        self.images_distribution = restore_model(self.config, self.train_dir, which)

    @property
    def weights(self):
        """The `weights_digest` of the model."""
        return weights_digest(self.images_distribution)

    def images_of(self, split, argument="split"):
        """The images of a split, a `tf.data.Dataset`.

        Raises:
            InputError: if the data set has no such split; `argument` is what it calls it.
        """
        splits = self.dataset.splits()
        if split not in splits:
            raise InputError(f"`{argument}` must be one of {tuple(splits)}; got {split!r}.")
        return splits[split]


def load_evaluated_dataset(config, dataset=None, data_dir=None, download=True):
    """The `ImageDataset` of a `RunConfig`, or of another name or place; errors as above."""
    data = config.data
    if dataset is not None and (data is None or dataset != data.name):
        # Grey images may be copied three times; other numbers are the data set's own.
        num_channels = 3 if config.model.image_shape[2] == 3 else None
        data = DataConfig(name=dataset, num_channels=num_channels)
    if data is None:
        raise InputError(
            "`dataset` must be given: the weights in this directory were imported, and its "
            "config names no data set; got None."
        )
    if data_dir is not None:
        data = dataclasses.replace(data, data_dir=data_dir)
    loaded = load_configured_dataset(data, download)
    expected = (config.model.image_shape, config.pixels.num_grey_levels)
    if (loaded.image_shape, loaded.num_grey_levels) != expected:
        raise InputError(
            f"`dataset` must have images of shape {expected[0]} with {expected[1]} grey "
            f"levels; {data.name} has {loaded.image_shape} with {loaded.num_grey_levels}."
        )
    return loaded
