"""Reads files of published weights without running any code in them."""

import os

import numpy as np

from tf_marscf.errors import InputError, MissingInputError
from tf_marscf.files.input_files import quoted, shortened
from tf_marscf.files.paths import local_path
from tf_marscf.files.zip_archive import read_numpy_arrays
from tf_marscf.interop.torch_file import read_torch_file

_PREFIX = "module."
_MAX_RANK = 4


def read_weight_file(path):
    """Reads weights by name.

    Args:
        path: a `.pt` or `.pth` file of a PyTorch state dict (either file format; needs the `torch`
            extra), or of a training state that holds one as `state_dict`, `model_state_dict` or
            `model`; or an `.npz` file with one array a weight.

    Returns:
        A dict from name to float32 NumPy array. A leading `module.` (left by
        `torch.nn.DataParallel`) is removed from the names.

    Raises:
        MissingInputError: if there is no such file.
        MissingPackageError: if torch is needed and not installed.
        InputError: if the file is damaged, or holds anything but named weights: finite floats that
            float32 can hold.
        OSError: if the file cannot be read.
    """
    path = local_path("path", path)
    if not os.path.exists(path):
        raise MissingInputError(f"{path!r} must be a file of weights; there is none.")
    if path.lower().endswith(".npz"):
        weights, _ = read_numpy_arrays(path, "a file of weights must be an .npz file of numbers")
    else:
        weights = read_torch_file(path)
    named = {name.removeprefix(_PREFIX): value for name, value in weights.items()}
    if len(named) < len(weights):
        twice = next(name for name in weights if _PREFIX + name in weights)
        raise InputError(f"{path!r} must hold each weight once; it holds {quoted(twice)} twice.")
    return {name: _float32(name, value, path) for name, value in named.items()}


def _float32(name, value, path):
    """An array in float32, if that is what it may be."""
    argument = f"{quoted(name)} of {path!r}"
    if value.size == 0 or value.ndim > _MAX_RANK:
        shape = shortened(str(value.shape))
        raise InputError(f"{argument} must be an array of numbers; got shape {shape}.")
    if value.dtype.kind != "f":
        raise InputError(f"{argument} must be floats; got {shortened(str(value.dtype))}.")
    with np.errstate(over="ignore"):
        converted = value.astype(np.float32, copy=False)
    if not np.all(np.isfinite(converted)):
        seen = value.flat[np.argmin(np.isfinite(converted))]
        raise InputError(f"{argument} must be finite, in float32; got {seen!s}.")
    return converted
