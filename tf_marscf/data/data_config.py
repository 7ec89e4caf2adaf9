"""Which images, as data, and how they are loaded; nothing here needs TensorFlow to check them."""

import dataclasses
import importlib
from pathlib import Path

from tf_marscf.config_fields import (
    REQUIRED,
    Config,
    boolean,
    choice,
    integer,
    path,
    size,
    strings,
)
from tf_marscf.errors import InputError, MissingInputError

_MAX_DEFAULT_NUM_VALIDATION_IMAGES = 5_000
CENTER = "center"
# Of image files; written where they are not None, so that other configs are as they were before.
_FOLDER_FIELDS = ("crop", "resize", "resampling", "class_names")
# A further kind of data set is one more entry here: a name, and module and name of a function of
# the `DataConfig`. Modules are imported when they are needed.
_LOADERS = {
    "cifar10": ("tfds_images", "load_tfds_images"),
    "digits": ("digits", "load_digits"),
    "downsampled_imagenet/32x32": ("tfds_images", "load_tfds_images"),
    "downsampled_imagenet/64x64": ("tfds_images", "load_tfds_images"),
    "fashion_mnist": ("idx_files", "load_mnist_kind"),
    "folder": ("image_folder", "load_image_folder"),
    "idx": ("idx_files", "load_idx"),
    "mnist": ("idx_files", "load_mnist_kind"),
    "npz": ("npz_file", "load_npz"),
}


def dataset_names():
    """The names of data sets, sorted."""
    return tuple(_LOADERS)


