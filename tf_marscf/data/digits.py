"""The handwritten digits that scikit-learn brings along: small, and never downloaded."""

import numpy as np

from tf_marscf.data.image_dataset import ImageDataset
from tf_marscf.errors import InputError

NUM_GREY_LEVELS = 17
NUM_TEST_IMAGES = 300
DEFAULT_NUM_VALIDATION_IMAGES = 200
_PERMUTATION_SEED = 0


def load_digits(config):
    """Loads scikit-learn's embedded digits: 1797 images [8, 8, 1] of 17 grey levels.

    The images are permuted once, always in the same way: the last 300 are the test set, those
    before them (200 by default) the validation set, the rest (1297) the training set. Labels
    are the digits, 0 to 9.
    """
    from sklearn import datasets

    if config.data_dir is not None:
        raise InputError(
            "`data_dir` must be None for dataset 'digits', which is embedded; got "
            f"{config.data_dir!r}."
        )
    # The values are whole numbers stored as float64.
    digits = datasets.load_digits()
    images = digits.images.astype(np.uint8)[..., np.newaxis]
    # NumPy freezes the streams of RandomState; those of Generator may change with a release.
    order = np.random.RandomState(_PERMUTATION_SEED).permutation(len(images))

    images, labels = images[order], digits.target[order]
    train, validation = config.hold_out(images[:-NUM_TEST_IMAGES], DEFAULT_NUM_VALIDATION_IMAGES)
    test = images[-NUM_TEST_IMAGES:]
    stored = {"train": labels[:-NUM_TEST_IMAGES], "test": labels[-NUM_TEST_IMAGES:]}

    def read_labels(split):
        return config.labels_of(split, stored.__getitem__, DEFAULT_NUM_VALIDATION_IMAGES)

    return ImageDataset.from_arrays(
        train, validation, test, NUM_GREY_LEVELS, config.name, read_labels=read_labels
    )
