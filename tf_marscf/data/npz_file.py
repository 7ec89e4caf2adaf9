"""Images in the arrays of an .npz file."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

import numpy as np

from tf_marscf.data.dataset_options import DatasetOptions
from tf_marscf.data.image_dataset import ImageDataset
from tf_marscf.data.preprocessing import repeat_channel
from tf_marscf.data.validation_split import default_num_validation_images, split_off_validation
from tf_marscf.errors import InputError, MissingInputError

_SPLITS = ("train", "validation", "test")
_GREY_LEVELS_KEY = "num_grey_levels"
_DEFAULT_NUM_GREY_LEVELS = 256
# What NumPy and zipfile raise for files that are damaged, encrypted, pickled or no .npz file.
_READ_ERRORS = (
    EOFError,
    MemoryError,
    OSError,
    RuntimeError,
    ValueError,
    zipfile.BadZipFile,
    zlib.error,
)


def load_npz(options: DatasetOptions) -> ImageDataset:
    """Loads the images of an .npz file.

    The file holds uint8 arrays `train` and `test` of shape [num_images, height, width, channels],
    may hold an array `validation` and a scalar `num_grey_levels` (256 where it does not); other
    arrays are not read. Without `validation`, the last images of `train` are held out:
    `options.num_validation_images`, or a tenth but not above 5,000. The test set is never
    touched.

    Args:
        options: how to load them; `options.data_dir` is the file, or a directory that holds no
            other .npz file.

    Returns:
        The data set, of the shape of the stored images, with 3 channels where they have one and
        `options.num_channels` is 3.

    Raises:
        FileNotFoundError: if `options.data_dir` does not exist.
        ValueError: if it is not given, the file is damaged or no .npz file, an array is missing
            or not as it must be, or another option does not suit the images.
    """
    path = _npz_path(options)
    arrays, num_grey_levels = _read(path)
    for key, array in arrays.items():
        _check_images(array, key, path, num_grey_levels)
        if array.shape[1:] != arrays["train"].shape[1:]:
            raise InputError(
                f"`{key}` of {path} must hold images of the shape of `train`, "
                f"{arrays['train'].shape[1:]}; got {array.shape[1:]}."
            )
    train, validation = _split(arrays, options, path)
    splits = {"train": train, "validation": validation, "test": arrays["test"]}
    num_stored = train.shape[-1]
    num_channels = options.channels_of(num_stored, str(path))
    if num_channels != num_stored:
        splits = {
            key: None if array is None else repeat_channel(array, num_channels)
            for key, array in splits.items()
        }
    return ImageDataset.from_arrays(**splits, num_grey_levels=num_grey_levels, name="npz")


def _npz_path(options: DatasetOptions) -> Path:
    """Returns the path of the file; raises an error where there is none or more than one."""
    path = options.data_path
    if path is None:
        raise InputError("`data_dir` must be the path of an .npz file for dataset 'npz'; got None.")
    if not path.exists():
        raise MissingInputError(
            f"`data_dir` must be the path of an .npz file; got {str(path)!r}, which does not exist."
        )
    if not path.is_dir():
        return path
    files = sorted(file for file in path.iterdir() if file.suffix == ".npz")
    if len(files) != 1:
        names = ", ".join(file.name for file in files) or "none"
        raise InputError(
            "`data_dir` must be an .npz file or a directory that holds exactly one; got "
            f"{str(path)!r}, which holds {names}."
        )
    return files[0]


def _read(path: Path) -> tuple[dict[str, np.ndarray], int]:
    """Returns the arrays of the splits, by name, and the number of grey levels."""
    try:
        with path.open("rb") as file:
            # NumPy takes anything else for pickled objects, and suggests to allow them.
            if not zipfile.is_zipfile(file):
                raise InputError("no zip archive, or cut off")
            file.seek(0)
            with np.load(file, allow_pickle=False) as archive:
                names = list(archive.files)
                arrays = {key: archive[key] for key in (*_SPLITS, _GREY_LEVELS_KEY) if key in names}
    except _READ_ERRORS as error:
        raise InputError(
            f"`data_dir` must be an .npz file of plain arrays; got {path}, which cannot be read "
            f"as one ({type(error).__name__}: {' '.join(str(error).split())})."
        ) from error
    for key in ("train", "test"):
        if key not in arrays:
            raise InputError(
                f"`data_dir` must be an .npz file with the arrays 'train' and 'test'; got {path}, "
                f"which has no {key!r} but {', '.join(map(repr, sorted(names))) or 'nothing'}."
            )
    num_grey_levels = _num_grey_levels(arrays.pop(_GREY_LEVELS_KEY, None), path)
    return arrays, num_grey_levels


def _num_grey_levels(value: np.ndarray | None, path: Path) -> int:
    """Returns the number of grey levels that the file states, or the default."""
    if value is None:
        return _DEFAULT_NUM_GREY_LEVELS
    is_integer = (
        isinstance(value, np.ndarray)
        and value.size == 1
        and np.issubdtype(value.dtype, np.integer)
        and 2 <= value.item() <= 256
    )
    if not is_integer:
        raise InputError(
            f"`{_GREY_LEVELS_KEY}` of {path} must be one integer from 2 to 256; got {_seen(value)}."
        )
    return value.item()


def _check_images(array: np.ndarray, key: str, path: Path, num_grey_levels: int) -> None:
    """Checks the array of one split."""
    if not isinstance(array, np.ndarray) or array.dtype != np.uint8:
        raise InputError(f"`{key}` of {path} must be a uint8 array; got {_seen(array)}.")
    if array.ndim != 4:
        hint = ", with a channel axis also for grey images" if array.ndim == 3 else ""
        raise InputError(
            f"`{key}` of {path} must have shape [num_images, height, width, channels]{hint}; got "
            f"shape {array.shape}."
        )
    if array.size == 0:
        raise InputError(
            f"`{key}` of {path} must hold at least one image and pixel; got shape {array.shape}."
        )
    if array.max() >= num_grey_levels:
        raise InputError(
            f"`{key}` of {path} must hold pixels below `{_GREY_LEVELS_KEY}` {num_grey_levels}; got "
            f"{array.max()}."
        )


def _seen(value: object) -> str:
    """What an error says of a value that is no array of the right kind."""
    if not isinstance(value, np.ndarray):
        return f"a file that is no array ({type(value).__name__})"
    if value.size == 1:
        return f"{value.item()!r} ({value.dtype})"
    return f"{value.dtype} of shape {value.shape}"


def _split(
    arrays: dict[str, np.ndarray], options: DatasetOptions, path: Path
) -> tuple[np.ndarray, np.ndarray | None]:
    """Returns the training images and those of validation, or None where there are none."""
    train = arrays["train"]
    if "validation" in arrays:
        if options.num_validation_images is not None:
            raise InputError(
                f"`num_validation_images` must be None, since {path} holds an array 'validation'; "
                f"got {options.num_validation_images}."
            )
        return train, arrays["validation"]
    default = default_num_validation_images(len(train))
    num_train, num_validation = split_off_validation(options, len(train), default, str(path))
    return train[:num_train], train[num_train:] if num_validation else None
