"""A data set of images, split for training, validation and test."""

import dataclasses
import math

import numpy as np
import tensorflow as tf

from tf_marscf.data.preprocessing import repeat_channel, zero_pad
from tf_marscf.data.validation_split import split_off_validation
from tf_marscf.errors import InputError, InputTypeError

MAX_CHANNELS = 1024
MAX_IMAGE_VALUES = 2**28
SPLITS = ("train", "validation", "test")


@dataclasses.dataclass(frozen=True)
class ImageDataset:
    """Images of one size, split for training, validation and test.

    Every split is a `tf.data.Dataset` of single images, uint8 of shape `image_shape`, in a fixed
    order and of a known number, so that arrays in memory and files on disk look the same.

    Attributes:
        train: training images.
        validation: images held out of training, or None where none are held out.
        test: images of the data set's standard test set.
        image_shape: `(height, width, channels)`, all static.
        num_grey_levels: a pixel is an integer in `[0, num_grey_levels)`; 2 to 256.
        name: name of the data set as `load_dataset` takes it.

    Raises:
        InputTypeError: if a split is no `tf.data.Dataset` of single uint8 tensors.
        InputError: if a split's images do not have `image_shape`, a split is empty or of unknown
            size, `image_shape` is not three positive sizes or out of bounds, or
            `num_grey_levels` is out of range.
    """

    train: object
    validation: object
    test: object
    image_shape: tuple
    num_grey_levels: int
    name: str

    def __post_init__(self):
        shape = tuple(self.image_shape)
        if len(shape) != 3 or not all(isinstance(size, int) and size > 0 for size in shape):
            raise InputError(
                "`image_shape` must be three positive integers (height, width, channels); got "
                f"{self.image_shape!r}."
            )
        check_image_shape(shape, "`image_shape`")
        object.__setattr__(self, "image_shape", shape)
        if not 2 <= self.num_grey_levels <= 256:
            raise InputError(
                f"`num_grey_levels` must be from 2 to 256 (uint8); got {self.num_grey_levels!r}."
            )
        for split, images in self.splits().items():
            check_images(images, split)
            if tuple(images.element_spec.shape) != shape:
                raise InputError(
                    f"`{split}` must hold images of `image_shape` {shape}; got "
                    f"{images.element_spec.shape}."
                )

    @classmethod
    def from_arrays(cls, train, validation, test, num_grey_levels, name):
        """Builds a data set from arrays in memory.

        Args:
            train: uint8 `[num_images, height, width, channels]`.
            validation: as `train`, or None.
            test: as `train`.
            num_grey_levels: a pixel is an integer in `[0, num_grey_levels)`.
            name: name of the data set.

        Returns:
            The data set.

        Raises:
            InputTypeError: if an array is not uint8.
            InputError: if an array is not of rank 4, is empty, differs in image shape, or holds
                a pixel of `num_grey_levels` or more.
        """
        arrays = dict(zip(SPLITS, (train, validation, test), strict=True))
        datasets = {"validation": None}
        for split, array in arrays.items():
            if array is not None:
                _check_array(array, split, num_grey_levels)
                datasets[split] = tf.data.Dataset.from_tensor_slices(array)
        return cls(
            **datasets,
            image_shape=tuple(map(int, train.shape[1:])),
            num_grey_levels=num_grey_levels,
            name=name,
        )

    def splits(self):
        """Returns the splits there are, by name; an absent validation split is left out."""
        splits = {name: getattr(self, name) for name in SPLITS}
        return {name: images for name, images in splits.items() if images is not None}

    def map_splits(self, function, **changes):
        """A data set whose splits are what `function` makes of these; `changes` are of fields."""
        splits = {name: function(images) for name, images in self.splits().items()}
        return dataclasses.replace(self, **splits, **changes)

    def padded(self, height, width, num_channels):
        """The data set with images zero-padded on all sides, and their one channel copied.

        A map of single images: what is stored is all that takes memory.
        """
        image_shape = (height, width, num_channels)
        if image_shape == self.image_shape:
            return self

        def to_image(image):
            image = zero_pad(image, height, width)
            return image if num_channels == image.shape[-1] else repeat_channel(image, num_channels)

        return self.map_splits(
            lambda images: images.map(
                to_image, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True
            ),
            image_shape=image_shape,
        )

    @property
    def num_train_images(self):
        """Number of training images."""
        return int(self.train.cardinality())

    @property
    def num_validation_images(self):
        """Number of validation images; 0 where none are held out."""
        return 0 if self.validation is None else int(self.validation.cardinality())

    @property
    def num_test_images(self):
        """Number of test images."""
        return int(self.test.cardinality())

    @property
    def num_dimensions(self):
        """Dimensions of an image (height x width x channels), the D of bits per dimension."""
        return math.prod(self.image_shape)


