"""What a data set holds, in words."""

import math

import numpy as np

from tf_marscf.data.pipeline import MAX_CACHE_BYTES
from tf_marscf.errors import InputError
from tf_marscf.files.input_files import quoted

_MAX_COUNTED = 10_000  # Images of a split whose grey levels are counted.
_NUM_SHOWN_CLASSES = 20
_MAX_NUM_CLASSES = 2**16
_BATCH_BYTES = 2**22


def summary_lines(dataset, has_classes=False):
    """Yields lines on what an `ImageDataset` holds: notes, images, grey levels, memory, classes.

    Args:
        dataset: the `ImageDataset`. Of each split at most the first 10,000 images are read.
        has_classes: whether a model with classes asks; else labels that are missing are no error.

    Raises:
        InputError: if labels are needed and missing.
    """
    height, width, num_channels = dataset.image_shape
    yield f"data set {dataset.name}"
    yield from dataset.notes
    channels = "channel" if num_channels == 1 else "channels"
    yield (
        f"images: height {height}, width {width}, {num_channels} {channels}, "
        f"{dataset.num_grey_levels} grey levels"
    )
    splits = dataset.splits()
    for split, images in splits.items():
        count = int(images.cardinality())
        plural = "" if count == 1 else "s"
        yield f"{split}: {count:,} image{plural}, {_grey_levels(images, dataset)}"
    if dataset.validation is None:
        yield "validation: none"
    num_bytes = math.prod(dataset.image_shape)
    num_images = sum(int(images.cardinality()) for images in splits.values())
    # As the pipeline of training does.
    is_kept = dataset.num_train_images * num_bytes <= MAX_CACHE_BYTES
    yield (
        f"memory: {_memory(num_images * num_bytes)} of pixels; the training images are "
        + ("kept in memory" if is_kept else "read again in each epoch")
    )
    yield from _class_lines(dataset, has_classes)


def _memory(num_bytes):
    """Bytes in words."""
    if num_bytes < 2**20:
        return f"{num_bytes / 2**10:,.1f} KiB"
    return f"{num_bytes / 2**20:,.1f} MiB"


def _grey_levels(images, dataset):
    """Which grey levels the images of a split use."""
    counts = np.zeros(dataset.num_grey_levels, np.int64)
    batch_size = max(1, _BATCH_BYTES // math.prod(dataset.image_shape))
    for batch in images.take(_MAX_COUNTED).batch(batch_size).as_numpy_iterator():
        counts += np.bincount(batch.reshape(-1), minlength=len(counts))
    used = np.flatnonzero(counts)
    first = int(images.cardinality()) > _MAX_COUNTED
    return f"grey levels {used[0]} to {used[-1]}, {len(used)} of {len(counts)} are used" + (
        f" by the first {_MAX_COUNTED:,}" if first else ""
    )


def _class_lines(dataset, has_classes):
    """How many images of each class there are in each split."""
    if dataset.read_labels is None and not has_classes:
        yield "labels: none"
        return
    try:
        labels = {split: dataset.labels(split, _MAX_NUM_CLASSES) for split in dataset.splits()}
    except InputError as error:
        if has_classes:
            raise
        yield f"labels: none that a model with classes could use: {error}"
        return
    names = None if dataset.classes is None else dataset.classes.names
    num_classes = max(map(np.max, labels.values())) + 1 if names is None else len(names)
    use = "" if has_classes else f"; with --num_classes={num_classes} a model makes use of them"
    yield f"classes: {num_classes}{use}"
    for label in range(min(num_classes, _NUM_SHOWN_CLASSES)):
        counts = ", ".join(f"{split} {np.sum(labels[split] == label):,}" for split in labels)
        name = "" if names is None else f", {quoted(names[label])}"
        yield f"  class {label}{name}: {counts}"
    if num_classes > _NUM_SHOWN_CLASSES:
        yield f"  and {num_classes - _NUM_SHOWN_CLASSES:,} more"
