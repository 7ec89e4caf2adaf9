"""Images in the arrays of an .npz file."""

import functools

from tf_marscf.data.image_dataset import SPLITS, ImageDataset, check_image_array
from tf_marscf.errors import InputError, MissingInputError, warn
from tf_marscf.files.input_files import quoted, shortened
from tf_marscf.files.zip_archive import read_numpy_arrays

_GREY_LEVELS_KEY = "num_grey_levels"
_LABELS_KEYS = {split: f"{split}_labels" for split in SPLITS}
_DEFAULT_NUM_GREY_LEVELS = 256
_NUM_SHOWN_NAMES = 8


def load_npz(config):
    """Loads the images of an .npz file.

    The file holds uint8 arrays `train` and `test` of shape [num_images, height, width, channels],
    may hold an array `validation` and a scalar `num_grey_levels` (256 where it does not), and
    integers [num_images] `train_labels`, `validation_labels` and `test_labels`, which are read for
    models with classes. Other arrays are not read, and a warning names them. Without `validation`,
    the last images of `train` are held out. The test set is never touched.

    `config.data_dir` is the file, or a directory that holds no other .npz file.
    """
    path = _npz_path(config.data_path)
    arrays = _read(path)
    num_grey_levels = _num_grey_levels(arrays.get(_GREY_LEVELS_KEY), path)
    train, validation, test = (arrays.get(split) for split in SPLITS)
    num_images = {split: len(arrays[split]) for split in SPLITS if split in arrays}

    def read_labels(split):
        return _read_labels(path, split, num_images[split])

    if validation is None:
        train, validation = config.hold_out(train)
        read_labels = functools.partial(config.labels_of, read=read_labels)
    elif config.num_validation_images is not None:
        raise InputError(
            f"`num_validation_images` must be None, since {path} holds an array 'validation'; "
            f"got {config.num_validation_images}."
        )
    return ImageDataset.from_arrays(
        train, validation, test, num_grey_levels, config.name, path, read_labels
    )


def _npz_path(path):
    """The path of the file; raises an error where there is none or more than one."""
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
    """The arrays by name."""

    def check(key, shape, dtype):
        if key in SPLITS:
            check_image_array(f"`{key}` of {path}", shape, dtype)

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
    left_out = [name for name in left_out if name not in _LABELS_KEYS.values()]
    if left_out:
        names = ", ".join(map(quoted, left_out[:_NUM_SHOWN_NAMES]))
        warn(f"{len(left_out)} of the arrays in {path} not read: {names}")
    return arrays


def _read_labels(path, split, num_images):
    """The labels of the images in an array, integers [num_images]."""
    wanted = _LABELS_KEYS[split]

    def check(key, shape, dtype):
        if dtype.kind not in "iu" or shape != (num_images,):
            raise InputError(
                f"`{key}` of {path} must be integers of shape ({num_images},), one an image; got "
                f"{shortened(str(dtype))} of shape {shape}."
            )

    rule = "`data_dir` must be an .npz file of plain arrays"
    arrays, left_out = read_numpy_arrays(path, rule, is_wanted=wanted.__eq__, check=check)
    if wanted not in arrays:
        names = ", ".join(map(quoted, sorted(left_out)[:_NUM_SHOWN_NAMES]))
        raise InputError(
            f"`data_dir` must be an .npz file with labels, an array {wanted!r}, for a model with "
            f"classes; got {path}, which has {names}."
        )
    return arrays[wanted]


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
