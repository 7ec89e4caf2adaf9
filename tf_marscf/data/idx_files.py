"""Images in files of MNIST's kind (IDX), plain or compressed with gzip."""

import gzip
import math
import struct
import zlib

import numpy as np

from tf_marscf.data.data_directory import existing_directory
from tf_marscf.data.image_dataset import ImageDataset, check_image_shape, hold_out_validation
from tf_marscf.data.validation_split import default_num_validation_images
from tf_marscf.errors import InputError, MissingInputError, first_line
from tf_marscf.files.input_files import check_fits_memory, file_size, open_regular_file
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


def load_idx(options, name="idx"):
    """Loads images of the files train-images-idx3-ubyte and t10k-images-idx3-ubyte.

    The names may also be spelled train-images.idx3-ubyte and end in `.gz`. The images are
    zero-padded on all sides to the next multiple of 8, so 28 x 28 to 32 x 32. The last training
    images are held out for validation: `options.num_validation_images`, or a tenth but not above
    5,000. The order is that of the files.

    There are 256 grey levels and one channel, or three equal ones where `options.num_channels` is
    3. It returns and raises what `load_dataset` does, and `OSError`.
    """
    directory = existing_directory(options, "IDX files", name)
    paths = {split: _image_path(directory, split) for split in _PREFIXES}
    train, test = (read_idx_images(paths[split]) for split in _PREFIXES)
    height, width = train.shape[1:]
    if test.shape[1:] != (height, width):
        raise InputError(
            f"{paths['test']} must hold images of the size of those in {paths['train']}, "
            f"{(height, width)}; got {test.shape[1:]}."
        )
    train, validation = hold_out_validation(
        train[..., np.newaxis], options, default_num_validation_images(len(train)), str(directory)
    )
    dataset = ImageDataset.from_arrays(train, validation, test[..., np.newaxis], 256, name)
    return dataset.padded(
        _padded_size(height), _padded_size(width), options.channels_of(1, repr(name))
    )


def holds_idx_files(directory):
    """Tells whether a directory holds an image file of MNIST's kind, of training or of test."""
    return any(_candidates(directory, split) for split in _PREFIXES)


def read_idx_images(path):
    """Reads an IDX file of images, compressed if its name ends in `.gz`: uint8 [N, height, width].

    No more is decompressed than the header says, but for what shows that there is more.

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
        rule = (
            f"{path} must have {num_expected} bytes of pixels, as its header's shape {shape} says; "
            "got"
        )
        num_stored = file_size(file)
        if num_expected > num_stored * (MAX_DEFLATE_RATIO if is_compressed else 1):
            raise InputError(f"{rule} a file of {num_stored}, so it is cut off.")
        check_image_shape((*shape[1:], 1), str(path))
        check_fits_memory(num_expected, str(path))
        pixels = _read(stream, path, num_expected)
        more = _read(stream, path, _CHUNK_BYTES) if len(pixels) == num_expected else b""
    if len(pixels) < num_expected:
        raise InputError(f"{rule} {len(pixels)}, so it is cut off.")
    if more:
        at_least = "at least " if len(more) == _CHUNK_BYTES else ""
        raise InputError(f"{rule} {at_least}{num_expected + len(more)}, so it is too long.")
    return np.frombuffer(pixels, np.uint8).reshape(shape)


def _read_header(stream, path):
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


def _read(stream, path, num_bytes):
    """Reads as many bytes, or as many as there are, in parts: memory is taken for what is there."""
    content = bytearray()
    try:
        while chunk := stream.read(min(_CHUNK_BYTES, num_bytes - len(content))):
            content += chunk
    # Of gzip: not its format, a wrong checksum, a stream that is cut off or makes no sense.
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise InputError(
            f"{path} must be a readable IDX file; got {type(error).__name__}: {first_line(error)}."
        ) from error
    return content


def _candidates(directory, split):
    """The files there are that may hold the images of a split."""
    paths = [directory / (_PREFIXES[split] + suffix) for suffix in _SUFFIXES]
    return [path for path in paths if path.is_file()]


def _image_path(directory, split):
    """The file that holds the images of a split."""
    candidates = _candidates(directory, split)
    if not candidates:
        names = ", ".join(_PREFIXES[split] + suffix for suffix in _SUFFIXES)
        raise MissingInputError(
            f"`data_dir` must hold the {split} images, one of {names}; got {str(directory)!r}, "
            "which holds none of them."
        )
    return candidates[0]


def _padded_size(size):
    """The next multiple of 8, `size` itself if it is one."""
    return -(-size // _SIZE_MULTIPLE) * _SIZE_MULTIPLE
