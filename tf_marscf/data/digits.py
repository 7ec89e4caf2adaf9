"""The handwritten digits that scikit-learn brings along: small, and never downloaded."""

from __future__ import annotations

import numpy as np

from tf_marscf.data.data_config import DataConfig
from tf_marscf.data.image_dataset import ImageDataset
from tf_marscf.data.preprocessing import repeat_channel
from tf_marscf.data.validation_split import split_off_validation

NUM_GREY_LEVELS = 17
NUM_TEST_IMAGES = 300
DEFAULT_NUM_VALIDATION_IMAGES = 200
_PERMUTATION_SEED = 0


def load_digits(options: DataConfig | None = None) -> ImageDataset:
    """Loads scikit-learn's embedded digits: 1797 images of 8 x 8 pixels, 17 grey levels.

    The images are permuted once, always in the same way: the last 300 are the test set, those
    before them (200 by default) the validation set, the rest (1297) the training set. `download`
    has no say, since the images come with scikit-learn.

    Args:
        options: how to load them; None is `DataConfig(name=name)`.

    Returns:
        The data set, of shape `[8, 8, 1]`, or `[8, 8, 3]` where `options.num_channels` is 3.

    Raises:
        InputError: if `options.data_dir` is given, or `options.num_validation_images` leaves no
            training image.
    """
    from sklearn import datasets

    options = DataConfig(name="digits") if options is None else options
    options.check_no_data_dir("digits")
    # The values are whole numbers stored as float64.
    images = datasets.load_digits().images.astype(np.uint8)[..., np.newaxis]
    if options.num_channels == 3:
        images = repeat_channel(images, 3)
    # NumPy freezes the streams of RandomState; those of Generator may change with a release.
    images = images[np.random.RandomState(_PERMUTATION_SEED).permutation(len(images))]
    num_development = len(images) - NUM_TEST_IMAGES
    num_train, num_validation = split_off_validation(
        options, num_development, DEFAULT_NUM_VALIDATION_IMAGES, "'digits'"
    )
    return ImageDataset.from_arrays(
        train=images[:num_train],
        validation=images[num_train:num_development] if num_validation else None,
        test=images[num_development:],
        num_grey_levels=NUM_GREY_LEVELS,
        name="digits",
    )
