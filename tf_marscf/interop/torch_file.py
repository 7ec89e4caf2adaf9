"""Tensors of a PyTorch file, read without running any code in it."""

import warnings

import numpy as np

from tf_marscf.errors import InputError, MissingPackageError, warn
from tf_marscf.files.input_files import file_size, open_regular_file, quoted, shortened
from tf_marscf.files.zip_archive import ZipArchive

_ZIP_SIGNATURE = b"PK\x03\x04"
_STATE_DICT_NAMES = ("state_dict", "model_state_dict", "model")
_RULE = "a .pt file of weights must be a PyTorch file that holds weights only"


def read_torch_file(path):
    """A dict from name to NumPy array; of what files and with what errors, `read_weight_file` says.

    The newer format, a zip archive, has checksums, which are compared. The older one has none:
    damage to its numbers cannot be seen, and a warning says so. Of bfloat16 tensors the arrays are
    float32; all others keep their dtype.
    """
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
    _check_sizes(tensors, num_bytes, path)
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


def _check_sizes(tensors, num_bytes, path):
    """Compares shapes with the file: a tensor may repeat a few numbers as often as it likes."""
    total = 0
    for name, tensor in tensors.items():
        total += tensor.numel() * tensor.element_size()
        if total > num_bytes:
            raise InputError(
                f"{path!r} must hold as many numbers as its shapes say; of {num_bytes} bytes, it "
                f"holds {quoted(name)} of shape {shortened(str(tuple(tensor.shape)))}."
            )


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
