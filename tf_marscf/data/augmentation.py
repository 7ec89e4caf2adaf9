"""Random changes of training images, each a pure function of the image and a seed.

Images are `[height, width, channels]` of any dtype, and seeds are integers `[2]`; equal seeds give
equal results, of the shape and dtype of the image.
"""

from types import MappingProxyType

import tensorflow as tf

from tf_marscf.errors import InputError

CIFAR_MAX_SHIFT = 3


def random_horizontal_flip(image, seed):
    """Mirrors the image from left to right with probability one half."""
    return tf.image.stateless_random_flip_left_right(image, seed)


def random_axis_shift(image, seed, max_shift):
    """Shifts the image along one axis, up or down or left or right, repeating its edge.

    The axis is vertical or horizontal with equal probability, and the shift uniform over the
    integers from `-max_shift` to `max_shift`, in pixels.

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


def cifar_augmentation(image, seed):
    """The published CIFAR-10 augmentation: a horizontal flip and a shift of up to 3 pixels."""
    flip_seed, shift_seed = tf.unstack(tf.random.split(seed, 2))
    flipped = random_horizontal_flip(image, flip_seed)
    return random_axis_shift(flipped, shift_seed, CIFAR_MAX_SHIFT)


def one_pixel_shift(image, seed):
    """A shift of up to one pixel along one axis: for small images that have a right way round."""
    return random_axis_shift(image, seed, 1)


AUGMENTATIONS = MappingProxyType(
    {
        "none": lambda image, seed: image,
        "horizontal_flip": random_horizontal_flip,
        "cifar": cifar_augmentation,
        "one_pixel_shift": one_pixel_shift,
    }
)


def check_augmentation(augmentation):
    """Raises an InputError if `augmentation` is no key of `AUGMENTATIONS`."""
    if not isinstance(augmentation, str) or augmentation not in AUGMENTATIONS:
        raise InputError(
            f"`augmentation` must be one of {sorted(AUGMENTATIONS)}; got {augmentation!r}."
        )


def augment_image(image, seed, augmentation):
    """Applies an augmentation chosen by name; one not in `AUGMENTATIONS` is an `InputError`."""
    check_augmentation(augmentation)
    return tf.ensure_shape(AUGMENTATIONS[augmentation](image, seed), image.shape)


def _shift(image, shift, axis):
    """Moves the content by `shift` pixels towards higher indices, repeating the edge."""
    size = tf.shape(image)[axis]
    source = tf.clip_by_value(tf.range(size) - shift, 0, size - 1)
    return tf.gather(image, source, axis=axis)
