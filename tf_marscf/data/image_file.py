"""Decoding of single image files to what people see, or an error that names the file."""

import io
import re

import tensorflow as tf
from PIL import ExifTags, Image

from tf_marscf.data.image_dataset import MAX_IMAGE_VALUES, check_image_shape
from tf_marscf.errors import InputError
from tf_marscf.files.input_files import file_size, open_regular_file

IMAGE_SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".webp")

_FORMATS = ("PNG", "JPEG", "WEBP", "BMP")
_SIGNATURES = re.compile(rb"\x89PNG\r\n\x1a\n|\xff\xd8\xff|BM|RIFF....WEBP", re.DOTALL)
_SIGNATURE_BYTES = 12
# Not even pixels that no compression makes smaller take as much.
_MAX_FILE_BYTES = 2 * MAX_IMAGE_VALUES
# By Pillow's mode; TensorFlow applies the palettes of PNG files.
_NUM_CHANNELS = {"1": 1, "L": 1, "P": 3, "RGB": 3}
# By the mode in which BMP files hold their pixels; all others have 32 bits a pixel.
_BMP_BITS = {"1": 1, "P;1": 1, "P;4": 4, "P": 8, "L": 8, "BGR;15": 16, "BGR;16": 16, "BGR": 24}
_UPRIGHT = 1


def _transposed(image):
    return tf.transpose(image, [1, 0, 2])


# How the stored pixels become the image that people see, by EXIF's number less one.
_TURNS = (
    tf.identity,
    lambda image: image[:, ::-1],
    lambda image: image[::-1, ::-1],
    lambda image: image[::-1],
    _transposed,
    lambda image: _transposed(image)[:, ::-1],
    lambda image: _transposed(image)[::-1, ::-1],
    lambda image: _transposed(image)[::-1],
)


def decode_image(content, orientation):
    """Decodes the bytes of an image in a graph, and turns it the right way up: 1 to 8, as EXIF."""
    image = tf.cond(
        tf.io.is_jpeg(content), lambda: _decode_jpeg(content), lambda: _decode_other(content)
    )
    return tf.switch_case(orientation - 1, [lambda turn=turn: turn(image) for turn in _TURNS])


def _decode_jpeg(content):
    # TensorFlow's own choice is faster and wrong by up to 4 grey levels, by 60 in noise.
    return tf.io.decode_jpeg(content, dct_method="INTEGER_ACCURATE")


def _decode_other(content):
    return tf.io.decode_image(content, expand_animations=False)


def read_image_file(path):
    """Reads an image file and checks that it can be used as it is.

    Pillow reads the header, and TensorFlow the pixels, as it does in a graph: a JPEG file whose
    last two bytes are missing is no image to Pillow.

    Returns:
        The image the right way up, uint8 `[height, width, channels]`, of 1 channel (grey) or 3
        (red, green, blue), and the orientation that EXIF gives the stored pixels, 1 to 8.

    Raises:
        InputError: if the file is no regular file or cannot be decoded, has transparency, more than
            8 bits a channel, several frames or other colours, or is too large; the message is one
            line that names the file.
        OSError: if it cannot be read.
    """
    content = _read(path)
    try:
        header = _checked_header(path, content)
        # Not `decode_image`: to choose a branch takes longer than an image, but in a graph.
        decode = _decode_other if header.format in ("PNG", "WEBP", "BMP") else _decode_jpeg
        stored = decode(content)
    except (InputError, MemoryError):
        raise
    except Image.DecompressionBombError as error:
        raise InputError(f"{path} must be a smaller image; {error}") from error
    # Nothing is read from disk here: whatever Pillow and TensorFlow raise, the bytes are no image.
    except Exception as error:
        raise _undecodable(path, content) from error
    if tuple(stored.shape) != (*header.size[::-1], _NUM_CHANNELS[header.mode]):
        raise _undecodable(path, content)  # Two decoders do not agree on what the file shows.
    orientation = _orientation(path, header)
    return _TURNS[orientation - 1](stored).numpy(), orientation


