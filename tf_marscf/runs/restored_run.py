"""A training directory's model, and the images that it is evaluated on."""

import dataclasses
import functools

from tf_marscf.data import DataConfig, load_configured_dataset
from tf_marscf.errors import InputError
from tf_marscf.runs.run_config import RunConfig
from tf_marscf.runs.trained_model import restore_model, weights_digest


class RestoredRun:
    """The model of a training directory, and a data set for it; each is loaded when it is used.

    Args:
        config: a `RestoredRunConfig`.
        argument: what errors call its directory.

    Attributes:
        config: as given.
        run_config: the `RunConfig` of the directory.

    Raises:
        MissingInputError: if the directory is missing, or when it is used, the checkpoint.
        DataUnavailableError: when the data set is used, if it cannot be had.
        InputError: if an argument is wrong, or the data do not fit the model.
    """

    def __init__(self, config, argument="train_dir"):
        self.config = config
        self._argument = argument
        self.run_config = RunConfig.load(config.train_dir, argument)

    @functools.cached_property
    def dataset(self):
        """The `ImageDataset`."""
        return self.load_dataset()

    def load_dataset(self, download=True):
        """The `ImageDataset`; it is downloaded, where it is missing, only if `download`."""
        name, data, model = self.config.dataset, self.run_config.data, self.run_config.model
        if name is not None and (data is None or name != data.name):
            # Grey images may be copied three times, and lose bits; all else is the data set's own.
            data = DataConfig(
                name=name,
                num_channels=3 if model.image_shape[2] == 3 else None,
                num_bits=self.run_config.pixels.num_bits,
            )
        if data is None:
            raise InputError(
                "`dataset` must be given: the weights in this directory were imported, and its "
                "config names no data set; got None."
            )
        given = {name: getattr(self.config, name) for name in ("data_dir", "crop", "resize")}
        given = {name: value for name, value in given.items() if value is not None}
        data = dataclasses.replace(data, **given)
        loaded = load_configured_dataset(data, download)
        expected = (model.image_shape, self.run_config.pixels.num_grey_levels)
        if (loaded.image_shape, loaded.num_grey_levels) != expected:
            raise InputError(
                f"`dataset` must have images of shape {expected[0]} with {expected[1]} grey "
                f"levels; {data.name} has {loaded.image_shape} with {loaded.num_grey_levels}."
            )
        is_of_training = self.run_config.data is not None and data.name == self.run_config.data.name
        if loaded.classes is not None and model.num_classes is not None and not is_of_training:
            loaded.classes.check_number(model.num_classes)
        return loaded

    @functools.cached_property
    def images_distribution(self):
        """The model, a `Dequantized` of a `MarScf`."""
        return restore_model(
            self.run_config, self.config.train_dir, self.config.checkpoint, self._argument
        )

    @functools.cached_property
    def weights(self):
        """The `weights_digest` of the model."""
        return weights_digest(self.images_distribution)

    def examples_of(self, split):
        """What the model sees of a split: images, or if it has classes pairs (image, label)."""
        self.images_of(split)
        return self.dataset.examples(split, self.run_config.model.num_classes)

    def images_of(self, split, argument="split"):
        """The images of a split, a `tf.data.Dataset`; errors call it `argument`."""
        splits = self.dataset.splits()
        if split not in splits:
            raise InputError(f"`{argument}` must be one of {tuple(splits)}; got {split!r}.")
        return splits[split]
