"""Which images of a split are interpolated, and which score them."""

import numpy as np
import tensorflow as tf

from tf_marscf.errors import InputError
from tf_marscf.quality.kernel_distance import MIN_BLOCK_SIZE

_MAX_IMAGES_BESIDE = 1000


def random_pairs(num_pairs, num_images, seed):
    """Draws pairs of numbers of images, all different; the same seed gives the same pairs.

    `InputError` if there are too few images.
    """
    if not 1 <= num_pairs <= num_images // 2:
        raise InputError(
            f"`num_pairs` must be from 1 to {num_images // 2}, as the split has {num_images} "
            f"images; got {num_pairs}."
        )
    indices = np.random.default_rng(seed).choice(num_images, 2 * num_pairs, replace=False)
    return [tuple(pair) for pair in indices.reshape(-1, 2).tolist()]


def images_of_pairs(images, pairs):
    """Reads the images of pairs, uint8 [num_pairs, 2, H, W, C], from a `tf.data.Dataset` of images.

    `InputError` if there are no pairs, a number is out of range or a pair has one image twice.
    """
    num_images = int(images.cardinality())
    if not pairs:
        raise InputError("`pairs` must hold at least one pair; got none.")
    for first, second in pairs:
        if first == second or not all(0 <= index < num_images for index in (first, second)):
            raise InputError(
                f"`pairs` must be two different images from 0 to {num_images - 1} each; got "
                f"{first}:{second}."
            )
    indices = {index for pair in pairs for index in pair}
    needed = images.enumerate().take(max(indices) + 1)
    found = {int(index): image.numpy() for index, image in needed if int(index) in indices}
    return np.stack([[found[index] for index in pair] for pair in pairs])


def images_beside(images, pairs):
    """The first other images, at most 1,000, uint8 [N, H, W, C]; `InputError` if there is one."""
    used = sorted({index for pair in pairs for index in pair})
    num_left = int(images.cardinality()) - len(used)
    if num_left < MIN_BLOCK_SIZE:
        raise InputError(
            f"`lambda_curve` must be empty where fewer than {MIN_BLOCK_SIZE} images are left "
            f"beside those of the pairs, since they score the curve; {num_left} are left."
        )
    used = tf.constant(used, tf.int64)
    left = images.enumerate().filter(lambda index, _: tf.reduce_all(index != used))
    return np.stack([image.numpy() for _, image in left.take(_MAX_IMAGES_BESIDE)])
