"""Decoding of single image files, with an error that names the file."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import tensorflow as tf

from tf_marscf.errors import InputError

IMAGE_SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png")

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_JPEG_SIGNATURE = b"\xff\xd8\xff"
_BMP_SIGNATURE = b"BM"
_PNG_BIT_DEPTH_OFFSET = 24
_BMP_HEADER_SIZE = 54


def decode_image(content: tf.Tensor | bytes) -> tf.Tensor:
    """Decodes the content of an image file.

    Args:
        content: string `[]`, a PNG, JPEG or BMP image.

    Returns:
        uint8 `[height, width, channels]`.

    Raises:
        tf.errors.InvalidArgumentError: if it cannot be decoded.
    """
    return tf.io.decode_image(content, expand_animations=False)


def read_image_file(path: str | os.PathLike[str]) -> np.ndarray:
    """Reads an image file and checks that it can be used as it is.

    Args:
        path: a PNG, JPEG or BMP file.

    Returns:
        uint8 `[height, width, channels]`, of 1 channel (grey) or 3 (red, green, blue).

    Raises:
        ValueError: if the file cannot be read or decoded, has more than 8 bits a channel or an
            alpha channel; the message is one line that names the file.
    """
    path = Path(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} must be a readable file; got {error.strerror}.") from error
    _check_encoding(path, content)
    try:
        image = decode_image(content).numpy()
    except tf.errors.OpError as error:
        raise InputError(
            f"{path} must be a whole image; got {len(content)} bytes that cannot be decoded, so "
            "it is damaged or cut off."
        ) from error
    num_channels = image.shape[-1]
    if num_channels in (2, 4):
        raise InputError(
            f"{path} must have 1 or 3 channels, since alpha is not supported; got {num_channels} "
            "channels."
        )
    return image


def _check_encoding(path: Path, content: bytes) -> None:
    """Refuses what TensorFlow decodes to something else than the file shows."""
    if content.startswith(_PNG_SIGNATURE):
        # TensorFlow would drop the lower half of the bits.
        if content[_PNG_BIT_DEPTH_OFFSET : _PNG_BIT_DEPTH_OFFSET + 1] == b"\x10":
            raise InputError(f"{path} must have 8 bits a channel; got a PNG file of 16 bits.")
    elif content.startswith(_BMP_SIGNATURE):
        _check_bmp(path, content)
    elif not content.startswith(_JPEG_SIGNATURE):
        # TensorFlow goes by the content too, and would take the first frame of a GIF file.
        raise InputError(f"{path} must be a PNG, JPEG or BMP image, whatever its name; got none.")


def _check_bmp(path: Path, content: bytes) -> None:
    """Refuses compression and palettes of colours: TensorFlow takes the indices for grey levels."""
    if len(content) < _BMP_HEADER_SIZE:
        return  # It cannot be decoded either.
    info_size = int.from_bytes(content[14:18], "little")
    bits_per_pixel = int.from_bytes(content[28:30], "little")
    compression = int.from_bytes(content[30:34], "little")
    palette = content[14 + info_size : int.from_bytes(content[10:14], "little")]
    is_grey = palette[0::4] == palette[1::4] == palette[2::4] == bytes(range(256))
    is_plain = bits_per_pixel == 24 or (bits_per_pixel == 8 and is_grey)
    if compression != 0 or not is_plain:
        raise InputError(
            f"{path} must be a BMP file of 24 bits a pixel or of 256 grey levels, not compressed; "
            f"got {bits_per_pixel} bits a pixel, compression {compression}."
        )
