"""Images in files of MNIST's kind (IDX), plain or compressed with gzip."""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from pathlib import Path
from typing import BinaryIO

import numpy as np
import tensorflow as tf

from tf_marscf.data.data_config import DataConfig
from tf_marscf.data.data_directory import existing_directory
from tf_marscf.data.image_dataset import ImageDataset, check_image_shape
from tf_marscf.data.preprocessing import repeat_channel, zero_pad
from tf_marscf.data.validation_split import default_num_validation_images, split_off_validation
from tf_marscf.errors import InputError, MissingInputError, first_line
from tf_marscf.files.memory_size import check_fits_memory
from tf_marscf.files.regular_file import file_size, open_regular_file
from tf_marscf.files.zip_archive import MAX_DEFLATE_RATIO

_CHUNK_BYTES = 2**20
# Two zero bytes, the type uint8 and the number of axes.
_MAGIC = 0x00000803
_HEADER = struct.Struct(">4I")
_PREFIXES = {"train": "train", "test": "t10k"}
# By preference, where a directory holds more than one.
_SUFFIXES = (
    "-images-idx3-ubyte",
    "-images.idx3-ubyte",
    "-images-idx3-ubyte.gz",
    "-images.idx3-ubyte.gz",
)
# 28 becomes 32, as the TFDS source pads MNIST; a multiple of 8 halves three times.
_SIZE_MULTIPLE = 8


def load_idx(options: DataConfig, name: str = "idx") -> ImageDataset:
    """Loads images of the files train-images-idx3-ubyte and t10k-images-idx3-ubyte.

    The names may also be spelled train-images.idx3-ubyte and end in `.gz`. The images are
    zero-padded on all sides to the next multiple of 8, so 28 x 28 to 32 x 32. The last training
    images are held out for validation: `options.num_validation_images`, or a tenth but not above
    5,000. The order is that of the files.

    Args:
        options: how to load them; `options.data_dir` is the directory of the files.
        name: name of the data set.

    Returns:
        The data set, with 256 grey levels and one channel, or three equal ones where
        `options.num_channels` is 3.

    Raises:
        MissingInputError: if `options.data_dir` does not exist, or not with both files.
        InputError: if it is not given or is no directory, a file is damaged, the images of the
            two differ in size or are too large, or `options.num_validation_images` leaves no
            training image.
        OSError: if a file cannot be read.
    """
    directory = existing_directory(options, "IDX files", name)
    paths = {split: _image_path(directory, split) for split in _PREFIXES}
    images = {split: read_idx_images(path) for split, path in paths.items()}
    height, width = images["train"].shape[1:]
    if images["test"].shape[1:] != (height, width):
        raise InputError(
            f"{paths['test']} must hold images of the size of those in {paths['train']}, "
            f"{(height, width)}; got {images['test'].shape[1:]}."
        )
    return _dataset(images, options, name, directory)


def holds_idx_files(directory: Path) -> bool:
    """Tells whether a directory holds an image file of MNIST's kind, of training or of test."""
    return any(_candidates(directory, split) for split in _PREFIXES)


def read_idx_images(path: Path) -> np.ndarray:
    """Reads an IDX file of images.

    No more is decompressed than the header says, but for what shows that there is more.

    Args:
        path: the file, compressed if its name ends in `.gz`.

    Returns:
        uint8 `[num_images, height, width]`.

    Raises:
        InputError: if it is no regular file, none of images, damaged, or not of the size that its
            header states.
        OSError: if it cannot be read.
    """
    with open_regular_file(path) as file:
        is_compressed = path.suffix == ".gz"
        stream = gzip.GzipFile(fileobj=file) if is_compressed else file
        shape = _read_header(stream, path)
        num_expected = math.prod(shape)
        num_stored = file_size(file)
        num_possible = num_stored * MAX_DEFLATE_RATIO if is_compressed else num_stored
        if num_expected > num_possible:
            raise InputError(
                f"{path} must have {num_expected} bytes of pixels, as its header's shape {shape} "
                f"says; got a file of {num_stored}, so it is cut off."
            )
        check_image_shape((*shape[1:], 1), str(path))
        check_fits_memory(num_expected, str(path))
        pixels = _read(stream, path, num_expected)
        more = _read(stream, path, _CHUNK_BYTES) if len(pixels) == num_expected else bytearray()
    num_found = len(pixels) + len(more)
    if num_found != num_expected:
        problem = "cut off" if num_found < num_expected else "too long"
        seen = f"at least {num_found}" if len(more) == _CHUNK_BYTES else num_found
        raise InputError(
            f"{path} must have {num_expected} bytes of pixels, as its header's shape {shape} says; "
            f"got {seen}, so it is {problem}."
        )
    return np.frombuffer(pixels, np.uint8).reshape(shape)


