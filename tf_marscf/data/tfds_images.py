"""Image data sets of TensorFlow Datasets (TFDS)."""

import os
from urllib.parse import urlsplit

import tensorflow as tf

from tf_marscf.data.image_dataset import ImageDataset
from tf_marscf.data.validation_split import split_off_validation
from tf_marscf.errors import InputError, RunError
from tf_marscf.files.input_files import open_regular_file

PROBE_TIMEOUT_SECONDS = 10.0


class DataUnavailableError(RunError):
    """A data set is not prepared in the data directory and could not be downloaded.

    The message is one line: which data set, why it could not be had, where it was looked for and
    how to provide it.

    Attributes:
        dataset_name: name of the data set as `load_dataset` takes it.
        data_dir: directory the data set was looked for in.
        reason: why it could not be had; line breaks become spaces.
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


# By name: (height, width, channels) of the stored images, height and width after zero padding, the
# split that results are reported on, and how many images are held out of the end of 'train'.
_SOURCES = {
    "cifar10": ((32, 32, 3), 32, "test", 5_000),
    "mnist": ((28, 28, 1), 32, "test", 5_000),
    "fashion_mnist": ((28, 28, 1), 32, "test", 5_000),
    # The standard 'validation' split is the one that published figures are computed on.
    "downsampled_imagenet/32x32": ((32, 32, 3), 32, "validation", 10_000),
    "downsampled_imagenet/64x64": ((64, 64, 3), 64, "validation", 10_000),
}


def load_tfds_images(name, options):
    """Loads the images of a TFDS data set, zero-padded to 32 x 32 where they are 28 x 28.

    The test set is the standard one; the validation set is the end of the standard training set.
    The order of the images is fixed.

    There are 256 grey levels. It returns and raises what `load_dataset` does.
    """
    stored_shape, padded_size, test_split, default_num_validation_images = _SOURCES[name]
    num_channels = options.channels_of(stored_shape[2], repr(name))
    builder = _builder(name, options.data_dir)
    if not builder.is_prepared():
        _download_and_prepare(builder, name, options.download)
    _check_files(builder, ("train", test_split))
    num_development = builder.info.splits["train"].num_examples
    num_train, num_validation = split_off_validation(
        options, num_development, default_num_validation_images, repr(name)
    )

    def read(split):
        return _read_images(builder, split, stored_shape)

    dataset = ImageDataset(
        train=read(f"train[:{num_train}]"),
        validation=read(f"train[{num_train}:]") if num_validation else None,
        test=read(test_split),
        image_shape=stored_shape,
        num_grey_levels=256,
        name=name,
    )
    return dataset.padded(padded_size, padded_size, num_channels)


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


def _read_images(builder, split, shape):
    """The images of a TFDS split, of the shape in which they are stored."""
    import tensorflow_datasets as tfds

    examples = builder.as_dataset(
        split=split,
        shuffle_files=False,
        decoders=tfds.decode.PartialDecoding({"image": True}),
        # The pipeline decides on caching, with the size in memory at hand.
        read_config=tfds.ReadConfig(try_autocache=False),
    )
    # TFDS does not know the size of the down-sampled ImageNet images.
    return examples.map(
        lambda features: tf.ensure_shape(features["image"], shape),
        num_parallel_calls=tf.data.AUTOTUNE,
        deterministic=True,
    )


def _download_and_prepare(builder, name, download):
    """Downloads a data set, or raises DataUnavailableError."""
    import tensorflow_datasets as tfds

    data_dir = os.fspath(builder.data_dir_root)
    if not download:
        raise DataUnavailableError(name, data_dir, "it is not prepared and downloads are off")
    try:
        # TFDS repeats a failing request ten times, for minutes, and without a time limit.
        _check_servers_answer(builder.url_infos or ())
        builder.download_and_prepare(
            download_config=tfds.download.DownloadConfig(try_download_gcs=False)
        )
    # OSError covers the errors of `requests`, of sockets and of the file system.
    except (OSError, tfds.download.DownloadError) as error:
        reason = f"the download failed with {type(error).__name__}: {error}"
        raise DataUnavailableError(name, data_dir, reason) from error


def _check_servers_answer(urls):
    """Requests one file of each server, without reading it.

    Raises:
        requests.RequestException: if a server does not answer within `PROBE_TIMEOUT_SECONDS` or
            refuses the file.
    """
    import requests

    url_by_server = {urlsplit(url).netloc: url for url in urls}
    for url in url_by_server.values():
        with requests.get(url, stream=True, timeout=PROBE_TIMEOUT_SECONDS) as response:
            response.raise_for_status()
