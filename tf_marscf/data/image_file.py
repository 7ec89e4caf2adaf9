"""Decoding of single image files, with an error that names the file."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tensorflow as tf

from tf_marscf.data.image_dataset import MAX_IMAGE_VALUES
from tf_marscf.data.image_header import is_image, read_image_header, undecodable
from tf_marscf.errors import InputError
from tf_marscf.files.input_files import file_size, open_regular_file

IMAGE_SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png")

_SIGNATURE_BYTES = 8
# Not even pixels that no compression makes smaller take as much.
_MAX_FILE_BYTES = 2 * MAX_IMAGE_VALUES


def _transposed(image: tf.Tensor) -> tf.Tensor:
    return tf.transpose(image, [1, 0, 2])


# How the stored pixels become the image that people see, by EXIF's number less one.
_TURNS: tuple[Callable[[tf.Tensor], tf.Tensor], ...] = (
    tf.identity,
    lambda image: image[:, ::-1],
    lambda image: image[::-1, ::-1],
    lambda image: image[::-1],
    _transposed,
    lambda image: _transposed(image)[:, ::-1],
    lambda image: _transposed(image)[::-1, ::-1],
    lambda image: _transposed(image)[::-1],
)


def decode_image(content: tf.Tensor, orientation: tf.Tensor) -> tf.Tensor:
    """Decodes the content of an image file, and turns it the right way up, in a graph.

    Args:
        content: string `[]`, a PNG, JPEG or BMP image.
        orientation: int32 `[]` from 1 to 8, as EXIF has it.

    Returns:
        uint8 `[height, width, channels]`.

    Raises:
        tf.errors.InvalidArgumentError: if it cannot be decoded.
    """
    image = tf.cond(
        tf.io.is_jpeg(content), lambda: _decode_jpeg(content), lambda: _decode_other(content)
    )
    return tf.switch_case(orientation - 1, [lambda turn=turn: turn(image) for turn in _TURNS])


def _decode_jpeg(content: tf.Tensor | bytes) -> tf.Tensor:
    # TensorFlow's own choice is faster and wrong by up to 4 grey levels, by 60 in noise.
    return tf.io.decode_jpeg(content, dct_method="INTEGER_ACCURATE")


def _decode_other(content: tf.Tensor | bytes) -> tf.Tensor:
    return tf.io.decode_image(content, expand_animations=False)


def read_image_file(path: str | os.PathLike[str]) -> tuple[np.ndarray, int]:
    """Reads an image file and checks that it can be used as it is.

    Args:
        path: a PNG, JPEG or BMP file.

    Returns:
        The image the right way up, uint8 `[height, width, channels]`, of 1 channel (grey) or 3
        (red, green, blue), and the orientation that EXIF gives the stored pixels, 1 to 8.

    Raises:
        InputError: if the file is no regular file or cannot be decoded, has transparency, more than
            8 bits a channel, several frames or other colours; the message is one line that names
            the file.
        OSError: if it cannot be read.
    """
    path = Path(path)
    content = _read(path)
    header = read_image_header(path, content)
    try:
        # Not `decode_image`: to choose a branch takes longer than an image, but in a graph.
        decode = _decode_jpeg if header.is_jpeg else _decode_other
        image = _TURNS[header.orientation - 1](decode(content)).numpy()
    except tf.errors.OpError as error:
        raise undecodable(path, content) from error
    if image.shape != header.shape:  # Two decoders do not agree on what the file shows.
        raise undecodable(path, content)
    return image, header.orientation


def _read(path: Path) -> bytes:
    """Reads a file that may be an image: of another one, no more than its start."""
    with open_regular_file(path) as file:
        start = file.read(_SIGNATURE_BYTES)
        if not is_image(start):
            return start
        if file_size(file) > _MAX_FILE_BYTES:
            raise InputError(
                f"{path} must be an image file of at most {_MAX_FILE_BYTES:,} bytes; got "
                f"{file_size(file):,}."
            )
        return start + file.read()
