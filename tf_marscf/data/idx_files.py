"""Images in files of MNIST's kind (IDX), plain or compressed with gzip, and where MNIST is."""

import dataclasses
import gzip
import math
import struct
import zlib
from pathlib import Path

import numpy as np

from tf_marscf.data.image_dataset import ImageDataset, check_image_shape
from tf_marscf.data.tfds_images import load_tfds_images
from tf_marscf.errors import InputError, MissingInputError, first_line
from tf_marscf.files.input_files import check_fits_memory, file_size, open_regular_file
from tf_marscf.files.zip_archive import MAX_DEFLATE_RATIO

# The first is where Debian's and Ubuntu's package `dataset-fashion-mnist` puts them.
FASHION_MNIST_DIRECTORIES = (
    "/usr/share/datasets/fashion-mnist",
    "/usr/share/dataset-fashion-mnist",
    "/usr/share/datasets/fashion_mnist",
)
_EXCESS_BYTES = 2**20  # So many are read to see whether there are more than there should be.
# Two zero bytes, the type uint8 and the number of axes, by what is in a file.
_MAGIC = {"images": 0x00000803, "labels": 0x00000801}
_HEADER = {"images": struct.Struct(">4I"), "labels": struct.Struct(">2I")}
_PREFIXES = {"train": "train", "test": "t10k"}
_VALUES = {"images": "pixels", "labels": "labels"}
# By preference, where a directory holds more than one.
_SUFFIXES = {
    content: tuple(
        f"-{content}{mark}{kind}-ubyte{ending}" for ending in ("", ".gz") for mark in "-."
    )
    for content, kind in (("images", "idx3"), ("labels", "idx1"))
}


def load_mnist_kind(config):
    """Loads 'mnist' or 'fashion_mnist' from files of MNIST's kind, or from TFDS.

    The order of the images, and so which are held out for validation, differs between the two.
    """
    directory = find_idx_directory(config.name, config.data_path)
    if directory is None:
        return load_tfds_images(config)
    return load_idx(dataclasses.replace(config, data_dir=directory))


def find_idx_directory(name, data_dir, package_directories=FASHION_MNIST_DIRECTORIES):
    """The `Path` of the directory whose files are read, or None for TFDS.

    It is `data_dir` if that holds such files. Where `data_dir` is None, 'fashion_mnist' is read
    from a directory of the Debian package if that is there, unless TFDS has it prepared.
    """
    if data_dir is not None:
        return data_dir if _holds_idx_files(data_dir) else None
    directories = map(Path, package_directories if name == "fashion_mnist" else ())
    directory = next(filter(_holds_idx_files, directories), None)
    return None if directory is None or _is_prepared(name) else directory


def _is_prepared(name):
    """Tells whether TFDS has a data set in its default directory."""
    import tensorflow_datasets as tfds

    return tfds.builder(name, try_gcs=False).is_prepared()


def load_idx(config):
    """Loads images of the files train-images-idx3-ubyte and t10k-images-idx3-ubyte.

    The names may also be spelled train-images.idx3-ubyte and end in `.gz`. The images, of one
    channel and 256 grey levels, are zero-padded on all sides to the next multiple of 8, so 28 x 28
    to 32 x 32. The last training images are held out for validation. The order is that of the
    files. For models with classes, labels are read of train-labels-idx1-ubyte and so on.
    """
    directory = config.existing_directory("IDX files")
    paths = {split: _path(directory, split, "images") for split in _PREFIXES}
    train, test = (read_idx(path)[..., np.newaxis] for path in paths.values())
    if test.shape[1:] != train.shape[1:]:
        raise InputError(
            f"{paths['test']} must hold images of the size of those in {paths['train']}, "
            f"{train.shape[1:3]}; got {test.shape[1:3]}."
        )
    num_images = {"train": len(train), "test": len(test)}

    def read_stored_labels(split):
        path = _path(directory, split, "labels")
        labels = read_idx(path, "labels")
        if len(labels) != num_images[split]:
            raise InputError(
                f"{path} must hold one label an image of {paths[split]}, {num_images[split]}; got "
                f"{len(labels)}."
            )
        return labels

    return ImageDataset.from_arrays(
        *config.hold_out(train),
        test,
        256,
        config.name,
        read_labels=lambda split: config.labels_of(split, read_stored_labels),
    ).padded()


