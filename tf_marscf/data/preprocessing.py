"""Deterministic changes of image size and channel count."""

import numpy as np
import tensorflow as tf

from tf_marscf.errors import InputError


def zero_pad(image, height, width):
    """Pads an image with zeros on all sides, equally up to one pixel.

    Args:
        image: `[height_in, width_in, channels]` of any dtype, of static shape.
        height: height of the result, at least `height_in`.
        width: width of the result, at least `width_in`.

    Returns:
        `[height, width, channels]` of the dtype of `image`. Where the padding is odd, the bottom
        and the right get the pixel more.

    Raises:
        InputError: if `image` is not of static rank 3 or is larger than the result.
    """
    image = tf.convert_to_tensor(image)
    if image.shape.rank != 3 or not image.shape.is_fully_defined():
        raise InputError(
            f"`image` must have a static shape [height, width, channels]; got {image.shape}."
        )
    paddings = []
    for argument, size, size_in in zip(
        ("height", "width"), (height, width), image.shape[:2], strict=True
    ):
        if size < size_in:
            raise InputError(
                f"`{argument}` must be at least the image's {argument} {size_in}; got {size}."
            )
        before = (size - size_in) // 2
        paddings.append((before, size - size_in - before))
    return tf.pad(image, [*paddings, (0, 0)])


def repeat_channel(images, num_channels):
    """Copies the one channel of grey images.

    Bits per dimension of such copies cannot be compared with those of 1-channel images.

    Args:
        images: `[..., height, width, 1]`, a tensor or an array.
        num_channels: number of copies.

    Returns:
        `[..., height, width, num_channels]`, of the kind and dtype of `images`.

    Raises:
        InputError: if `images` does not have exactly one channel.
    """
    if images.shape[-1] != 1:
        raise InputError(f"`images` must have 1 channel to be copied; got shape {images.shape}.")
    repeat = np.repeat if isinstance(images, np.ndarray) else tf.repeat
    return repeat(images, num_channels, axis=-1)
