"""Image files of a folder as images of one shape: decoded, cut, resampled and checked."""

import concurrent.futures
import contextlib
import math
import os
from collections import Counter
from pathlib import PurePath

import numpy as np
import tensorflow as tf

from tf_marscf.data.image_file import decode_image, image_size, read_image_file
from tf_marscf.data.resampling import Resampling
from tf_marscf.errors import InputError, warn
from tf_marscf.files.input_files import shortened

_NUM_SHOWN_SIZES = 6
_MAX_THREADS = 8  # Each holds a photograph, decoded by two libraries.


class FolderImages:
    """Reads the files of all splits, which become images of one shape.

    Args:
        splits: dict from splits, "train" among them, to lists of paths.
        config: the `DataConfig`: `crop`, `resize` and `num_channels`.

    Attributes:
        shape: `(height, width, channels)` of all images: without `crop` and `resize` those of the
            first training image.

    Raises:
        InputError: if the first file cannot be used.
    """

    def __init__(self, splits, config):
        self._paths = [path for paths in splits.values() for path in paths]
        self._first_path = splits["train"][0]
        self._resampling = Resampling(config.crop, config.resize)
        self._copies_channel = config.num_channels == 3
        first = read_image_file(self._first_path)[0].shape
        channels = config.channels_of(first[2])  # Before all files are read.
        self.shape = (*(self._resampling.size or first[:2]), channels)
        self._sizes = Counter()
        self._num_turned = 0

    @property
    def num_bytes(self):
        """The bytes of all pixels."""
        return len(self._paths) * math.prod(self.shape)

    def read(self, paths, keeps_array):
        """Decodes and checks all files of a split.

        Args:
            paths: the paths of its files.
            keeps_array: whether the pixels stay in memory; else they are read again when needed.

        Returns:
            A `tf.data.Dataset` of single images.

        Raises:
            InputError: if a file cannot be used; the message names it.
        """
        array = np.empty((len(paths), *self.shape), np.uint8) if keeps_array else None
        orientations, problem = [], None
        with contextlib.closing(_in_threads(self._read_file, paths)) as results:
            for path, (image, orientation, size) in zip(paths, results, strict=True):
                if image is None:
                    problem = self._too_small, path, size
                    break
                if image.shape != self.shape:
                    problem = self._of_another_shape, path, image.shape
                    break
                if keeps_array:
                    array[len(orientations)] = image
                orientations.append(orientation)
                self._num_turned += orientation > 1
                self._sizes[size] += 1
        if problem is not None:  # Only now, when no file is decoded any more.
            make_error, path, seen = problem
            raise make_error(path, seen)
        if keeps_array:
            return tf.data.Dataset.from_tensor_slices(array)

        def to_image(path, orientation):
            image = decode_image(tf.io.read_file(path), orientation)
            if self._resampling.size is not None or self._copies_channel:
                image = tf.numpy_function(self._fitted, [image], tf.uint8, stateful=False)
            return tf.ensure_shape(image, self.shape)

        names = [os.fsencode(path) for path in paths]
        return tf.data.Dataset.from_tensor_slices((names, orientations)).map(
            to_image, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True
        )

    def notes(self):
        """What was read and what became of it, lines of text; a warning names what is stretched."""
        num_images, resampling = len(self._paths), self._resampling
        kinds = Counter(PurePath(path).suffix.lower() for path in self._paths)
        counts = ", ".join(f"{count:,} {shortened(kind)}" for kind, count in kinds.most_common())
        notes = [f"files: {counts}", f"stored sizes (height x width): {_counts(self._sizes)}"]
        if self._num_turned:
            notes.append(f"{self._num_turned:,} of {num_images:,} images are turned, as EXIF says")
        if resampling.crop is not None:
            num_cut = self._num_where(lambda size: resampling.kept_size(size) != size)
            crop = "center" if resampling.crop == "center" else _text(resampling.crop)
            notes.append(f"crop={crop} cuts parts off {num_cut:,} of {num_images:,} images")
        if resampling.resize is not None:
            size = resampling.resize
            num_changed = self._num_where(lambda old: resampling.kept_size(old) != size)
            notes.append(
                f"resize={_text(size)} reduces {num_changed:,} of {num_images:,} images, by area "
                "resampling"
            )
        num_stretched = self._num_where(resampling.changes_proportions)
        if num_stretched:
            warn(
                f"--resize={_text(resampling.resize)} changes the proportions of {num_stretched:,} "
                f"of {num_images:,} images; with --crop=center it would cut them instead"
            )
        return tuple(notes)

    def _num_where(self, holds):
        """How many of the images have a stored size of which something holds."""
        return sum(count for size, count in self._sizes.items() if holds(size))

    def _read_file(self, path):
        """An image, or None of one that is too small; how it was turned; its size before all."""
        stored, orientation = read_image_file(path)
        size = stored.shape[:2]
        is_too_small = self._resampling.too_large(size) is not None
        return None if is_too_small else self._fitted(stored), orientation, size

    def _fitted(self, image):
        """A decoded image, cut, resampled and with its one channel copied."""
        image = self._resampling(image)
        return np.repeat(image, 3, 2) if self._copies_channel and image.shape[2] == 1 else image

    def _too_small(self, path, size):
        """The error of an image that is smaller than what it shall become."""
        name = self._resampling.too_large(size)
        kept = self._resampling.kept_size(size)
        wanted = _text(getattr(self._resampling, name))
        after = f", {_text(kept)} of which are kept" if name == "resize" and kept != size else ""
        sizes = _stored_sizes(self._paths)
        num_small = sum(count for size, count in sizes.items() if self._resampling.too_large(size))
        return InputError(
            f"`{name}` must be at most the height and width of each image, since none is enlarged; "
            f"got {wanted} for {path} of {_text(size)}{after}. {num_small:,} of "
            f"{len(self._paths):,} images are too small for it."
        )

    def _of_another_shape(self, path, shape):
        """The error of an image that is unlike the first."""
        message = (
            f"{path} must have the shape (height, width, channels) of {self._first_path}, "
            f"{self.shape}; got {shape}."
        )
        if shape[:2] != self.shape[:2]:
            sizes = _stored_sizes(self._paths)
            message += (
                f" The {len(self._paths):,} images have {len(sizes):,} sizes, {_counts(sizes)}: "
                "--resize=HEIGHT,WIDTH gives them one, and --crop=center cuts them to its "
                "proportions."
            )
        if shape[2] != self.shape[2]:
            message += " --num_channels=3 copies the channel of grey images."
        return InputError(message)


def _stored_sizes(paths):
    """How many files are of which `(height, width)`, by the headers of those that have one."""
    return Counter(size for size in _in_threads(image_size, paths) if size is not None)


def _in_threads(function, items):
    """Yields what a function makes of items, in their order, computed side by side.

    An error ends it: what has not begun by then is not computed any more.
    """
    with concurrent.futures.ThreadPoolExecutor(min(os.cpu_count(), _MAX_THREADS)) as pool:
        results = pool.map(function, items)
        try:
            yield from results
        finally:
            results.close()


def _counts(sizes):
    """How many images there are of each size, most first, in a line that is not too long."""
    ordered = sorted(sizes.items(), key=lambda item: (-item[1], item[0]))
    shown = [f"{_text(size)} ({count:,})" for size, count in ordered[:_NUM_SHOWN_SIZES]]
    num_more = len(sizes) - len(shown)
    if num_more > 0:
        shown.append(f"{num_more:,} more from {_text(min(sizes))} to {_text(max(sizes))}")
    return ", ".join(shown)


def _text(size):
    height, width = size
    return f"{height}x{width}"
