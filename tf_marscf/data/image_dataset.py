"""A data set of images, split for training, validation and test."""

import dataclasses
import math

import numpy as np
import tensorflow as tf

from tf_marscf.errors import InputError, InputTypeError
from tf_marscf.files.input_files import shortened

MAX_CHANNELS = 1024
MAX_IMAGE_VALUES = 2**28
SPLITS = ("train", "validation", "test")
# 28 becomes 32, as MNIST is usually padded; a multiple of 8 halves three times.
_SIZE_MULTIPLE = 8


@dataclasses.dataclass(frozen=True)
class ImageDataset:
    """Images of one size, split for training, validation and test.

    Every split is a `tf.data.Dataset` of single images, uint8 of one static shape, in a fixed
    order and of a known number, so that arrays in memory and files on disk look the same.

    Attributes:
        train: training images.
        validation: images held out of training, or None where none are held out.
        test: images of the data set's standard test set.
        num_grey_levels: a pixel is an integer in `[0, num_grey_levels)`; 2 to 256.
        name: name of the data set as `load_dataset` takes it.
        read_labels: function of a split's name, integers [num_images], the classes of all images
            that the split was loaded with, in their order; or None. It is called when labels are
            needed, and raises an `InputError` that says where they were looked for.
        classes: the `ClassFolders` that the labels are of, or None where classes have no names.
        notes: lines of text: what was found where the images are, and what became of it.

    Raises:
        InputTypeError: if a split is no `tf.data.Dataset` of single uint8 tensors.
        InputError: if images are larger than any model's or not all of one static shape, a split is
            empty or of unknown size, or `num_grey_levels` is out of range.
    """

    train: object
    validation: object
    test: object
    num_grey_levels: int
    name: str
    read_labels: object = None
    classes: object = None
    notes: tuple = ()

    def __post_init__(self):
        if not 2 <= self.num_grey_levels <= 256:
            raise InputError(
                f"`num_grey_levels` must be from 2 to 256 (uint8); got {self.num_grey_levels!r}."
            )
        for split, images in self.splits().items():
            check_images(images, split)
            _check_equal_shapes(f"`{split}`", tuple(images.element_spec.shape), self.image_shape)
        check_image_shape(self.image_shape, "`train`")

    @classmethod
    def from_arrays(
        cls, train, validation, test, num_grey_levels, name, file=None, read_labels=None
    ):
        """Builds a data set from arrays, uint8 `[num_images, height, width, channels]`.

        Args:
            train: training images.
            validation: images held out of training, or None.
            test: test images.
            num_grey_levels: a pixel is an integer in `[0, num_grey_levels)`.
            name: name of the data set.
            file: the file that holds the arrays, if errors shall name it.
            read_labels: as of the class.

        Raises:
            InputTypeError, InputError: as `check_image_array`; or if arrays differ in image shape,
                or hold a pixel of `num_grey_levels` or more.
        """
        splits = {"train": train, "validation": validation, "test": test}
        for split, array in splits.items():
            if array is not None:
                argument = f"`{split}`" if file is None else f"`{split}` of {file}"
                check_image_array(argument, array.shape, array.dtype)
                _check_equal_shapes(argument, array.shape[1:], train.shape[1:])
                if array.max() >= num_grey_levels:
                    raise InputError(
                        f"{argument} must hold pixels below `num_grey_levels` {num_grey_levels}; "
                        f"got {array.max()}."
                    )
                splits[split] = tf.data.Dataset.from_tensor_slices(array)
        return cls(**splits, num_grey_levels=num_grey_levels, name=name, read_labels=read_labels)

    def splits(self):
        """Returns the splits there are, by name; an absent validation split is left out."""
        splits = {name: getattr(self, name) for name in SPLITS}
        return {name: images for name, images in splits.items() if images is not None}

    def labels(self, split, num_classes):
        """The classes of a split's images, int64 [num_images].

        Raises:
            InputError: if the data set has none, or not one an image, or one is not below
                `num_classes`.
            InputTypeError: if they are no integers.
        """
        rule = f"labels of the {split} images of {self.name} must be"
        if self.read_labels is None:
            raise InputError(
                f"`dataset` must have labels, for a model with classes (num_classes={num_classes});"
                f" {self.name} has none."
            )
        labels = np.asarray(self.read_labels(split))
        if labels.dtype.kind not in "iu":
            raise InputTypeError(f"{rule} integers; got {shortened(str(labels.dtype))}.")
        num_images = int(self.splits()[split].cardinality())
        if labels.ndim != 1 or len(labels) < num_images:
            raise InputError(f"{rule} one an image, {num_images}; got shape {labels.shape}.")
        wrong = labels[(labels < 0) | (labels >= num_classes)]
        if wrong.size:
            raise InputError(
                f"{rule} from 0 to {num_classes - 1} (num_classes={num_classes}); got {wrong[0]}."
            )
        return labels[:num_images].astype(np.int64)

    def examples(self, split, num_classes=None):
        """What a model sees of a split: images or, if it has classes, pairs (image, label).

        Errors are those of `labels`.
        """
        images = self.splits()[split]
        if num_classes is None:
            return images
        labels = tf.data.Dataset.from_tensor_slices(self.labels(split, num_classes))
        return tf.data.Dataset.zip(images, labels)

    def map_splits(self, function):
        """A data set whose splits are what `function` makes of these."""
        splits = {name: function(images) for name, images in self.splits().items()}
        return dataclasses.replace(self, **splits)

    def padded(self):
        """The images zero-padded on all sides, equally up to one pixel, to multiples of 8."""
        sizes = self.image_shape[:2]
        height, width = (-(-size // _SIZE_MULTIPLE) * _SIZE_MULTIPLE for size in sizes)
        if (height, width) == sizes:
            return self
        return self._map_images(
            lambda image: tf.image.resize_with_crop_or_pad(image, height, width)
        )

    def with_channels(self, num_channels):
        """The images with their one channel copied, unless they have `num_channels`, 3, already.

        Bits per dimension of copies cannot be compared with those of 1-channel images.
        """
        if num_channels == self.image_shape[2]:
            return self
        return self._map_images(tf.image.grayscale_to_rgb)

    def with_grey_levels(self, num_grey_levels):
        """The images with fewer grey levels, each of which holds as many of those stored.

            k -> floor(k num_grey_levels / n)        of n stored ones, a multiple of the new number

        Of 256 levels, 32 keep the highest 5 bits, k >> 3, as Glow's 5-bit images do (Kingma and
        Dhariwal 2018, Section 6). Bits per dimension of images with other numbers of grey levels
        cannot be compared.
        """
        if num_grey_levels == self.num_grey_levels:
            return self
        width = self.num_grey_levels // num_grey_levels
        return dataclasses.replace(
            self._map_images(lambda image: image // width), num_grey_levels=num_grey_levels
        )

    def _map_images(self, function):
        """A map of single images: what is stored is all that takes memory."""
        return self.map_splits(
            lambda images: images.map(
                function, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True
            )
        )

    @property
    def image_shape(self):
        """`(height, width, channels)`."""
        return tuple(self.train.element_spec.shape)

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


def check_image_shape(shape, argument):
    """Raises an `InputError` if a shape `(height, width, channels)` is larger than any model's."""
    if shape[2] > MAX_CHANNELS or math.prod(shape) > MAX_IMAGE_VALUES:
        raise InputError(
            f"{argument} must be images of at most {MAX_CHANNELS:,} channels and "
            f"{MAX_IMAGE_VALUES:,} values; got images of shape {tuple(shape)}."
        )


def check_image_array(argument, shape, dtype):
    """Checks shape and dtype of an array of images, which need not have been read yet.

    Raises:
        InputTypeError: if the dtype is not uint8.
        InputError: if the shape is not `[num_images, height, width, channels]`, all of them at
            least 1, of images that a model can have.
    """
    if dtype != np.uint8:
        raise InputTypeError(
            f"{argument} must be a uint8 array; got {shortened(str(dtype))} of shape {shape}."
        )
    if len(shape) != 4:
        hint = ", with a channel axis also for grey images" if len(shape) == 3 else ""
        raise InputError(
            f"{argument} must have shape [num_images, height, width, channels]{hint}; got shape "
            f"{shape}."
        )
    if 0 in shape:
        raise InputError(f"{argument} must hold at least one image and pixel; got shape {shape}.")
    check_image_shape(shape[1:], argument)


def _check_equal_shapes(argument, shape, train_shape):
    """Checks that images have the shape of the training images."""
    if shape != train_shape:
        raise InputError(
            f"{argument} must hold images of the shape of `train`, {train_shape}; got {shape}."
        )


def check_images(images, argument):
    """Checks that `images` is a finite data set of single uint8 images of one static shape.

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


def without_labels(examples):
    """The images of a data set of images, or of pairs (image, label), labels being int64."""
    spec = getattr(examples, "element_spec", None)
    if isinstance(spec, tuple) and spec[1:] == (tf.TensorSpec([], tf.int64),):
        return examples.map(lambda image, label: image)
    return examples


def collect_images(images, num_images):
    """The first images of a split as an array, uint8 `[num_images, height, width, channels]`.

    Raises:
        InputError: if there are fewer than `num_images` images, or `num_images` is below 1.
    """
    check_images(images, "images")
    available = int(images.cardinality())
    if not 1 <= num_images <= available:
        raise InputError(f"`num_images` must be from 1 to {available}; got {num_images}.")
    return np.stack(list(images.take(num_images).as_numpy_iterator()))
