"""The handwritten digits that scikit-learn brings along: small, and never downloaded."""

import numpy as np

from tf_marscf.data.image_dataset import ImageDataset, hold_out_validation

NUM_GREY_LEVELS = 17
NUM_TEST_IMAGES = 300
DEFAULT_NUM_VALIDATION_IMAGES = 200
_PERMUTATION_SEED = 0


def load_digits(options):
    """Loads scikit-learn's embedded digits: 1797 images of 8 x 8 pixels, 17 grey levels.

    The images are permuted once, always in the same way: the last 300 are the test set, those
    before them (200 by default) the validation set, the rest (1297) the training set. `download`
    has no say, since the images come with scikit-learn.

    The shape is `[8, 8, 1]`, or `[8, 8, 3]` where `options.num_channels` is 3. It returns and
    raises what `load_dataset` does.
    """
    from sklearn import datasets

    options.check_no_data_dir("digits")
    # The values are whole numbers stored as float64.
    images = datasets.load_digits().images.astype(np.uint8)[..., np.newaxis]
    # NumPy freezes the streams of RandomState; those of Generator may change with a release.
    images = images[np.random.RandomState(_PERMUTATION_SEED).permutation(len(images))]
    train, validation = hold_out_validation(
        images[:-NUM_TEST_IMAGES], options, DEFAULT_NUM_VALIDATION_IMAGES, "'digits'"
    )
    dataset = ImageDataset.from_arrays(
        train, validation, images[-NUM_TEST_IMAGES:], NUM_GREY_LEVELS, "digits"
    )
    return dataset.padded(8, 8, options.channels_of(1, "'digits'"))
