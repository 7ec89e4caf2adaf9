"""Zip archives and the arrays of .npz files; checksums and sizes are compared before any use."""

import errno
import io
import math
import struct
import zipfile

import numpy as np

from tf_marscf.errors import InputError, first_line
from tf_marscf.files.input_files import (
    check_fits_memory,
    file_size,
    open_regular_file,
    quoted,
    shortened,
)

# No stream of deflate gives more bytes for one.
MAX_DEFLATE_RATIO = 1032
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_IS_ENCRYPTED = 0x1
# Of the record at the end: the number of members, after what is not needed here.
_END_RECORD = struct.Struct("<10xH10x")
_SEE_ZIP64 = 0xFFFF
_CHUNK_BYTES = 2**20
# NumPy's own limit is 10,000; the numbers before a header take at most 12.
_MAX_HEADER_BYTES = 10_012
_HEADER_READERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
# NumPy cannot have more axes in all versions, nor longer ones on all machines.
_MAX_RANK = 32
_MAX_AXIS = 2**31


class ZipArchive:
    """A zip archive, read from an open file.

    Args:
        file: the file, which must stay open.
        rule: how errors begin: what the file must be, and its path.

    Attributes:
        names: of the members, in the order of the archive.

    Raises:
        InputError: if the file is no zip archive or damaged, has two members of one name, or states
            sizes that cannot be; also from the methods.
        OSError: if the file cannot be read; also from the methods.
    """

    def __init__(self, file, rule):
        self._rule = rule
        if not self._call(zipfile.is_zipfile, file):
            raise self._error("it is no zip archive, or cut off")
        self._archive = self._call(zipfile.ZipFile, file)
        members = self._archive.infolist()
        self.names = [member.filename for member in members]
        if self._num_stated(file) not in (len(members), _SEE_ZIP64):
            raise self._error(f"it is damaged: it states other than {len(members)} members")
        self._members = dict(zip(self.names, members, strict=True))
        if len(self._members) < len(members):
            twice = next(name for name in self.names if self.names.count(name) > 1)
            raise self._error(f"it holds {quoted(twice)} twice")
        for member in members:
            if member.flag_bits & _IS_ENCRYPTED or member.compress_type not in _METHODS:
                raise self._error(f"{quoted(member.filename)} is encrypted or oddly compressed")
            ratio = 1 if member.compress_type == zipfile.ZIP_STORED else MAX_DEFLATE_RATIO
            if member.file_size > ratio * member.compress_size:
                raise self._error(
                    f"{quoted(member.filename)} cannot become {member.file_size} bytes out of "
                    f"{member.compress_size}"
                )
            # The name is there a second time, and one of the two may be damaged.
            self._call(self._archive.open, member).close()
        stored = sum(member.compress_size for member in members)
        if stored > file_size(file):
            raise self._error(f"its members cannot take {stored} of {file_size(file)} bytes")

    def size(self, name):
        """The size of a member in bytes, not compressed."""
        return self._members[name].file_size

    def is_compressed(self, name):
        """Whether a member is compressed."""
        return self._members[name].compress_type != zipfile.ZIP_STORED

    def start(self, name, num_bytes):
        """The first bytes of a member, not compared with the checksum."""
        with self._call(self._archive.open, name) as stream:
            return self._call(stream.read, num_bytes)

    def read(self, name):
        """All bytes of a member, as a `bytearray`, compared with the checksum."""
        content = bytearray()
        for chunk in self._chunks(name):
            content += chunk
        return content

    def check(self, name):
        """Compares a member with its checksum and size."""
        for _ in self._chunks(name):
            pass

    def _num_stated(self, file):
        """How many members the record at the end states, which zipfile does not look at."""
        file.seek(file_size(file) - _END_RECORD.size - len(self._archive.comment))
        return _END_RECORD.unpack(file.read(_END_RECORD.size))[0]

    def _chunks(self, name):
        """The bytes of a member, in parts; never more than the archive states."""
        member, num_read = self._members[name], 0
        with self._call(self._archive.open, member) as stream:
            while chunk := self._call(stream.read, _CHUNK_BYTES):
                num_read += len(chunk)
                yield chunk
        if num_read != member.file_size:
            raise self._error(
                f"{quoted(name)} has {num_read} instead of {member.file_size} bytes, so it is "
                "damaged or cut off"
            )

    def _call(self, function, *arguments):
        """Calls what reads the archive: but for I/O errors, its errors are those of the file."""
        try:
            return function(*arguments)
        except MemoryError:
            raise
        # Damaged archives make zipfile raise errors of many types; nothing but it runs here.
        except Exception as error:
            # A damaged archive may send it to a place before the file's start.
            if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
                raise
            raise self._error(f"it is damaged ({shortened(first_line(error))})") from error

    def _error(self, problem):
        return InputError(f"{self._rule}: {problem}.")


def read_numpy_arrays(path, rule, is_wanted=None, check=None):
    """Reads arrays of an .npz file; no memory is taken for what the file cannot hold.

    Args:
        path: the file.
        rule: how errors begin: what the file must be.
        is_wanted: function of a member's name, without `.npy`, whether it is read; None for all.
        check: function of name, shape and dtype, called before an array's values are read; raises
            an `InputError` if they are not as they must be; or None.

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
            name = member.removesuffix(".npy")
            if is_wanted is not None and not is_wanted(name):
                left_out.append(name)
            elif name == member:
                raise InputError(f"{quoted(name)} of {path} must be an array; got another file.")
            else:
                arrays[name] = _read_array(archive, member, name, path, check)
    return arrays, left_out


def _read_array(archive, member, name, path, check):
    """Reads one array, once what its header says has been compared with the archive."""
    argument = f"`{shortened(name)}` of {path}"
    start = archive.start(member, _MAX_HEADER_BYTES)
    shape, is_fortran, dtype, header_bytes = _read_header(start, argument)
    if dtype.hasobject:
        raise InputError(f"{argument} must be numbers. Object arrays cannot be loaded.")
    if check is not None:
        check(name, shape, dtype)
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
