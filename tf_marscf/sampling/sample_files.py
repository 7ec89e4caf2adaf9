"""Samples as files: a picture; or one PNG a sample or one .npz archive, in bounded memory."""

import os
import tempfile
from pathlib import Path

import numpy as np

from tf_marscf.errors import InputError, warn
from tf_marscf.files.atomic_file import atomic_directory, atomic_write
from tf_marscf.sampling.image_grid import (
    check_drawable,
    encode_png,
    rows_of_classes,
    save_picture,
    spread_grey_levels,
)


def save_sample_picture(path, stream, real_images, report=warn):
    """Writes a PNG of the first samples of a `SampleStream`, beside as many real images.

    Samples of several classes have a row for each class.

    Real images are uint8 [N, H, W, C]; of other than 1 or 3 channels they raise an `InputError`.
    Further errors, and `report`, are those of `SampleStream.draw`.
    """
    check_drawable(real_images.shape[1:], "dataset")
    batch = stream.draw_batch(len(real_images), report=report)
    save_batch_picture(path, batch, real_images, stream.images_distribution.num_grey_levels)


def save_batch_picture(path, batch, real_images, num_grey_levels):
    """As `save_picture`, of a `SampleBatch`; one of several classes has a row for each."""
    samples, num_columns = batch.images, None
    if batch.labels is not None and len(np.unique(batch.labels)) > 1:
        samples, num_columns = rows_of_classes(samples, batch.labels, num_grey_levels)
    save_picture(path, samples, real_images, num_grey_levels, num_columns=num_columns)


def check_new_directory(path):
    """Raises `InputError` unless a directory is new or empty: samples stay among themselves."""
    is_directory = os.path.isdir(path)
    if os.listdir(path) if is_directory else os.path.exists(path):
        seen = f"{os.fspath(path)!r} {'holds files' if is_directory else 'is none'}"
        raise InputError(f"`output` must be a new or empty directory; {seen}.")


def write_png_directory(path, batches, num_grey_levels=256):
    """Writes one PNG a sample, named after its number: `000000.png`, `000001.png`, ...

    Grey levels of the `SampleBatch`es are spread over 0 to 255. The directory, which must be new or
    empty (else `InputError`), appears when it is whole. Returns the number of files.
    """
    check_new_directory(path)
    num_images = 0
    with atomic_directory(path) as directory:
        for batch in batches:
            for index, image in zip(batch.indices, batch.images, strict=True):
                (spread,) = spread_grey_levels(image[np.newaxis], num_grey_levels)
                (directory / f"{index:06d}.png").write_bytes(encode_png(spread))
            num_images += len(batch.images)
    return num_images


def write_npz(path, batches, image_shape, num_grey_levels=256):
    """Writes an .npz archive of `SampleBatch`es, for `numpy.load`; returns the number of images.

    It holds `images`, uint8 [n, H, W, C] of grey levels 0 to `num_grey_levels - 1`; `indices`,
    int64 [n], the samples' numbers; of a model with classes `labels`, int32 [n]; and the scalar
    `num_grey_levels`. It is not compressed. Equal samples are equal bytes. The images pass through
    a temporary file, because the archive states their number before the first one: no more than a
    batch is held in memory.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    indices, labels = [np.zeros([0], np.int64)], []
    with tempfile.TemporaryFile(dir=path.parent) as pixels:
        for batch in batches:
            pixels.write(batch.images.tobytes())
            indices.append(batch.indices)
            if batch.labels is not None:
                labels.append(batch.labels)
        pixels.flush()
        indices = np.concatenate(indices)
        images = np.memmap(pixels, np.uint8, "r", shape=(len(indices), *image_shape))
        with atomic_write(path) as file:
            arrays = {"images": images, "indices": indices}
            if labels:
                arrays["labels"] = np.concatenate(labels)
            np.savez(file, **arrays, num_grey_levels=num_grey_levels)
    return len(indices)