def _read_header(stream: BinaryIO, path: Path) -> tuple[int, int, int]:
    """Reads the shape, and checks that it is one of images."""
    header = _read(stream, path, _HEADER.size)
    if len(header) < _HEADER.size:
        raise InputError(
            f"{path} must start with a header of {_HEADER.size} bytes; got {len(header)} bytes."
        )
    magic, *shape = _HEADER.unpack(header)
    if magic != _MAGIC:
        raise InputError(
            f"{path} must start with the magic number 0x{_MAGIC:08x} of uint8 images; got "
            f"0x{magic:08x}."
        )
    if 0 in shape:
        raise InputError(
            f"{path} must hold at least one image and pixel; got the shape {tuple(shape)}."
        )
    return tuple(shape)


def _read(stream: BinaryIO, path: Path, num_bytes: int) -> bytearray:
    """Reads as many bytes, or as many as there are, in parts: memory is taken for what is there."""
    content = bytearray()
    try:
        while len(content) < num_bytes:
            chunk = stream.read(min(_CHUNK_BYTES, num_bytes - len(content)))
            if not chunk:
                break
            content += chunk
    # Of gzip: not its format, a wrong checksum, a stream that is cut off or makes no sense.
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise InputError(
            f"{path} must be a readable IDX file; got {type(error).__name__}: {first_line(error)}."
        ) from error
    return content


def _candidates(directory: Path, split: str) -> list[Path]:
    """Returns the files there are that may hold the images of a split."""
    paths = [directory / (_PREFIXES[split] + suffix) for suffix in _SUFFIXES]
    return [path for path in paths if path.is_file()]


def _image_path(directory: Path, split: str) -> Path:
    """Returns the file that holds the images of a split; raises FileNotFoundError without."""
    candidates = _candidates(directory, split)
    if not candidates:
        names = ", ".join(_PREFIXES[split] + suffix for suffix in _SUFFIXES)
        raise MissingInputError(
            f"`data_dir` must hold the {split} images, one of {names}; got {str(directory)!r}, "
            "which holds none of them."
        )
    return candidates[0]


def _dataset(
    images: dict[str, np.ndarray], options: DataConfig, name: str, directory: Path
) -> ImageDataset:
    """Returns the padded images, with those of validation held out."""
    height, width = (_padded_size(size) for size in images["train"].shape[1:])
    num_channels = options.channels_of(1, repr(name))
    num_development = len(images["train"])
    num_train, num_validation = split_off_validation(
        options, num_development, default_num_validation_images(num_development), str(directory)
    )

    # As of the TFDS source, a map: the files' bytes are all that stays in memory.
    def to_image(pixels: tf.Tensor) -> tf.Tensor:
        image = zero_pad(pixels[..., tf.newaxis], height, width)
        return image if num_channels == 1 else repeat_channel(image, num_channels)

    def read(array: np.ndarray) -> tf.data.Dataset:
        return tf.data.Dataset.from_tensor_slices(array).map(
            to_image, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True
        )

    return ImageDataset(
        train=read(images["train"][:num_train]),
        validation=read(images["train"][num_train:]) if num_validation else None,
        test=read(images["test"]),
        image_shape=(height, width, num_channels),
        num_grey_levels=256,
        name=name,
    )


def _padded_size(size: int) -> int:
    """Returns the next multiple of 8, `size` itself if it is one."""
    return -(-size // _SIZE_MULTIPLE) * _SIZE_MULTIPLE
