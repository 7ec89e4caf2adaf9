"""A directory of image files."""

from __future__ import annotations

import hashlib
import math
import os
from collections import Counter
from pathlib import Path, PurePosixPath

import numpy as np
import tensorflow as tf

from tf_marscf.data.data_config import DataConfig
from tf_marscf.data.data_directory import existing_directory
from tf_marscf.data.image_dataset import ImageDataset
from tf_marscf.data.image_file import IMAGE_SUFFIXES, decode_image, read_image_file
from tf_marscf.data.preprocessing import repeat_channel
from tf_marscf.data.validation_split import default_num_validation_images, split_off_validation
from tf_marscf.errors import InputError, warn
from tf_marscf.files.quoted import shortened

MAX_ARRAY_BYTES = 2 * 1024**3
_NUM_SHOWN_KINDS = 8
_SPLITS = ("train", "validation", "test")


def load_image_folder(options: DataConfig) -> ImageDataset:
    """Loads the PNG, JPEG and BMP files of a directory.

    With folders `train` and `test` in it, and perhaps `validation`, these are the splits. Without
    `validation`, some of `train` is held out: `options.num_validation_images`, or a tenth but not
    above 5,000. Without any of the three folders, a tenth of all images, at least one, is the
    test set, and as many (or `options.num_validation_images`) are for validation.

    Which images are chosen depends on nothing but their paths below the directory. They may lie
    in further folders, such as one a label. Within a split the order is that of the sorted paths.
    Hidden files and folders and those with other endings are passed over; a warning counts them.
    Images are turned the right way up where EXIF data say so.

    All files are decoded once and checked. Images that take more than 2 GiB are then read again
    whenever they are needed.

    Args:
        options: how to load them; `options.data_dir` is the directory.

    Returns:
        The data set, with 256 grey levels, of the shape of the images, with 3 channels where they
        have one and `options.num_channels` is 3.

    Raises:
        MissingInputError: if `options.data_dir` does not exist.
        InputError: if it is not given, is no directory or holds too few images, if a file is
            damaged, is of another shape than the first or cannot be used as it is, or if another
            option does not suit the images.
    """
    # Not tfds.ImageFolder, though its layout is read: it passes over images that lie in no label's
    # folder and over BMP files, takes hidden files for images, shuffles, and decodes without a
    # check, so that a damaged or odd file would end an epoch half way.
    root = existing_directory(options, "images", "folder")
    paths = _split_paths(_image_paths(root), options, root)
    every_path = [path for split in paths.values() for path in split]
    first, _ = read_image_file(root / every_path[0])
    num_channels = options.channels_of(first.shape[-1], str(root))
    image_shape = (*first.shape[:2], num_channels)
    keeps_arrays = len(every_path) * math.prod(image_shape) <= MAX_ARRAY_BYTES
    splits: dict[str, tf.data.Dataset | None] = {"validation": None}
    for split, names in paths.items():
        array = np.empty((len(names), *image_shape), np.uint8) if keeps_arrays else None
        orientations = []
        for index, name in enumerate(names):
            image, orientation = read_image_file(root / name)
            _check_shape(image, first, root / name, root / every_path[0])
            orientations.append(orientation)
            if array is not None:
                array[index] = image  # NumPy copies the one channel of grey images.
        if array is None:
            files = [root / name for name in names]
            splits[split] = _read_when_needed(files, orientations, first.shape, num_channels)
        else:
            splits[split] = tf.data.Dataset.from_tensor_slices(array)
    return ImageDataset(**splits, image_shape=image_shape, num_grey_levels=256, name="folder")


def _image_paths(root: Path) -> list[str]:
    """Returns the sorted paths of all images below a directory, relative to it, with slashes."""
    paths, left_out = [], Counter()
    try:
        for directory, folders, files in os.walk(root, onerror=_raise, followlinks=True):
            left_out["hidden"] += sum(name.startswith(".") for name in folders)
            folders[:] = [name for name in folders if not name.startswith(".")]
            _check_links(root, Path(directory), folders)
            for name in files:
                if not name.startswith(".") and name.lower().endswith(IMAGE_SUFFIXES):
                    paths.append(Path(directory, name).relative_to(root).as_posix())
                else:
                    left_out[_kind(name)] += 1
    # Such as a folder that may not be read.
    except OSError as error:
        raise InputError(
            f"`data_dir` must be a directory whose folders can be read; got {error.strerror} for "
            f"{error.filename!r}."
        ) from error
    counts = _counts(left_out)
    if not paths:
        raise InputError(
            f"`data_dir` must hold images ({', '.join(IMAGE_SUFFIXES)}); got {str(root)!r}, which "
            f"holds none{f', but {counts}' if counts else ''}."
        )
    if counts:
        warn(f"in {root}, not read as images: {counts}")
    return sorted(paths)


