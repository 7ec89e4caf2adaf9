"""Files and directories that appear whole or not at all."""

import contextlib
import os
import shutil
from pathlib import Path


@contextlib.contextmanager
def atomic_write(path):
    """Opens a binary file under a temporary name, and renames it to `path` when all went well.

    Args:
        path: the file to write; its directory is created if missing. An existing file is replaced
            in one step, and kept if an error is raised inside the context.

    Yields:
        A binary file object.
    """
    path = Path(path)
    temporary = _temporary_path(path)
    try:
        with open(temporary, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def atomic_directory(path):
    """Makes a directory under a temporary name, and renames it to `path` when all went well.

    Args:
        path: the directory to make; there must be none of this name, or an empty one.

    Yields:
        The `Path` to write files into.

    Raises:
        OSError: if `path` is a file, or a directory that is not empty; it is kept as it is.
    """
    path = Path(path)
    temporary = _temporary_path(path)
    try:
        temporary.mkdir()
        yield temporary
        os.replace(temporary, path)
    finally:
        if temporary.exists():
            shutil.rmtree(temporary)


def _temporary_path(path):
    """A name beside `path`, on the same disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.with_name(f".{path.name}.{os.getpid()}.partial")
