"""Arrays of .npz files: plain numbers, of the sizes that their headers state."""

import io
import math
from functools import partial

import numpy as np

from tf_marscf.errors import InputError
from tf_marscf.files.input_files import check_fits_memory, open_regular_file, quoted, shortened
from tf_marscf.files.zip_archive import ZipArchive

_SUFFIX = ".npy"
# NumPy's own limit is 10,000; the numbers before a header take at most 12.
_MAX_HEADER_BYTES = 10_012
_HEADER_READERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
# NumPy cannot have more axes in all versions, nor longer ones on all machines.
_MAX_RANK = 32
_MAX_AXIS = 2**31


def read_numpy_arrays(path, rule, is_wanted=None, check=None):
    """Reads arrays of an .npz file.

    Checksums are compared; no memory is taken for what the file cannot hold.

    Args:
        path: the file.
        rule: how errors begin: what the file must be.
        is_wanted: function of a member's name, without `.npy`, whether it is read; None for all.
        check: function of name, shape and dtype, called before an array's values are read; raises
            an `InputError` if they are not as they must be.

    Returns:
        `(arrays, left_out)`: a dict from name to array, and the names of the members not read.

    Raises:
        InputError: if the file is no .npz file or damaged, or what is wanted is no plain array.
        OSError: if it cannot be read.
    """
    arrays, left_out = {}, []
    with open_regular_file(path) as file:
        archive = ZipArchive(file, f"{rule}; got {path}, which cannot be read as one")
        for member in archive.names:
            name = member.removesuffix(_SUFFIX)
            if is_wanted is not None and not is_wanted(name):
                left_out.append(name)
            elif name == member:
                raise InputError(f"{quoted(name)} of {path} must be an array; got another file.")
            else:
                argument = f"`{shortened(name)}` of {path}"
                check_header = None if check is None else partial(check, name)
                arrays[name] = _read_array(archive, member, argument, check_header)
    return arrays, left_out


def _read_array(archive, member, argument, check):
    """Reads one array, once what its header says has been compared with the archive."""
    shape, is_fortran, dtype, header_bytes = _read_header(
        archive.start(member, _MAX_HEADER_BYTES), argument
    )
    if dtype.hasobject:
        raise InputError(f"{argument} must be numbers. Object arrays cannot be loaded.")
    if check is not None:
        check(shape, dtype)
    expected, found = math.prod(shape) * dtype.itemsize, archive.size(member) - header_bytes
    if expected != found:
        raise InputError(
            f"{argument} must have {expected} bytes, as its shape {shape} and "
            f"{shortened(str(dtype))} say; got {found}."
        )
    check_fits_memory(expected, argument)
    content = archive.read(member)
    return np.ndarray(shape, dtype, content, header_bytes, order="F" if is_fortran else "C")


def _read_header(start, argument):
    """Reads shape, whether the order is Fortran's, dtype and the number of bytes before values."""
    stream = io.BytesIO(start)
    try:
        version = np.lib.format.read_magic(stream)
        shape, is_fortran, dtype = _HEADER_READERS[version](stream)
    # A header is Python source, and damaged ones make NumPy raise errors of many types.
    except Exception as error:
        raise InputError(
            f"{argument} must be an array; got one whose header cannot be read "
            f"({type(error).__name__})."
        ) from error
    if len(shape) > _MAX_RANK or not all(0 <= size < _MAX_AXIS for size in shape):
        raise InputError(f"{argument} must have a shape; got {shortened(str(shape))}.")
    if dtype.itemsize == 0:
        raise InputError(f"{argument} must be numbers; got {shortened(str(dtype))}.")
    return tuple(map(int, shape)), is_fortran, dtype, stream.tell()
