"""Files and directories that appear whole or not at all.

What is being written has a name like `.NAME.HEX.partial` beside its place, HEX being random:
process ids repeat in containers. The process that writes it holds a lock on it, which the system
releases however the process ends. So what nobody holds was left behind, and the next one that
writes into the same directory removes it.
"""

import contextlib
import fcntl
import os
import re
import shutil
import uuid
from pathlib import Path

# With the process id of earlier versions, and their exports without a name.
_PARTIAL = re.compile(r"\.(.+\.)?([0-9a-f]{32}|[0-9]+)\.partial")
_MAX_NAME = 50  # Characters; a file system takes 255 bytes.


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
    with _locked(path, lambda temporary: open(temporary, "xb")) as (temporary, file):
        try:
            yield file
            file.flush()
            os.fsync(file.fileno())
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
    flush_to_disk(path.parent)


@contextlib.contextmanager
def atomic_directory(path, publish=os.replace):
    """Makes a directory under a temporary name, and renames it to `path` when all went well.

    Args:
        path: the directory to make; there must be none of this name, or an empty one.
        publish: called with the temporary path and `path`; renames the one to the other.

    Yields:
        The `Path` to write files into.

    Raises:
        OSError: if `path` is a file, or a directory that is not empty; it is kept as it is.
    """
    path = Path(path)
    with unfinished_directory(path) as temporary:
        yield temporary
        flush_tree_to_disk(temporary)
        publish(temporary, path)
    flush_to_disk(path.parent)


@contextlib.contextmanager
def unfinished_directory(path):
    """Makes a directory under a temporary name beside `path`, and removes what is left of it.

    Args:
        path: what the temporary name is made of; its directory is created if missing.

    Yields:
        The `Path` of the directory.
    """
    with _locked(Path(path), _Directory) as (temporary, _):
        try:
            yield temporary
        finally:
            if temporary.exists():
                shutil.rmtree(temporary)


def remove_partial(directory):
    """Removes what processes that are gone left unfinished in a directory."""
    with os.scandir(directory) as entries:
        found = [entry for entry in entries if _PARTIAL.fullmatch(entry.name)]
    for entry in found:
        with contextlib.suppress(OSError), _open_descriptor(entry.path, os.O_NOFOLLOW) as opened:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)  # Raises if somebody has it.
            if entry.is_dir(follow_symlinks=False):
                shutil.rmtree(entry.path)
            else:
                os.unlink(entry.path)


def flush_to_disk(path):
    """Waits until a file, or the names in a directory, are on the disk."""
    with _open_descriptor(path) as descriptor:
        os.fsync(descriptor)


def flush_tree_to_disk(directory):
    """Waits until a directory and all that is in it are on the disk."""
    for part in (directory, *directory.rglob("*")):
        if not part.is_symlink():
            flush_to_disk(part)


@contextlib.contextmanager
def _open_descriptor(path, flags=0):
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | flags)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _locked(path, make):
    """Makes a file or directory with a temporary name beside `path`, and locks it.

    Yields:
        Its path, and what `make` returned.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    remove_partial(path.parent)
    while True:
        temporary = path.with_name(f".{path.name[:_MAX_NAME]}.{uuid.uuid4().hex}.partial")
        with contextlib.closing(make(temporary)) as opened:
            # File systems without locks cannot tell who has it: nothing is removed there.
            with contextlib.suppress(OSError):
                fcntl.flock(opened, fcntl.LOCK_EX)
            if temporary.exists():  # Else another process removed it before it was locked.
                yield temporary, opened
                return


class _Directory:
    """A new directory, open."""

    def __init__(self, path):
        self._descriptor = None
        while self._descriptor is None:
            os.mkdir(path)
            # Not yet locked, it may be taken for one that was left behind.
            with contextlib.suppress(FileNotFoundError):
                self._descriptor = os.open(path, os.O_RDONLY)

    def fileno(self):
        """The file descriptor."""
        return self._descriptor

    def close(self):
        """Closes it."""
        os.close(self._descriptor)
