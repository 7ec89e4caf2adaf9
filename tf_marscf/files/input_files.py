"""Files that others made: opened with care, never larger than memory, and named in errors."""

import os
import stat

from tf_marscf.errors import InputError, MissingInputError

# By the first letter of what `ls -l` shows.
_KINDS = {"d": "a directory", "p": "a FIFO", "c": "a device", "b": "a device", "s": "a socket"}
_MAX_LENGTH = 80


def open_regular_file(path):
    """Opens a regular file, or what a link to one leads to, for reading bytes.

    A FIFO would wait for a writer, and a device such as `/dev/zero` never ends.

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
        kind = _KINDS.get(stat.filemode(mode)[0], "something else")
        raise InputError(f"{path} must be a readable file; got {kind}.")
    return open(path, "rb")


def file_size(file):
    """The size of an open file, in bytes."""
    return os.fstat(file.fileno()).st_size


def memory_bytes():
    """The memory of this machine, in bytes."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def check_fits_memory(num_bytes, argument):
    """Refuses what needs more memory than the machine has, as small compressed files may."""
    available = memory_bytes()
    if num_bytes > available:
        raise InputError(
            f"{argument} must fit into the memory of this machine, {available:,} bytes; got "
            f"{num_bytes:,}."
        )


def quoted(name):
    """A name out of a file, in quotes, in one line of at most some 80 characters."""
    return repr(name if len(name) <= _MAX_LENGTH else f"{name[:_MAX_LENGTH]} ...")


def shortened(text):
    """A text out of a file, in one line of at most some 80 characters."""
    return quoted(text)[1:-1]
