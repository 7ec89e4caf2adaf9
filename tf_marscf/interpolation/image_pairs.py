"""Which images of a split are interpolated."""

import numpy as np

from tf_marscf.errors import InputError


def parse_pairs(texts):
    """Pairs of numbers of images, from texts such as ["3:7", "12:40"]; else `InputError`."""
    pairs = []
    for text in texts:
        numbers = text.strip().split(":")
        if len(numbers) != 2 or not all(number.isdecimal() for number in numbers):
            raise InputError(
                "`pairs` must be numbers of images such as 3:7,12:40, counted from 0; "
                f"got {text!r}."
            )
        pairs.append((int(numbers[0]), int(numbers[1])))
    return pairs


def random_pairs(num_pairs, num_images, seed):
    """Draws pairs of numbers of images, all different; the same seed gives the same pairs.

    Raises:
        InputError: if there are too few images.
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

    Raises:
        InputError: if there are no pairs, a number is out of range or a pair has one image twice.
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
