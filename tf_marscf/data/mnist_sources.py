"""Where MNIST and Fashion-MNIST are read from: files of MNIST's kind, or TFDS."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path

from tf_marscf.data.data_config import DataConfig
from tf_marscf.data.idx_files import holds_idx_files, load_idx
from tf_marscf.data.image_dataset import ImageDataset
from tf_marscf.data.tfds_images import load_tfds_images

# The first is where Debian's and Ubuntu's package `dataset-fashion-mnist` puts them.
FASHION_MNIST_DIRECTORIES = (
    "/usr/share/datasets/fashion-mnist",
    "/usr/share/dataset-fashion-mnist",
    "/usr/share/datasets/fashion_mnist",
)


def load_mnist_kind(name: str, options: DataConfig | None = None) -> ImageDataset:
    """Loads 'mnist' or 'fashion_mnist' from wherever it is.

    The images are the same from files and from TFDS, but their order is not; so the validation
    images, the end of the training images, are others.

    Args:
        name: 'mnist' or 'fashion_mnist'.
        options: how to load them; None is `DataConfig(name=name)`.

    Returns:
        The data set, of 32 x 32 pixels.

    Raises:
        DataUnavailableError: if the data set is nowhere and may not or cannot be downloaded.
        MissingInputError: if `options.data_dir` holds only one of the two image files.
        InputError: if an option does not suit the images or a file is damaged.
    """
    options = DataConfig(name=name) if options is None else options
    directory = find_idx_directory(name, options.data_path)
    if directory is None:
        return load_tfds_images(name, options)
    return load_idx(dataclasses.replace(options, data_dir=directory), name)


def find_idx_directory(
    name: str,
    data_dir: Path | None,
    package_directories: Sequence[str | os.PathLike[str]] = FASHION_MNIST_DIRECTORIES,
) -> Path | None:
    """Decides whether a data set is read from files of MNIST's kind.

    It is if `data_dir` holds such files. Where `data_dir` is None, 'fashion_mnist' is read from
    the Debian package's directory if that is there, unless TFDS has the data set prepared.

    Args:
        name: 'mnist' or 'fashion_mnist'.
        data_dir: the directory that was asked for, or None.
        package_directories: where a package may have put Fashion-MNIST.

    Returns:
        The directory of the files, or None for TFDS.
    """
    if data_dir is not None:
        return data_dir if holds_idx_files(data_dir) else None
    if name != "fashion_mnist":
        return None
    for directory in map(Path, package_directories):
        if holds_idx_files(directory):
            return None if _is_prepared(name) else directory
    return None


def _is_prepared(name: str) -> bool:
    """Tells whether TFDS has a data set in its default directory."""
    import tensorflow_datasets as tfds

    return tfds.builder(name, try_gcs=False).is_prepared()
