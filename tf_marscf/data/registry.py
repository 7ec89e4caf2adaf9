"""Data sets by name."""

from __future__ import annotations

import dataclasses
import importlib
import os
from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING

from tf_marscf.data.dataset_options import DatasetOptions
from tf_marscf.errors import InputError

if TYPE_CHECKING:
    from tf_marscf.data.image_dataset import ImageDataset

# A further kind of data set is one more entry here: a name, and module and name of a function of
# the options, or of what stands between and the options. Modules are imported when they are needed,
# so that names are checked before TensorFlow starts.
_LOADERS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
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
)


def dataset_names() -> tuple[str, ...]:
    """Returns the names that `load_dataset` takes, sorted."""
    return tuple(sorted(_LOADERS))


def load_dataset(
    name: str,
    data_dir: str | os.PathLike[str] | None = None,
    *,
    download: bool = True,
    num_channels: int | None = None,
    num_validation_images: int | None = None,
    max_images: int | None = None,
) -> ImageDataset:
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
        The data set.

    Raises:
        DataUnavailableError: if the data set is neither in `data_dir` nor can be downloaded.
        MissingInputError: if `data_dir` does not exist, or not with the files it must hold.
        InputError: if `name` is unknown, an option does not suit the data set or a file is not as
            it must be; the message is one line.
    """
    _check_name("name", name)
    options = DatasetOptions(
        data_dir=data_dir,
        download=download,
        num_channels=num_channels,
        num_validation_images=num_validation_images,
        max_images=max_images,
    )
    return _load(name, options)


def load_configured_dataset(data, download: bool = True) -> ImageDataset:
    """Loads the data set that the config of a run names.

    Args:
        data: a `DataConfig`.
        download: whether a missing data set may be downloaded.

    Returns:
        The data set.

    Raises:
        DataUnavailableError: if the data set is neither in its directory nor can be downloaded.
        InputError: if an option is wrong; the message names it as `DataConfig` and the flags do.
    """
    name, options = check_configured_dataset(data)
    options = dataclasses.replace(options, download=download)
    return _load(name, options)


def check_configured_dataset(data) -> tuple[str, DatasetOptions]:
    """Checks what can be checked before any image is read.

    Args:
        data: a `DataConfig`.

    Returns:
        The data set's name and how to load it.

    Raises:
        InputError: if the name or an option is wrong.
    """
    _check_name("dataset", data.name)
    values = dataclasses.asdict(data)
    name, options = values.pop("name"), DatasetOptions(**values)
    if name == "digits":
        options.check_no_data_dir(name)
    return name, options


def _load(name: str, options: DatasetOptions) -> ImageDataset:
    """Loads a data set and takes the first images of each split."""
    from tf_marscf.data.image_dataset import take_images

    module, function, *arguments = _LOADERS[name]
    load: Callable = getattr(importlib.import_module(f"tf_marscf.data.{module}"), function)
    return take_images(partial(load, *arguments)(options), options.max_images)


def _check_name(argument: str, name: str) -> None:
    """Checks the name of a data set."""
    if not isinstance(name, str) or name not in _LOADERS:
        raise InputError(f"`{argument}` must be one of {', '.join(dataset_names())}; got {name!r}.")
