"""Tests of augmentation."""

import numpy as np
import pytest
import tensorflow as tf

from tf_marscf.data.augmentation import (
    AUGMENTATIONS,
    augment_image,
    random_axis_shift,
    random_horizontal_flip,
)

SEEDS = [(5, index) for index in range(200)]


@pytest.fixture(name="image")
def fixture_image():
    return np.random.RandomState(0).randint(0, 256, (8, 10, 3)).astype(np.uint8)


def edge_shifted(image, rows, columns):
    """Moves an image down and right by padding with its edge and cropping."""
    height, width, _ = image.shape
    padded = np.pad(image, ((9, 9), (9, 9), (0, 0)), mode="edge")
    return padded[9 - rows : 9 - rows + height, 9 - columns : 9 - columns + width]


def test_flip_happens_about_half_the_time(image):
    flipped = [random_horizontal_flip(image, seed).numpy() for seed in SEEDS]
    num_flips = sum(np.array_equal(result, image[:, ::-1]) for result in flipped)
    assert num_flips + sum(np.array_equal(result, image) for result in flipped) == len(SEEDS)
    assert 70 <= num_flips <= 130


def test_shift_reaches_exactly_the_shifts_along_one_axis(image):
    expected = {(rows, 0): edge_shifted(image, rows, 0) for rows in range(-3, 4)}
    expected |= {(0, columns): edge_shifted(image, 0, columns) for columns in range(-3, 4)}
    counts = dict.fromkeys(expected, 0)
    for seed in SEEDS:
        result = random_axis_shift(image, seed, max_shift=3).numpy()
        matches = [key for key, value in expected.items() if np.array_equal(value, result)]
        assert len(matches) == 1
        counts[matches[0]] += 1
    assert all(counts.values())
    # No shift is possible along both axes: 1 / 7 of the seeds, not 1 / 13.
    assert 12 <= counts[0, 0] <= 48


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_augmentation_depends_on_nothing_but_its_seed(image, name):
    results = [augment_image(image, (1, 2), name).numpy() for _ in range(2)]
    tf.random.set_seed(17)
    results.append(tf.function(augment_image)(image, (1, 2), name).numpy())
    for result in results:
        assert result.dtype == np.uint8
        np.testing.assert_array_equal(result, results[0])


def test_cifar_augmentation_both_flips_and_shifts(image):
    results = [augment_image(image, seed, "cifar").numpy() for seed in SEEDS]
    assert len({result.tobytes() for result in results}) == 26


def test_one_pixel_shift_reaches_four_neighbours_and_no_others(image):
    results = [augment_image(image, seed, "one_pixel_shift").numpy() for seed in SEEDS]
    steps = [(0, 0), (1, 0), (-1, 0), (0, 1), (0, -1)]
    expected = {edge_shifted(image, *step).tobytes() for step in steps}
    assert {result.tobytes() for result in results} == expected


def test_unknown_augmentation_is_refused(image):
    with pytest.raises(ValueError, match="'horizontal_flip', 'none', 'one_pixel.*got 'flip'"):
        augment_image(image, (0, 0), "flip")


def test_negative_shift_is_refused(image):
    with pytest.raises(ValueError, match="`max_shift` must be at least 0; got -1"):
        random_axis_shift(image, (0, 0), -1)
