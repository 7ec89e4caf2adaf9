"""Image data sets of TensorFlow Datasets (TFDS)."""

import functools
import os
import sys
from urllib.parse import urlsplit

import numpy as np
import tensorflow as tf

from tf_marscf.data.image_dataset import ImageDataset
from tf_marscf.errors import InputError, RunError
from tf_marscf.files.input_files import open_regular_file
from tf_marscf.progress import is_terminal

PROBE_TIMEOUT_SECONDS = 10.0


class DataUnavailableError(RunError):
    """A data set is not prepared in the data directory and could not be downloaded.

    The message is one line: which data set, why it could not be had, where it was looked for and
    how to provide it. These are also the attributes: `dataset_name`, `reason` and `data_dir`.
    """

    def __init__(self, dataset_name, data_dir, reason):
        self.dataset_name = dataset_name
        self.data_dir = data_dir
        self.reason = " ".join(reason.split())
        super().__init__(
            f"Data set {dataset_name!r} is not available: {self.reason}. It was looked for in "
            f"{data_dir}. To provide it, run `tfds build {dataset_name} --data_dir=DIR` on a "
            "machine with network access, copy DIR to this machine and pass --data_dir=DIR."
        )

    def __reduce__(self):
        # The three parts, so that the error survives a process boundary.
        return (type(self), (self.dataset_name, self.data_dir, self.reason))


# By name: (height, width, channels) of the stored images, the split that results are reported on,
# and how many images are held out of the end of 'train'.
_SOURCES = {
    "cifar10": ((32, 32, 3), "test", 5_000),
    "mnist": ((28, 28, 1), "test", 5_000),
    "fashion_mnist": ((28, 28, 1), "test", 5_000),
    # The standard 'validation' split is the one that published figures are computed on.
    "downsampled_imagenet/32x32": ((32, 32, 3), "validation", 10_000),
    "downsampled_imagenet/64x64": ((64, 64, 3), "validation", 10_000),
}


def load_tfds_images(config):
    """Loads the images of a TFDS data set, zero-padded to 32 x 32 where they are 28 x 28.

    The test set is the standard one; the validation set is the end of the standard training set.
    The order of the images is fixed. There are 256 grey levels. For models with classes, labels are
    those of the feature 'label'.
    """
    name = config.name
    shape, test_split, default_num_validation_images = _SOURCES[name]
    config.channels_of(shape[2])  # Nothing is downloaded in vain.
    builder = _builder(name, config.data_dir)
    if not builder.is_prepared():
        _download_and_prepare(builder, name, config.download)
    _check_files(builder, ("train", test_split))
    train, validation = config.hold_out(
        range(builder.info.splits["train"].num_examples), default_num_validation_images
    )
    read = functools.partial(_read_images, builder, shape)

    @functools.cache
    def read_labels(split):
        split_of = {"train": "train", "test": test_split}
        return config.labels_of(
            split,
            lambda stored: _read_labels(builder, split_of[stored]),
            default_num_validation_images,
        )

    return ImageDataset(
        train=read(f"train[:{len(train)}]"),
        validation=read(f"train[{len(train)}:]") if validation else None,
        test=read(test_split),
        num_grey_levels=256,
        name=name,
        read_labels=read_labels,
    ).padded()


def _builder(name, data_dir):
    """What reads and prepares a data set."""
    import tensorflow_datasets as tfds

    try:
        return tfds.builder(name, data_dir=data_dir, try_gcs=False)
    except (OSError, ImportError, MemoryError):
        raise
    # The name is a known one, so all else is what TFDS says of the files of a prepared data set.
    except Exception as error:
        raise InputError(
            f"`data_dir` must hold a whole data set {name!r}, if any; got "
            f"{data_dir or 'the default of TFDS'}, whose description cannot be read "
            f"({type(error).__name__})."
        ) from error


def _check_files(builder, splits):
    """Checks that no file of a prepared data set is missing, or something else than a file."""
    for split in splits:
        if split not in builder.info.splits:
            raise InputError(
                f"`data_dir` must hold a whole data set; got {builder.data_dir}, without {split!r}."
            )
        for path in builder.info.splits[split].filepaths:
            open_regular_file(path).close()


def _read_images(builder, shape, split):
    """The images of a TFDS split, of the shape in which they are stored."""
    examples = _read_feature(builder, split, "image")
    # TFDS does not know the size of the down-sampled ImageNet images.
    return examples.map(
        lambda features: tf.ensure_shape(features["image"], shape),
        num_parallel_calls=tf.data.AUTOTUNE,
        deterministic=True,
    )


def _read_labels(builder, split):
    """The labels of a TFDS split, in the order of its images, int64 [num_images]."""
    if "label" not in builder.info.features:
        names = ", ".join(sorted(builder.info.features))
        raise InputError(
            f"`dataset` must have labels, a feature 'label', for a model with classes; "
            f"{builder.info.name} has {names}."
        )
    examples = _read_feature(builder, split, "label").as_numpy_iterator()
    return np.array([features["label"] for features in examples], np.int64)


def _read_feature(builder, split, name):
    """The examples of a split, in their fixed order, with one feature each."""
    import tensorflow_datasets as tfds

    return builder.as_dataset(
        split=split,
        shuffle_files=False,
        decoders=tfds.decode.PartialDecoding({name: True}),
        # The pipeline decides on caching, with the size in memory at hand.
        read_config=tfds.ReadConfig(try_autocache=False),
    )


def _download_and_prepare(builder, name, download):
    """Downloads a data set, or raises DataUnavailableError."""
    import tensorflow_datasets as tfds

    data_dir = os.fspath(builder.data_dir_root)
    if not download:
        raise DataUnavailableError(name, data_dir, "it is not prepared and downloads are off")
    if not is_terminal(sys.stderr):
        tfds.disable_progress_bar()  # Its bars are for terminals.
    try:
        # TFDS repeats a failing request ten times, for minutes, and without a time limit.
        _check_servers_answer(builder.url_infos or ())
        print(f"downloading {name} into {data_dir}, and preparing it", file=sys.stderr, flush=True)
        builder.download_and_prepare(
            download_config=tfds.download.DownloadConfig(try_download_gcs=False)
        )
    # OSError covers the errors of `requests`, of sockets and of the file system.
    except (OSError, tfds.download.DownloadError) as error:
        reason = f"the download failed with {type(error).__name__}: {error}"
        raise DataUnavailableError(name, data_dir, reason) from error


def _check_servers_answer(urls):
    """Requests one file of each server, without reading it; raises what `requests` does."""
    import requests

    url_by_server = {urlsplit(url).netloc: url for url in urls}
    for url in url_by_server.values():
        with requests.get(url, stream=True, timeout=PROBE_TIMEOUT_SECONDS) as response:
            response.raise_for_status()
