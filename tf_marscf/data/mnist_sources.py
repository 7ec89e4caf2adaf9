"""Where MNIST and Fashion-MNIST are read from: files of MNIST's kind, or TFDS."""

import dataclasses
from pathlib import Path

from tf_marscf.data.idx_files import holds_idx_files, load_idx
from tf_marscf.data.tfds_images import load_tfds_images

# The first is where Debian's and Ubuntu's package `dataset-fashion-mnist` puts them.
FASHION_MNIST_DIRECTORIES = (
    "/usr/share/datasets/fashion-mnist",
    "/usr/share/dataset-fashion-mnist",
    "/usr/share/datasets/fashion_mnist",
)


def load_mnist_kind(name, options):
    """Loads 'mnist' or 'fashion_mnist' from wherever it is.

    The images are the same from files and from TFDS, but their order is not; so the validation
    images, the end of the training images, are others.

    The shape is `[32, 32, channels]`. It returns and raises what `load_dataset` does.
    """
    directory = find_idx_directory(name, options.data_path)
    if directory is None:
        return load_tfds_images(name, options)
    return load_idx(dataclasses.replace(options, data_dir=directory), name)


def find_idx_directory(name, data_dir, package_directories=FASHION_MNIST_DIRECTORIES):
    """Decides whether a data set is read from files of MNIST's kind.

    It is if `data_dir` holds such files. Where `data_dir` is None, 'fashion_mnist' is read from
    the Debian package's directory if that is there, unless TFDS has the data set prepared.

    Args:
        name: 'mnist' or 'fashion_mnist'.
        data_dir: the `Path` that was asked for, or None.
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


def _is_prepared(name):
    """Tells whether TFDS has a data set in its default directory."""
    import tensorflow_datasets as tfds

    return tfds.builder(name, try_gcs=False).is_prepared()
