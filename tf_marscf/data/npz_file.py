"""Images in the arrays of an .npz file."""

import numpy as np

from tf_marscf.data.image_dataset import (
    SPLITS,
    ImageDataset,
    check_image_shape,
    hold_out_validation,
)
from tf_marscf.data.validation_split import default_num_validation_images
from tf_marscf.errors import InputError, MissingInputError, warn
from tf_marscf.files.input_files import quoted, shortened
from tf_marscf.files.zip_archive import read_numpy_arrays

_GREY_LEVELS_KEY = "num_grey_levels"
_DEFAULT_NUM_GREY_LEVELS = 256
_NUM_SHOWN_NAMES = 8


def load_npz(options):
    """Loads the images of an .npz file.

    The file holds uint8 arrays `train` and `test` of shape [num_images, height, width, channels],
    may hold an array `validation` and a scalar `num_grey_levels` (256 where it does not); other
    arrays are not read, and a warning names them. Without `validation`, the last images of `train`
    are held out: `options.num_validation_images`, or a tenth but not above 5,000. The test set is
    never touched.

    `options.data_dir` is the file, or a directory that holds no other .npz file. It returns
    and raises what `load_dataset` does.
    """
    path = _npz_path(options)
    arrays, num_grey_levels = _read(path)
    train = arrays["train"]
    for key, array in arrays.items():
        if array.max() >= num_grey_levels:
            raise InputError(
                f"`{key}` of {path} must hold pixels below `{_GREY_LEVELS_KEY}` {num_grey_levels}; "
                f"got {array.max()}."
            )
        if array.shape[1:] != train.shape[1:]:
            raise InputError(
                f"`{key}` of {path} must hold images of the shape of `train`, "
                f"{train.shape[1:]}; got {array.shape[1:]}."
            )
    if "validation" not in arrays:
        default = default_num_validation_images(len(train))
        train, validation = hold_out_validation(train, options, default, str(path))
    elif options.num_validation_images is None:
        validation = arrays["validation"]
    else:
        raise InputError(
            f"`num_validation_images` must be None, since {path} holds an array 'validation'; "
            f"got {options.num_validation_images}."
        )
    height, width, num_stored = train.shape[1:]
    num_channels = options.channels_of(num_stored, str(path))
    dataset = ImageDataset.from_arrays(train, validation, arrays["test"], num_grey_levels, "npz")
    return dataset.padded(height, width, num_channels)


def _npz_path(options):
    """The path of the file; raises an error where there is none or more than one."""
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


def _read(path):
    """The arrays of the splits, by name, and the number of grey levels."""

    def check(key, shape, dtype):
        if key in SPLITS:
            _check_header(f"`{key}` of {path}", shape, dtype)

    arrays, left_out = read_numpy_arrays(
        path,
        "`data_dir` must be an .npz file of plain arrays",
        is_wanted=(*SPLITS, _GREY_LEVELS_KEY).__contains__,
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
    return arrays, _num_grey_levels(arrays.pop(_GREY_LEVELS_KEY, None), path)


def _num_grey_levels(value, path):
    """The number of grey levels that the file states, or the default."""
    if value is None:
        return _DEFAULT_NUM_GREY_LEVELS
    if value.size == 1 and value.dtype.kind in "iu" and 2 <= value.item() <= 256:
        return value.item()
    seen = shortened(repr(value.item())) if value.size == 1 else f"shape {value.shape}"
    raise InputError(
        f"`{_GREY_LEVELS_KEY}` of {path} must be one integer from 2 to 256; got {seen} "
        f"({shortened(str(value.dtype))})."
    )


def _check_header(argument, shape, dtype):
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
