"""Images in the arrays of an .npz file."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tf_marscf.data.data_config import DataConfig
from tf_marscf.data.image_dataset import ImageDataset, check_image_shape
from tf_marscf.data.preprocessing import repeat_channel
from tf_marscf.data.validation_split import default_num_validation_images, split_off_validation
from tf_marscf.errors import InputError, MissingInputError, warn
from tf_marscf.files.numpy_arrays import read_numpy_arrays
from tf_marscf.files.quoted import quoted, shortened

_SPLITS = ("train", "validation", "test")
_GREY_LEVELS_KEY = "num_grey_levels"
_DEFAULT_NUM_GREY_LEVELS = 256
_NUM_SHOWN_NAMES = 8


def load_npz(options: DataConfig) -> ImageDataset:
    """Loads the images of an .npz file.

    The file holds uint8 arrays `train` and `test` of shape [num_images, height, width, channels],
    may hold an array `validation` and a scalar `num_grey_levels` (256 where it does not); other
    arrays are not read, and a warning names them. Without `validation`, the last images of `train`
    are held out: `options.num_validation_images`, or a tenth but not above 5,000. The test set is
    never touched.

    Args:
        options: how to load them; `options.data_dir` is the file, or a directory that holds no
            other .npz file.

    Returns:
        The data set, of the shape of the stored images, with 3 channels where they have one and
        `options.num_channels` is 3.

    Raises:
        MissingInputError: if `options.data_dir` does not exist.
        InputError: if it is not given, the file is damaged or no .npz file, an array is missing
            or not as it must be, or another option does not suit the images.
    """
    path = _npz_path(options)
    arrays, num_grey_levels = _read(path)
    for key, array in arrays.items():
        _check_pixels(array, key, path, num_grey_levels)
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


def _npz_path(options: DataConfig) -> Path:
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
        names = ", ".join(file.name for file in files[:_NUM_SHOWN_NAMES]) or "none"
        raise InputError(
            "`data_dir` must be an .npz file or a directory that holds exactly one; got "
            f"{str(path)!r}, which holds {names}."
        )
    return files[0]


def _read(path: Path) -> tuple[dict[str, np.ndarray], int]:
    """Returns the arrays of the splits, by name, and the number of grey levels."""

    def check(key: str, shape: tuple[int, ...], dtype: np.dtype) -> None:
        if key in _SPLITS:
            _check_header(f"`{key}` of {path}", shape, dtype)

    arrays, left_out = read_numpy_arrays(
        path,
        "`data_dir` must be an .npz file of plain arrays",
        is_wanted=(*_SPLITS, _GREY_LEVELS_KEY).__contains__,
        check=check,
    )
    for key in ("train", "test"):
        if key not in arrays:
            names = ", ".join(map(quoted, sorted([*arrays, *left_out])[:_NUM_SHOWN_NAMES]))
            raise InputError(
                f"`data_dir` must be an .npz file with the arrays 'train' and 'test'; got {path}, "
                f"which has no {key!r} but {names or 'nothing'}."
            )
    if left_out:
        names = ", ".join(map(quoted, left_out[:_NUM_SHOWN_NAMES]))
        warn(f"{len(left_out)} of the arrays in {path} not read: {names}")
    num_grey_levels = _num_grey_levels(arrays.pop(_GREY_LEVELS_KEY, None), path)
    return arrays, num_grey_levels


def _num_grey_levels(value: np.ndarray | None, path: Path) -> int:
    """Returns the number of grey levels that the file states, or the default."""
    if value is None:
        return _DEFAULT_NUM_GREY_LEVELS
    is_integer = value.size == 1 and value.dtype.kind in "iu" and 2 <= value.item() <= 256
    if not is_integer:
        raise InputError(
            f"`{_GREY_LEVELS_KEY}` of {path} must be one integer from 2 to 256; got {_seen(value)}."
        )
    return value.item()


def _check_header(argument: str, shape: tuple[int, ...], dtype: np.dtype) -> None:
    """Checks what is known of the array of one split before its pixels are read."""
    if dtype != np.uint8:
        raise InputError(
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


def _check_pixels(array: np.ndarray, key: str, path: Path, num_grey_levels: int) -> None:
    """Checks the grey levels of one split."""
    if array.max() >= num_grey_levels:
        raise InputError(
            f"`{key}` of {path} must hold pixels below `{_GREY_LEVELS_KEY}` {num_grey_levels}; got "
            f"{array.max()}."
        )


def _seen(value: np.ndarray) -> str:
    """What an error says of an array."""
    if value.size == 1:
        return f"{shortened(repr(value.item()))} ({shortened(str(value.dtype))})"
    return _kind(value.shape, value.dtype)


def _kind(shape: tuple[int, ...], dtype: np.dtype) -> str:
    """What an error says of shape and dtype."""
    return f"{shortened(str(dtype))} of shape {shape}"


def _split(
    arrays: dict[str, np.ndarray], options: DataConfig, path: Path
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
