"""What an image file says of itself, and whether TensorFlow decodes it to what people see."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import ExifTags, Image

from tf_marscf.data.image_dataset import check_image_shape
from tf_marscf.errors import InputError

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_JPEG_SIGNATURE = b"\xff\xd8\xff"
_BMP_SIGNATURE = b"BM"
_PNG_BIT_DEPTH_OFFSET = 24
_BMP_HEADER_SIZE = 54
# By Pillow's mode; TensorFlow applies the palettes of PNG files.
_NUM_CHANNELS = {"1": 1, "L": 1, "P": 3, "RGB": 3}
_UPRIGHT = 1


@dataclasses.dataclass(frozen=True)
class ImageHeader:
    """What is known of an image before its pixels are decoded.

    Attributes:
        shape: `(height, width, channels)` of the image the right way up.
        orientation: what EXIF calls so, 1 to 8: how the stored pixels are turned or mirrored.
        is_jpeg: whether it is a JPEG file.
    """

    shape: tuple[int, int, int]
    orientation: int
    is_jpeg: bool


def read_image_header(path: Path, content: bytes) -> ImageHeader:
    """Reads the header of an image, and refuses what would be decoded to something else.

    Args:
        path: what to call the image in an error.
        content: the bytes of a PNG, JPEG or BMP file.

    Returns:
        The header.

    Raises:
        InputError: if it is none of these, a checksum is wrong, it has transparency, more than 8
            bits a channel, more than one frame, other colours than grey or red, green and blue, or
            is too large.
    """
    _check_encoding(path, content)
    image = _call(path, content, _open, content)
    check_image_shape((*image.size, len(image.getbands())), str(path))
    num_frames = 1
    if image.format == "PNG":
        # TensorFlow passes over wrong checksums of some parts. This closes the image.
        _call(path, content, image.verify)
        image = _call(path, content, _open, content)
        num_frames = image.n_frames
        _call(path, content, image.load)  # What EXIF says may be behind the pixels.
    if image.has_transparency_data:
        bands = len(image.getbands())
        seen = f"{bands} channels" if bands in (2, 4) else "transparent colours"
        raise InputError(
            f"{path} must have 1 or 3 channels, since alpha is not supported; got {seen}."
        )
    if image.mode not in _NUM_CHANNELS:
        raise InputError(f"{path} must be grey or of RGB colours; got {image.mode}.")
    if num_frames > 1:
        raise InputError(f"{path} must be one image; got an animation of {num_frames} frames.")
    orientation = _orientation(path, image)
    width, height = image.size if orientation < 5 else image.size[::-1]
    return ImageHeader(
        shape=(height, width, _NUM_CHANNELS[image.mode]),
        orientation=orientation,
        is_jpeg=content.startswith(_JPEG_SIGNATURE),
    )


def undecodable(path: Path, content: bytes) -> InputError:
    """The error of a file that cannot be decoded."""
    return InputError(
        f"{path} must be a whole image; got {len(content)} bytes that cannot be decoded, so it is "
        "damaged or cut off."
    )


def is_image(start: bytes) -> bool:
    """Tells by its first bytes whether a file is one of the formats that are read."""
    return start.startswith((_PNG_SIGNATURE, _JPEG_SIGNATURE, _BMP_SIGNATURE))


def _call(path: Path, content: bytes, function: Callable, *arguments: object) -> Any:
    """Calls what reads the bytes of an image: its errors are those of the file."""
    try:
        return function(*arguments)
    except Image.DecompressionBombError as error:
        raise InputError(f"{path} must be a smaller image; {error}") from error
    # Nothing is read from disk here: whatever Pillow raises, the bytes are no image to it.
    except Exception as error:
        raise undecodable(path, content) from error


def _open(content: bytes) -> Image.Image:
    return Image.open(io.BytesIO(content), formats=("PNG", "JPEG", "BMP"))


def _orientation(path: Path, image: Image.Image) -> int:
    """Which way up the stored pixels are; numbers without a meaning are passed over, as usual."""
    try:
        value = image.getexif().get(ExifTags.Base.Orientation, _UPRIGHT)
    except Exception as error:  # As above; without it one cannot know how people see the image.
        raise InputError(
            f"{path} must have EXIF data that can be read; got {type(error).__name__}."
        ) from error
    return int(value) if value in range(1, 9) else _UPRIGHT


def _check_encoding(path: Path, content: bytes) -> None:
    """Refuses what TensorFlow decodes to something else than the file shows."""
    if not is_image(content):
        # TensorFlow also goes by the content, and would take the first frame of a GIF file.
        raise InputError(f"{path} must be a PNG, JPEG or BMP image, whatever its name; got none.")
    if content.startswith(_BMP_SIGNATURE):
        _check_bmp(path, content)
    # TensorFlow would drop the lower half of the bits.
    is_png = content.startswith(_PNG_SIGNATURE)
    if is_png and content[_PNG_BIT_DEPTH_OFFSET : _PNG_BIT_DEPTH_OFFSET + 1] == b"\x10":
        raise InputError(f"{path} must have 8 bits a channel; got a PNG file of 16 bits.")


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