def hold_out_validation(train, options, default, source):
    """Holds the last training images out for validation; arguments as of `split_off_validation`.

    Returns:
        What is left of `train`, an array or list, and what is held out, or None where that is none.

    Raises:
        InputError: if no training image is left.
    """
    num_train, num_validation = split_off_validation(options, len(train), default, source)
    return train[:num_train], train[num_train:] if num_validation else None


def check_image_shape(shape, argument):
    """Raises an `InputError` if a shape `(height, width, channels)` is larger than any model's."""
    if shape[2] > MAX_CHANNELS or math.prod(shape) > MAX_IMAGE_VALUES:
        raise InputError(
            f"{argument} must be images of at most {MAX_CHANNELS:,} channels and "
            f"{MAX_IMAGE_VALUES:,} values; got images of shape {tuple(shape)}."
        )


def take_images(dataset, max_images):
    """An `ImageDataset` of the first `max_images` images of each split; None is all.

    Raises:
        InputError: if `max_images` is below 1.
    """
    if max_images is None:
        return dataset
    if max_images < 1:
        raise InputError(f"`max_images` must be an integer >= 1; got {max_images}.")
    return dataset.map_splits(lambda images: images.take(max_images))


def check_images(images, argument):
    """Checks that `images` is a finite data set of single uint8 images of one static shape.

    Args:
        images: the data set to check.
        argument: what to call it in an error.

    Raises:
        InputTypeError: if `images` is no `tf.data.Dataset` of single uint8 tensors.
        InputError: if the images' shape is not static and of rank 3, or their number is unknown,
            infinite or 0.
    """
    if not isinstance(images, tf.data.Dataset):
        raise InputTypeError(
            f"`{argument}` must be a tf.data.Dataset of single images; got {type(images).__name__}."
        )
    spec = images.element_spec
    if not isinstance(spec, tf.TensorSpec) or spec.dtype != tf.uint8:
        raise InputTypeError(f"`{argument}` must hold single uint8 tensors; got {spec}.")
    if spec.shape.rank != 3 or not spec.shape.is_fully_defined():
        raise InputError(
            f"`{argument}` must hold images of static shape [height, width, channels]; got "
            f"{spec.shape}."
        )
    cardinality = int(images.cardinality())
    if cardinality <= 0:
        seen = {
            tf.data.INFINITE_CARDINALITY: "an infinite number",
            tf.data.UNKNOWN_CARDINALITY: "an unknown number",
        }.get(cardinality, "none")
        raise InputError(f"`{argument}` must hold a known, positive number of images; got {seen}.")


def collect_images(images, num_images):
    """Returns the first images of a split as an array.

    Args:
        images: single uint8 images `[height, width, channels]`.
        num_images: how many to return.

    Returns:
        uint8 `[num_images, height, width, channels]`.

    Raises:
        InputError: if there are fewer than `num_images` images, or `num_images` is below 1.
    """
    check_images(images, "images")
    available = int(images.cardinality())
    if not 1 <= num_images <= available:
        raise InputError(f"`num_images` must be from 1 to {available}; got {num_images}.")
    return np.stack(list(images.take(num_images).as_numpy_iterator()))


def _check_array(array, argument, num_grey_levels):
    """Checks the images of one split, given as an array."""
    if not isinstance(array, np.ndarray) or array.dtype != np.uint8:
        seen = getattr(array, "dtype", type(array).__name__)
        raise InputTypeError(f"`{argument}` must be a uint8 array; got {seen}.")
    if array.ndim != 4 or array.size == 0:
        raise InputError(
            f"`{argument}` must be a non-empty array [num_images, height, width, channels]; got "
            f"shape {array.shape}."
        )
    if array.max() >= num_grey_levels:
        raise InputError(
            f"`{argument}` must hold pixels below `num_grey_levels` {num_grey_levels}; got "
            f"{array.max()}."
        )
