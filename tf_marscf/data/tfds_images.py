"""Image data sets of TensorFlow Datasets (TFDS)."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import tensorflow as tf

from tf_marscf.data.data_config import DataConfig
from tf_marscf.data.data_unavailable_error import DataUnavailableError
from tf_marscf.data.image_dataset import ImageDataset
from tf_marscf.data.preprocessing import repeat_channel, zero_pad
from tf_marscf.data.validation_split import split_off_validation
from tf_marscf.errors import InputError
from tf_marscf.files.regular_file import open_regular_file

if TYPE_CHECKING:
    import tensorflow_datasets as tfds

PROBE_TIMEOUT_SECONDS = 10.0


@dataclasses.dataclass(frozen=True)
class TfdsImageSource:
    """What has to be known of a TFDS data set to load its images.

    Attributes:
        stored_shape: `(height, width, channels)` of the stored images.
        padded_size: height and width after zero padding; the stored size for no padding.
        test_split: name of the split that results are reported on.
        default_num_validation_images: images held out of the end of 'train'.
    """

    stored_shape: tuple[int, int, int]
    padded_size: int
    test_split: str
    default_num_validation_images: int


TFDS_IMAGE_SOURCES: Mapping[str, TfdsImageSource] = MappingProxyType(
    {
        "cifar10": TfdsImageSource((32, 32, 3), 32, "test", 5_000),
        "mnist": TfdsImageSource((28, 28, 1), 32, "test", 5_000),
        "fashion_mnist": TfdsImageSource((28, 28, 1), 32, "test", 5_000),
        # The standard 'validation' split is the one that published figures are computed on.
        "downsampled_imagenet/32x32": TfdsImageSource((32, 32, 3), 32, "validation", 10_000),
        "downsampled_imagenet/64x64": TfdsImageSource((64, 64, 3), 64, "validation", 10_000),
    }
)


def load_tfds_images(name: str, options: DataConfig | None = None) -> ImageDataset:
    """Loads the images of a TFDS data set, zero-padded to 32 x 32 where they are 28 x 28.

    The test set is the standard one; the validation set is the end of the standard training set.
    The order of the images is fixed.

    Args:
        name: a key of `TFDS_IMAGE_SOURCES`.
        options: how to load them; None is `DataConfig(name=name)`.

    Returns:
        The data set, with 256 grey levels.

    Raises:
        DataUnavailableError: if the data set is not prepared in the data directory and may not
            or cannot be downloaded.
        InputError: if `name` is unknown, what describes the data set is damaged, a file of it is
            missing, `options.num_channels` does not suit the images, or
            `options.num_validation_images` leaves no training image.
    """
    if name not in TFDS_IMAGE_SOURCES:
        raise InputError(f"`name` must be one of {list(TFDS_IMAGE_SOURCES)}; got {name!r}.")

    options = DataConfig(name=name) if options is None else options
    source = TFDS_IMAGE_SOURCES[name]
    num_channels = options.channels_of(source.stored_shape[2], repr(name))
    data_dir = None if options.data_dir is None else os.fspath(options.data_dir)
    builder = _builder(name, data_dir)
    if not builder.is_prepared():
        _download_and_prepare(builder, name, options.download)
    _check_files(builder, ("train", source.test_split))

    num_development = builder.info.splits["train"].num_examples
    num_train, num_validation = split_off_validation(
        options, num_development, source.default_num_validation_images, repr(name)
    )

    def read(split: str) -> tf.data.Dataset:
        return _read_images(builder, split, source, num_channels)

    return ImageDataset(
        train=read(f"train[:{num_train}]"),
        validation=read(f"train[{num_train}:]") if num_validation else None,
        test=read(source.test_split),
        image_shape=(source.padded_size, source.padded_size, num_channels),
        num_grey_levels=256,
        name=name,
    )


def _builder(name: str, data_dir: str | None) -> tfds.core.DatasetBuilder:
    """Returns what reads and prepares a data set."""
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


def _check_files(builder: tfds.core.DatasetBuilder, splits: Iterable[str]) -> None:
    """Checks that no file of a prepared data set is missing, or something else than a file."""
    for split in splits:
        if split not in builder.info.splits:
            raise InputError(
                f"`data_dir` must hold a whole data set; got {builder.data_dir}, without {split!r}."
            )
        for path in builder.info.splits[split].filepaths:
            open_regular_file(path).close()


def _read_images(
    builder: tfds.core.DatasetBuilder, split: str, source: TfdsImageSource, num_channels: int
) -> tf.data.Dataset:
    """Returns the images of a TFDS split, padded and with `num_channels` channels."""
    import tensorflow_datasets as tfds

    def to_image(features: Mapping[str, tf.Tensor]) -> tf.Tensor:
        # TFDS does not know the size of the down-sampled ImageNet images.
        image = tf.ensure_shape(features["image"], source.stored_shape)
        image = zero_pad(image, source.padded_size, source.padded_size)
        return image if num_channels == image.shape[-1] else repeat_channel(image, num_channels)

    examples = builder.as_dataset(
        split=split,
        shuffle_files=False,
        decoders=tfds.decode.PartialDecoding({"image": True}),
        # The pipeline decides on caching, with the size in memory at hand.
        read_config=tfds.ReadConfig(try_autocache=False),
    )
    return examples.map(to_image, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)


def _download_and_prepare(builder: tfds.core.DatasetBuilder, name: str, download: bool) -> None:
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


def _check_servers_answer(urls: Iterable[str]) -> None:
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
