"""How many training images are held out for validation."""

from tf_marscf.errors import InputError

MAX_DEFAULT_NUM_VALIDATION_IMAGES = 5_000


def default_num_validation_images(num_development):
    """The number held out of a training set of any size: a tenth, but not above 5,000.

    Args:
        num_development: images that training and validation share.

    Returns:
        At least 1 where there are two images or more; 0 of a single one.
    """
    if num_development < 2:
        return 0
    return max(1, min(MAX_DEFAULT_NUM_VALIDATION_IMAGES, num_development // 10))


def split_off_validation(config, num_development, default, source):
    """Shares images out between training and validation.

    Args:
        config: a `DataConfig`: `num_validation_images` are held out, `default` where it is None.
        num_development: images that training and validation share.
        default: number of the data set's own.
        source: what an error calls the data set, with quotes where it is a name.

    Returns:
        The number of training images, at least 1, and of validation images.

    Raises:
        InputError: if no training image is left.
    """
    num_validation = config.num_validation_images
    if num_validation is None:
        num_validation = default
    if num_validation >= num_development:
        raise InputError(
            f"`num_validation_images` must be below the {num_development} images that are not in "
            f"the test set of {source}; got {num_validation}."
        )
    return num_development - num_validation, num_validation
