"""Reads files of published weights without running any code in them."""

import os
import warnings

import numpy as np

from tf_marscf.errors import InputError, MissingInputError, MissingPackageError, warn
from tf_marscf.files.input_files import file_size, open_regular_file, quoted, shortened
from tf_marscf.files.paths import local_path
from tf_marscf.files.zip_archive import ZipArchive, read_numpy_arrays

_PREFIX = "module."
_MAX_RANK = 4
_ZIP_SIGNATURE = b"PK\x03\x04"
_STATE_DICT_NAMES = ("state_dict", "model_state_dict", "model")
_RULE = "a .pt file of weights must be a PyTorch file that holds weights only"


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
        weights = _read_torch_file(path)
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


def _read_torch_file(path):
    """A dict from name to NumPy array; of the two formats, the zip archive alone has checksums."""
    with open_regular_file(path) as file:
        try:
            import torch
        except ImportError as error:
            raise MissingPackageError(
                f"{path!r} is a file that only PyTorch reads, and it is not installed. "
                "Install the extra: pip install 'tf_marscf[torch]'."
            ) from error
        is_zip = file.read(len(_ZIP_SIGNATURE)) == _ZIP_SIGNATURE
        if is_zip:
            _check_archive(file, path)
        content = _load(torch, file, path)
        if not is_zip and file.read(1):
            raise InputError(f"{_RULE}; {path!r} goes on after them, so it is damaged.")
        num_bytes = file_size(file)
    if not is_zip:
        warn(f"{path} has PyTorch's older format without checksums: damage to it may go unseen")
    tensors = _named_tensors(torch, content, path)
    num_left = num_bytes
    for name, tensor in tensors.items():
        # A tensor may repeat a few numbers as often as it likes.
        num_left -= tensor.numel() * tensor.element_size()
        if num_left < 0:
            raise InputError(
                f"{path!r} must hold as many numbers as its shapes say; of {num_bytes} bytes, it "
                f"holds {quoted(name)} of shape {shortened(str(tuple(tensor.shape)))}."
            )
    return {name: _array(torch, name, tensor, path) for name, tensor in tensors.items()}


def _check_archive(file, path):
    """Compares all checksums, as PyTorch does not."""
    file.seek(0)
    archive = ZipArchive(file, f"{_RULE}; got {path}, which cannot be read as one")
    for name in archive.names:
        # PyTorch compresses nothing; a small file could become a very large one here.
        if archive.is_compressed(name):
            raise InputError(f"{_RULE}, not compressed; {path!r} has {quoted(name)} compressed.")
        archive.check(name)


def _load(torch, file, path):
    """What the file holds, of the types that PyTorch takes for safe."""
    file.seek(0)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return torch.load(file, map_location="cpu", weights_only=True)
    except (OSError, MemoryError):
        raise
    # PyTorch raises errors of many types on a damaged or unsafe file; all mean the same here. What
    # they say is long, and advises to load unsafely.
    except Exception as error:
        raise InputError(
            f"{_RULE}; {path!r} is damaged or holds more ({type(error).__name__})."
        ) from error


def _named_tensors(torch, content, path):
    """The dict from names to tensors in what a file holds."""
    if isinstance(content, dict):
        # What training programs save beside the weights, such as the epoch, is left alone.
        content = next((content[name] for name in _STATE_DICT_NAMES if name in content), content)
    rule = f"{path!r} must hold a dict from names to tensors; it holds"
    if not isinstance(content, dict):
        raise InputError(f"{rule} a {type(content).__name__}.")
    for name, value in content.items():
        if not isinstance(name, str):
            raise InputError(f"{rule} a name {shortened(repr(name))}, a {type(name).__name__}.")
        if not torch.is_tensor(value):
            raise InputError(f"{rule} a {type(value).__name__} at {quoted(name)}.")
        if value.layout != torch.strided or value.is_quantized or value.is_nested:
            raise InputError(f"{rule} a sparse, nested or quantized tensor at {quoted(name)}.")
        if value.device.type != "cpu":
            raise InputError(f"{rule} a tensor without values at {quoted(name)}.")
    return content


def _array(torch, name, tensor, path):
    """The values of one tensor, without its gradient."""
    if tensor.dtype == torch.bfloat16:
        tensor = tensor.float()
    try:
        return np.asarray(tensor.detach().resolve_conj().resolve_neg().numpy())
    except TypeError as error:  # Of a dtype that NumPy does not have.
        raise InputError(
            f"{quoted(name)} of {path!r} must be floats; got {tensor.dtype}."
        ) from error
