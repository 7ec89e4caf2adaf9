"""Random changes of training images, each a pure function of the image and a seed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import tensorflow as tf

from tf_marscf.errors import InputError

CIFAR_MAX_SHIFT = 3


def keep_unchanged(image: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Returns `image` as it is.

    Args:
        image: `[height, width, channels]`.
        seed: integer `[2]`, unused.

    Returns:
        `image`.
    """
    del seed
    return image


def random_horizontal_flip(image: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Mirrors the image from left to right with probability one half.

    Args:
        image: `[height, width, channels]` of any dtype.
        seed: integer `[2]`; equal seeds give equal results.

    Returns:
        Of the shape and dtype of `image`.
    """
    return tf.image.stateless_random_flip_left_right(image, seed)


def random_axis_shift(image: tf.Tensor, seed: tf.Tensor, max_shift: int) -> tf.Tensor:
    """Shifts the image along one axis, up or down or left or right, repeating its edge.

    The axis is vertical or horizontal with equal probability, and the shift uniform over the
    integers from `-max_shift` to `max_shift`.

    Args:
        image: `[height, width, channels]` of any dtype.
        seed: integer `[2]`; equal seeds give equal results.
        max_shift: largest shift in pixels, at least 0.

    Returns:
        Of the shape and dtype of `image`.

    Raises:
        InputError: if `max_shift` is negative.
    """
    if max_shift < 0:
        raise InputError(f"`max_shift` must be at least 0; got {max_shift}.")
    axis_seed, shift_seed = tf.unstack(tf.random.split(seed, 2))
    is_vertical = tf.random.stateless_uniform([], axis_seed) < 0.5
    shift = tf.random.stateless_uniform(
        [], shift_seed, minval=-max_shift, maxval=max_shift + 1, dtype=tf.int32
    )
    shifted = _shift(image, tf.where(is_vertical, shift, 0), axis=0)
    return _shift(shifted, tf.where(is_vertical, 0, shift), axis=1)


def cifar_augmentation(image: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """The published CIFAR-10 augmentation: a horizontal flip and a shift of up to 3 pixels.

    Args:
        image: `[height, width, channels]` of any dtype.
        seed: integer `[2]`; equal seeds give equal results.

    Returns:
        Of the shape and dtype of `image`.
    """
    flip_seed, shift_seed = tf.unstack(tf.random.split(seed, 2))
    flipped = random_horizontal_flip(image, flip_seed)
    return random_axis_shift(flipped, shift_seed, CIFAR_MAX_SHIFT)


AUGMENTATIONS: Mapping[str, Callable[[tf.Tensor, tf.Tensor], tf.Tensor]] = MappingProxyType(
    {
        "none": keep_unchanged,
        "horizontal_flip": random_horizontal_flip,
        "cifar": cifar_augmentation,
    }
)


def check_augmentation(augmentation: str) -> None:
    """Checks the name of an augmentation.

    Args:
        augmentation: a key of `AUGMENTATIONS`.

    Raises:
        InputError: if it is none.
    """
    if not isinstance(augmentation, str) or augmentation not in AUGMENTATIONS:
        raise InputError(
            f"`augmentation` must be one of {sorted(AUGMENTATIONS)}; got {augmentation!r}."
        )


def augment_image(image: tf.Tensor, seed: tf.Tensor, augmentation: str) -> tf.Tensor:
    """Applies an augmentation chosen by name.

    Args:
        image: `[height, width, channels]` of any dtype.
        seed: integer `[2]`; equal seeds give equal results.
        augmentation: a key of `AUGMENTATIONS`.

    Returns:
        Of the shape and dtype of `image`.

    Raises:
        InputError: if `augmentation` is unknown.
    """
    check_augmentation(augmentation)
    return tf.ensure_shape(AUGMENTATIONS[augmentation](image, seed), image.shape)


def _shift(image: tf.Tensor, shift: tf.Tensor, axis: int) -> tf.Tensor:
    """Moves the content by `shift` pixels towards higher indices, repeating the edge."""
    size = tf.shape(image)[axis]
    source = tf.clip_by_value(tf.range(size) - shift, 0, size - 1)
    return tf.gather(image, source, axis=axis)