def _read(path):
    """Reads a file that is an image by its first bytes, whatever its name."""
    with open_regular_file(path) as file:
        start = file.read(_SIGNATURE_BYTES)
        if not _SIGNATURES.match(start):
            # TensorFlow also goes by the content, and would take the first frame of a GIF file.
            raise InputError(
                f"{path} must be a PNG, JPEG, WebP or BMP image, whatever its name; got none."
            )
        if file_size(file) > _MAX_FILE_BYTES:
            raise InputError(
                f"{path} must be an image file of at most {_MAX_FILE_BYTES:,} bytes; got "
                f"{file_size(file):,}."
            )
        return start + file.read()


def _checked_header(path, content):
    """What Pillow knows of an image that TensorFlow decodes to what the file shows."""
    image = _open(content)
    _check_encoding(path, image)
    check_image_shape((*image.size, len(image.getbands())), str(path))
    num_frames = image.n_frames if image.format == "WEBP" else 1
    if image.format == "PNG":
        # TensorFlow passes over wrong checksums of some parts. This closes the image.
        image.verify()
        image = _open(content)
        num_frames = image.n_frames
        image.load()  # What EXIF says may come after the pixels.
    if image.has_transparency_data:
        bands = len(image.getbands())
        seen = f"{bands} channels" if bands in (2, 4) else "transparent colours"
        raise InputError(
            f"{path} must have 1 or 3 channels, since alpha is not supported; got {seen}."
        )
    if image.mode not in _NUM_CHANNELS:
        raise InputError(f"{path} must be grey or of RGB colours; got {image.mode}.")
    if num_frames > 1 or _is_animated_webp(content):
        frames = "frame" if num_frames == 1 else "frames"
        raise InputError(f"{path} must be one image; got an animation of {num_frames} {frames}.")
    return image


def _is_animated_webp(content):
    """Whether a WebP file is marked as an animation, with whatever number of frames.

    TensorFlow 2.21 writes beyond its buffer when it decodes an animation without alpha.
    """
    return content[8:16] == b"WEBPVP8X" and bool(content[20] & 0x02)


def image_size(path):
    """Height and width of an image file the right way up, by its header; None if it has none.

    The pixels are not decoded, so that a damaged file may have a size.
    """
    try:
        with open_regular_file(path) as file, Image.open(file, formats=_FORMATS) as image:
            # Not that of PNG files, which decodes the pixels to look for EXIF data after them.
            orientation = Image.Image.getexif(image).get(ExifTags.Base.Orientation, _UPRIGHT)
            width, height = image.size
    # Whatever Pillow and the system raise, the size is not known.
    except Exception:
        return None
    return (width, height) if orientation in range(5, 9) else (height, width)


def _check_encoding(path, image):
    """Refuses pixels stored in a way that TensorFlow decodes to something else."""
    arguments = image.tile[0][3] if image.tile else ""
    stored_mode = arguments if isinstance(arguments, str) else arguments[0]
    if image.format == "PNG" and stored_mode.endswith("16B"):
        # TensorFlow would drop the lower half of the bits.
        raise InputError(f"{path} must have 8 bits a channel; got a PNG file of 16 bits.")
    compression = image.info.get("compression")
    if image.format == "BMP" and (stored_mode not in ("BGR", "L") or compression != 0):
        # TensorFlow takes the indices of palettes for grey levels.
        raise InputError(
            f"{path} must be a BMP file of 24 bits a pixel or of 256 grey levels, not compressed; "
            f"got {_BMP_BITS.get(stored_mode, 32)} bits a pixel, compression {compression}."
        )


def _open(content):
    return Image.open(io.BytesIO(content), formats=_FORMATS)


def _orientation(path, image):
    """Which way up the stored pixels are; numbers without a meaning are passed over, as usual."""
    try:
        value = image.getexif().get(ExifTags.Base.Orientation, _UPRIGHT)
    except Exception as error:  # As above; without it one cannot know how people see the image.
        raise InputError(
            f"{path} must have EXIF data that can be read; got {type(error).__name__}."
        ) from error
    return int(value) if value in range(1, 9) else _UPRIGHT


def _undecodable(path, content):
    """The error of a file that cannot be decoded."""
    return InputError(
        f"{path} must be a whole image; got {len(content)} bytes that cannot be decoded, so it is "
        "damaged or cut off."
    )