def read_idx(path, content="images"):
    """Reads an IDX file of "images" or "labels", compressed if its name ends in `.gz`.

    It is uint8, [N, height, width] or [N]. No more is decompressed than the header says, but for
    what shows that there is more.

    Raises:
        InputError: if it is no regular file, none of that content, damaged, or not of the size that
            its header states.
        OSError: if it cannot be read.
    """
    with open_regular_file(path) as file:
        is_compressed = path.suffix == ".gz"
        stream = gzip.GzipFile(fileobj=file) if is_compressed else file
        shape = _read_header(stream, path, content)
        num_expected = math.prod(shape)
        rule = (
            f"{path} must have {num_expected} bytes of {_VALUES[content]}, as its header's shape "
            f"{shape} says; got"
        )
        num_stored = file_size(file)
        if num_expected > num_stored * (MAX_DEFLATE_RATIO if is_compressed else 1):
            raise InputError(f"{rule} a file of {num_stored}, so it is cut off.")
        if content == "images":
            check_image_shape((*shape[1:], 1), str(path))
        check_fits_memory(num_expected, str(path))
        values = _read(stream, path, num_expected + _EXCESS_BYTES)
    if len(values) < num_expected:
        raise InputError(f"{rule} {len(values)}, so it is cut off.")
    if len(values) > num_expected:
        at_least = "at least " if len(values) == num_expected + _EXCESS_BYTES else ""
        raise InputError(f"{rule} {at_least}{len(values)}, so it is too long.")
    return np.frombuffer(values, np.uint8).reshape(shape)


def _read_header(stream, path, content):
    """Reads the shape, and checks that it is one of images, or labels."""
    size = _HEADER[content].size
    header = _read(stream, path, size)
    if len(header) < size:
        raise InputError(
            f"{path} must start with a header of {size} bytes; got {len(header)} bytes."
        )
    magic, *shape = _HEADER[content].unpack(header)
    if magic != _MAGIC[content]:
        raise InputError(
            f"{path} must start with the magic number 0x{_MAGIC[content]:08x} of uint8 {content}; "
            f"got 0x{magic:08x}."
        )
    if 0 in shape:
        what = "image and pixel" if content == "images" else "label"
        raise InputError(f"{path} must hold at least one {what}; got the shape {tuple(shape)}.")
    return tuple(shape)


def _read(stream, path, num_bytes):
    """Reads as many bytes, or as many as there are."""
    try:
        return stream.read(num_bytes)
    # Of gzip: not its format, a wrong checksum, a stream that is cut off or makes no sense.
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise InputError(
            f"{path} must be a readable IDX file; got {type(error).__name__}: {first_line(error)}."
        ) from error


def _candidates(directory, split, content):
    """The files there are that may hold the images or labels of a split."""
    paths = [directory / (_PREFIXES[split] + suffix) for suffix in _SUFFIXES[content]]
    return [path for path in paths if path.is_file()]


def _holds_idx_files(directory):
    """Tells whether a directory holds an image file of MNIST's kind, of training or of test."""
    return any(_candidates(directory, split, "images") for split in _PREFIXES)


def _path(directory, split, content):
    """The file that holds the images or labels of a split."""
    candidates = _candidates(directory, split, content)
    if not candidates:
        names = ", ".join(_PREFIXES[split] + suffix for suffix in _SUFFIXES[content])
        raise MissingInputError(
            f"`data_dir` must hold the {split} {content}, one of {names}; got {str(directory)!r}, "
            "which holds none of them."
        )
    return candidates[0]