@dataclasses.dataclass(frozen=True, kw_only=True)
class DataConfig(Config):
    """Which images a model is trained on, and how they are loaded."""

    name: str = choice(
        REQUIRED,
        dataset_names(),
        "Which images.",
        rule=f"one of the data sets {', '.join(dataset_names())}",
        flag="dataset",
    )
    data_dir: str = path(
        None,
        "Where the images are: a directory or, for npz, a file; None for the data set's default.",
    )
    num_channels: int = integer(
        None, "3 copies a grey image three times; default: as in the data set."
    )
    num_bits: int = integer(
        None,
        "Bits of a grey level, the highest of those stored: images have 2^num_bits grey levels, as "
        "Glow's 5-bit images have 32; default: as in the data set.",
        most=8,
    )
    num_validation_images: int = integer(
        None,
        "Training images held out to choose the best epoch; 0 trains on all of them; default: the "
        "data set's own number.",
        least=0,
    )
    max_images: int = integer(
        None, "Only so many images of each split, the first ones; default: all."
    )
    crop: tuple = size(
        None,
        "Of files of a folder, the first step: what is kept of the middle of each image, N or "
        "HEIGHT,WIDTH in pixels, or center, the largest part with the proportions of `resize`; "
        "default: all.",
        words=(CENTER,),
    )
    resize: tuple = size(
        None,
        "Of files of a folder, the second step: N or HEIGHT,WIDTH that all images get by area "
        "resampling: a pixel is the mean of what it covers, each old one weighted by the part of "
        "it that is covered, rounded to the nearest grey level, halves up. No image is enlarged. "
        "Default: as stored.",
    )
    resampling: str = choice(
        None, ("area",), "How `resize` computes pixels; None without it.", flag=False
    )
    class_names: tuple = strings(
        None,
        "Of a folder and a model with classes: the folders of the classes in the order of their "
        "labels; default: all there are, sorted.",
    )
    download: bool = boolean(True, "Whether missing images may be downloaded.", flag=False)

    def __post_init__(self):
        # Python takes True for 1.
        if self.num_channels not in (None, 1, 3) or isinstance(self.num_channels, bool):
            raise InputError(f"`num_channels` must be None, 1 or 3; got {self.num_channels!r}.")
        super().__post_init__()
        for name in _FOLDER_FIELDS:
            value = getattr(self, name)
            if value is not None and self.name != "folder":
                raise InputError(
                    f"`{name}` must be None for dataset {self.name!r}, where it has no effect: it "
                    f"is for the image files of 'folder'; got {value!r}."
                )
        self._check_resampling()

    def _check_resampling(self):
        """Checks `crop` and `resize` together, and sets `resampling`."""
        if self.resize is not None:
            self._set("resampling", self.resampling or "area")
        elif self.resampling is not None:
            seen = repr(self.resampling)
            raise InputError(f"`resampling` must be None without `resize`; got {seen}.")
        elif self.crop == CENTER:
            raise InputError(
                f"`crop` must be N or HEIGHT,WIDTH without `resize`, whose proportions {CENTER!r} "
                f"is for; got {CENTER!r}."
            )
        if self.resize is None or self.crop in (None, CENTER):
            return
        if any(new > old for new, old in zip(self.resize, self.crop, strict=True)):
            raise InputError(
                f"`resize` must be at most `crop`, {self.crop}, since area resampling does not "
                f"enlarge; got {self.resize}."
            )

    def to_dict(self):
        """As of every config, without `download`, which does not change the images."""
        values = super().to_dict()
        del values["download"]
        for name in _FOLDER_FIELDS:
            if values[name] is None:
                del values[name]
        return values

    @property
    def data_path(self):
        """`data_dir` as a `Path`; None where there is none."""
        return None if self.data_dir is None else Path(self.data_dir)

    @property
    def _source(self):
        """What errors call the images."""
        return self.data_dir if self.name in ("folder", "idx", "npz") else repr(self.name)

    def existing_directory(self, content):
        """The `Path` of `data_dir`, which must be there, a directory of what `content` says."""
        rule = f"`data_dir` must be a directory of {content} for dataset {self.name!r}"
        directory = self.data_path
        if directory is None:
            raise InputError(f"{rule}; got None.")
        if not directory.exists():
            raise MissingInputError(f"{rule}; got {self.data_dir!r}, which does not exist.")
        if not directory.is_dir():
            raise InputError(f"{rule}; got {self.data_dir!r}, which is no directory.")
        return directory

    def channels_of(self, num_stored):
        """How many channels images have that are stored with `num_stored`: only one is copied."""
        if self.num_channels in (None, num_stored):
            return num_stored
        if num_stored != 1:
            raise InputError(
                f"`num_channels` must be {num_stored} for {self._source}; got {self.num_channels}."
            )
        return self.num_channels

    def grey_levels_of(self, num_stored):
        """How many grey levels images have that are stored with `num_stored`.

        Raises:
            InputError: if 2^num_bits does not divide `num_stored`, as of the 17 levels of 'digits':
                the new levels would not be equally wide.
        """
        if self.num_bits is None:
            return num_stored
        if num_stored % 2**self.num_bits:
            raise InputError(
                f"`num_bits` must be None, or 2^num_bits a divisor of the {num_stored} grey levels "
                f"of {self._source}; got {self.num_bits}."
            )
        return 2**self.num_bits

    def hold_out(self, train, default=None):
        """Holds the last training images out for validation, `num_validation_images` of them.

        Args:
            train: an array, list or range of what is not in the test set.
            default: how many, where `num_validation_images` is None; None is a tenth, but at least
                1 of two or more, and at most 5,000.

        Returns:
            What is left of `train`, and what is held out, or None where that is nothing.

        Raises:
            InputError: if no training image is left.
        """
        num_validation = self.num_validation_images
        if num_validation is None:
            num_validation = default
        if num_validation is None:
            a_tenth = max(1, len(train) // 10)
            num_validation = min(a_tenth, _MAX_DEFAULT_NUM_VALIDATION_IMAGES, len(train) - 1)
        num_train = len(train) - num_validation
        if num_train < 1:
            raise InputError(
                f"`num_validation_images` must be below the {len(train)} images that are not in "
                f"the test set of {self._source}; got {num_validation}."
            )
        return train[:num_train], train[num_train:] if num_validation else None

    def labels_of(self, split, read, default=None):
        """The labels of a split, where those of training are held out for validation as images are.

        Args:
            split: "train", "validation" or "test".
            read: function of "train" or "test", the labels of what `hold_out` splits, or of tests.
            default: as of `hold_out`.
        """
        if split == "test":
            return read(split)
        train, validation = self.hold_out(read("train"), default)
        return train if split == "train" else validation


def load_dataset(name, data_dir=None, **options):
    """Loads a data set by name.

    Args:
        name: one of `dataset_names()`.
        data_dir: where the images are. 'npz': the path of an .npz file; 'idx': a directory of
            files of MNIST's kind; 'folder': a directory of image files; the others: a directory
            that holds prepared data sets, or None for TensorFlow Datasets' default. For 'digits'
            it must be None.
        **options: other fields of `DataConfig`.

    Returns:
        An `ImageDataset`.

    Raises:
        DataUnavailableError: if the data set is neither in `data_dir` nor can be downloaded.
        MissingInputError: if `data_dir` does not exist, or not with the files it must hold.
        InputError: if `name` is unknown, an option does not suit the data set or a file is not as
            it must be; the message is one line.
    """
    config = DataConfig(name=name, data_dir=data_dir, **options)
    return load_configured_dataset(config, config.download)


def load_configured_dataset(config, download=True):
    """As `load_dataset`, of the data set that a `DataConfig` names."""
    module, function = _LOADERS[config.name]
    load = getattr(importlib.import_module(f"tf_marscf.data.{module}"), function)
    dataset = load(dataclasses.replace(config, download=download))
    dataset = dataset.with_grey_levels(config.grey_levels_of(dataset.num_grey_levels))
    dataset = dataset.with_channels(config.channels_of(dataset.image_shape[2]))
    if config.max_images is None:
        return dataset
    return dataset.map_splits(lambda images: images.take(config.max_images))
