"""Opens files that are to be read, and nothing that could hold a reader up."""

import os
import stat

from tf_marscf.errors import InputError, MissingInputError

_KINDS = (
    (stat.S_ISDIR, "a directory"),
    (stat.S_ISFIFO, "a FIFO"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISSOCK, "a socket"),
)


def open_regular_file(path):
    """Opens a regular file, or what a link to one leads to.

    A FIFO would wait for a writer, and a device such as `/dev/zero` never ends.

    Args:
        path: the file, a string or `os.PathLike`.

    Returns:
        A binary file object.

    Raises:
        MissingInputError: if there is none.
        InputError: if it is something else.
        OSError: if it cannot be opened.
    """
    try:
        mode = os.stat(path).st_mode
    except (FileNotFoundError, NotADirectoryError) as error:
        raise MissingInputError(f"{path} must be a readable file; got {error.strerror}.") from error
    if not stat.S_ISREG(mode):
        kind = next((kind for is_kind, kind in _KINDS if is_kind(mode)), "something else")
        raise InputError(f"{path} must be a readable file; got {kind}.")
    return open(path, "rb")


def file_size(file):
    """The size of an open file, in bytes."""
    return os.fstat(file.fileno()).st_size