def _kind(name: str) -> str:
    """What a warning calls files that are left out."""
    if name.startswith("."):
        return "hidden"
    return shortened(PurePosixPath(name).suffix.lower()) or "without suffix"


def _counts(left_out: Counter[str]) -> str:
    """How many of each kind, most first."""
    counts = [f"{count} {kind}" for kind, count in (+left_out).most_common()]
    num_more = len(counts) - _NUM_SHOWN_KINDS
    more = [f"{num_more} more kinds"] if num_more > 0 else []
    return ", ".join(counts[:_NUM_SHOWN_KINDS] + more)


def _raise(error: OSError) -> None:
    """Raises what os.walk would pass over."""
    raise error


def _check_links(root: Path, directory: Path, folders: list[str]) -> None:
    """Refuses links by which a folder holds itself: its images would come up again and again."""
    for link in (directory / name for name in folders if (directory / name).is_symlink()):
        target = link.resolve()
        # All that was walked through on the way here, which may have been links as well.
        walked = [parent for parent in link.parents if parent.is_relative_to(root)]
        if any(parent.resolve().is_relative_to(target) for parent in walked):
            raise InputError(
                f"`data_dir` must hold no link to a folder that the link lies in; got {link}."
            )


def _split_paths(paths: list[str], options: DataConfig, root: Path) -> dict[str, list[str]]:
    """Shares the images out between the splits; one of validation may be missing."""
    if not any((root / split).is_dir() for split in _SPLITS):
        return _split_all(paths, options, root)
    splits: dict[str, list[str]] = {split: [] for split in _SPLITS}
    for path in paths:
        folder = PurePosixPath(path).parts[0]
        if folder not in splits:
            # Such as `val`: better an error than images that are silently left out.
            raise InputError(
                f"`data_dir` must hold images in its folders {', '.join(_SPLITS)} alone, since it "
                f"has one of them; got {root / path}."
            )
        splits[folder].append(path)
    for split in ("train", "test"):
        if not splits[split]:
            raise InputError(
                f"`data_dir` must hold images in both folders 'train' and 'test', or have neither; "
                f"got {str(root)!r}, which has none in {split!r}."
            )
    if splits["validation"]:
        if options.num_validation_images is not None:
            raise InputError(
                f"`num_validation_images` must be None, since {str(root)!r} has a folder "
                f"'validation'; got {options.num_validation_images}."
            )
        return splits
    num_development = len(splits["train"])
    _, num_validation = split_off_validation(
        options, num_development, default_num_validation_images(num_development), str(root)
    )
    shuffled = _by_hash(splits["train"])
    return _without_empty(shuffled[num_validation:], shuffled[:num_validation], splits["test"])


def _split_all(paths: list[str], options: DataConfig, root: Path) -> dict[str, list[str]]:
    """Shares out images of a directory that says nothing of splits."""
    if len(paths) < 2:
        raise InputError(
            "`data_dir` must hold at least 2 images, one to train on and one to test on; got "
            f"{str(root)!r}, which holds 1."
        )
    num_test = max(1, len(paths) // 10)
    num_development = len(paths) - num_test
    default = min(num_test, num_development - 1)
    _, num_validation = split_off_validation(options, num_development, default, str(root))
    # The test images come first, so that they do not depend on the number for validation.
    shuffled = _by_hash(paths)
    first_train = num_test + num_validation
    return _without_empty(
        shuffled[first_train:], shuffled[num_test:first_train], shuffled[:num_test]
    )


def _by_hash(paths: list[str]) -> list[str]:
    """Mixes paths, always in the same way: the last ones of a sorted list would be one label's."""
    return sorted(paths, key=lambda path: hashlib.sha256(os.fsencode(path)).digest())


def _without_empty(
    train: list[str], validation: list[str], test: list[str]
) -> dict[str, list[str]]:
    """Returns the sorted paths of the splits that have images, by name."""
    splits = dict(zip(_SPLITS, (train, validation, test), strict=True))
    return {split: sorted(paths) for split, paths in splits.items() if paths}


def _check_shape(image: np.ndarray, first: np.ndarray, path: Path, first_path: Path) -> None:
    """Checks that an image has the shape of the first one."""
    if image.shape != first.shape:
        raise InputError(
            f"{path} must have the shape (height, width, channels) of {first_path}, "
            f"{first.shape}; got {image.shape}."
        )


def _read_when_needed(
    paths: list[Path], orientations: list[int], shape: tuple[int, ...], num_channels: int
) -> tf.data.Dataset:
    """Returns a data set that reads and decodes the files each time they are asked for."""

    def to_image(path: tf.Tensor, orientation: tf.Tensor) -> tf.Tensor:
        image = tf.ensure_shape(decode_image(tf.io.read_file(path), orientation), shape)
        return image if num_channels == shape[-1] else repeat_channel(image, num_channels)

    names = [os.fsencode(path) for path in paths]
    return tf.data.Dataset.from_tensor_slices((names, orientations)).map(
        to_image, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True
    )
