"""Reads files of PyTorch weights without running any code in them."""

import os
import zipfile

import numpy as np

from tf_marscf.errors import InputError, MissingInputError, MissingPackageError

_STATE_DICT_NAMES = ("state_dict", "model_state_dict", "model")


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
        FileNotFoundError: if there is no such file.
        ImportError: if torch is needed and not installed.
        ValueError: if the file holds anything but named tensors.
    """
    if not os.path.isfile(path):
        raise MissingInputError(f"`path` must be a file of weights; got {path!r}, which is none.")
    if path.endswith(".npz"):
        weights = _read_numpy_file(path)
    else:
        weights = _read_torch_file(path)
    named = {name.removeprefix("module."): value for name, value in weights.items()}
    if len(named) < len(weights):
        twice = next(name for name in weights if f"module.{name}" in weights)
        raise InputError(f"`path` must hold each weight once; {path!r} holds {twice!r} twice.")
    return named


def _read_numpy_file(path):
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return dict(arrays)
    except (zipfile.BadZipFile, ValueError, OSError, EOFError) as error:
        raise InputError(
            f"`path` must be an .npz file of numbers; {path!r} could not be read: {error}"
        ) from error


def _read_torch_file(path):
    try:
        import torch
    except ImportError as error:
        raise MissingPackageError(
            f"`path` is {path!r}: only PyTorch reads such a file, and it is not installed. "
            "Install the extra: pip install 'tf_marscf[torch]'."
        ) from error
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        # PyTorch raises errors of many types on a damaged or unsafe file; all mean the same here.
        raise InputError(
            f"`path` must be a PyTorch file that holds weights only; {path!r} could not be read: "
            f"{error}"
        ) from error
    if isinstance(state, dict):
        # What training programs save beside the weights, such as the epoch, is left alone.
        state = next((state[name] for name in _STATE_DICT_NAMES if name in state), state)
    if not isinstance(state, dict) or not all(torch.is_tensor(value) for value in state.values()):
        raise InputError(
            f"`path` must hold a dict from names to tensors; {path!r} holds {_kind_of(state)}."
        )
    return {name: value.float().numpy() for name, value in state.items()}


def _kind_of(state):
    if not isinstance(state, dict):
        return f"a {type(state).__name__}"
    name, value = next(
        (name, value) for name, value in state.items() if not hasattr(value, "numpy")
    )
    return f"a {type(value).__name__} at {name!r}"
