"""The data set that a training directory's model is evaluated on."""

import dataclasses

from tf_marscf.data import DataConfig, load_configured_dataset
from tf_marscf.errors import InputError


def load_evaluated_dataset(config, dataset=None, data_dir=None, download=True):
    """Loads the data set of a run, or another one of the same image shape.

    Args:
        config: the `RunConfig` of the training directory.
        dataset: name of a data set; default: the one that the model was trained on.
        data_dir: where it is; default: as in training.
        download: whether a missing data set may be downloaded.

    Returns:
        An `ImageDataset`.

    Raises:
        DataUnavailableError: if the data cannot be had.
        FileNotFoundError: if `data_dir` does not exist.
        ValueError: if an argument is wrong, or the images do not fit the model.
    """
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
