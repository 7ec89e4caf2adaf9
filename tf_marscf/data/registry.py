"""Data sets by name."""

import dataclasses
import importlib

from tf_marscf.data.data_config import DataConfig
from tf_marscf.errors import InputError

# A further kind of data set is one more entry here: a name, and module and name of a function of
# the `DataConfig`, or of what stands between and the config. Modules are imported when they are
# needed, so that names are checked before TensorFlow starts.
_LOADERS = {
    "digits": ("digits", "load_digits"),
    "folder": ("image_folder", "load_image_folder"),
    "idx": ("idx_files", "load_idx"),
    "npz": ("npz_file", "load_npz"),
    **{
        name: ("tfds_images", "load_tfds_images", name)
        for name in ("cifar10", "downsampled_imagenet/32x32", "downsampled_imagenet/64x64")
    },
    "fashion_mnist": ("mnist_sources", "load_mnist_kind", "fashion_mnist"),
    "mnist": ("mnist_sources", "load_mnist_kind", "mnist"),
}


def dataset_names():
    """The names that `load_dataset` takes, sorted."""
    return tuple(sorted(_LOADERS))


def load_dataset(
    name,
    data_dir=None,
    *,
    download=True,
    num_channels=None,
    num_validation_images=None,
    max_images=None,
):
    """Loads a data set by name.

    Args:
        name: one of `dataset_names()`.
        data_dir: where the images are. 'npz': the path of an .npz file; 'idx': a directory of
            files of MNIST's kind; 'folder': a directory of image files; the others: a directory
            that holds prepared data sets, or None for TensorFlow Datasets' default. For 'digits'
            it must be None.
        download: whether a missing data set may be downloaded into `data_dir`.
        num_channels: channels of the images: None keeps the data set's own number, 3 copies a
            1-channel image three times.
        num_validation_images: how many images are held out of the training images for
            validation: None is the data set's default, 0 trains on all of them.
        max_images: how many images of each split are kept, the first ones: None is all.

    Returns:
        An `ImageDataset`.

    Raises:
        DataUnavailableError: if the data set is neither in `data_dir` nor can be downloaded.
        MissingInputError: if `data_dir` does not exist, or not with the files it must hold.
        InputError: if `name` is unknown, an option does not suit the data set or a file is not as
            it must be; the message is one line.
    """
    _check_name("name", name)
    return _load(
        DataConfig(
            name=name,
            data_dir=data_dir,
            download=download,
            num_channels=num_channels,
            num_validation_images=num_validation_images,
            max_images=max_images,
        )
    )


def load_configured_dataset(config, download=True):
    """Loads the data set that the config of a run names.

    Args:
        config: a `DataConfig`.
        download: whether a missing data set may be downloaded.

    Returns:
        An `ImageDataset`.

    Raises:
        DataUnavailableError: if the data set is neither in its directory nor can be downloaded.
        InputError: if an option is wrong; the message names it as `DataConfig` and the flags do.
    """
    check_configured_dataset(config)
    return _load(dataclasses.replace(config, download=download))


def check_configured_dataset(config):
    """Checks what can be checked before any image is read.

    Args:
        config: a `DataConfig`.

    Raises:
        InputError: if the name or an option is wrong.
    """
    _check_name("dataset", config.name)
    if config.name == "digits":
        config.check_no_data_dir(config.name)


def _load(config):
    """Loads a data set and takes the first images of each split."""
    from tf_marscf.data.image_dataset import take_images

    module, function, *arguments = _LOADERS[config.name]
    load = getattr(importlib.import_module(f"tf_marscf.data.{module}"), function)
    return take_images(load(*arguments, config), config.max_images)


def _check_name(argument, name):
    """Checks the name of a data set."""
    if not isinstance(name, str) or name not in _LOADERS:
        raise InputError(f"`{argument}` must be one of {', '.join(dataset_names())}; got {name!r}.")
