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
    with _temporary(path, Path.touch) as temporary:
        try:
            with open(temporary, "wb") as file:
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
    with _temporary(Path(path), Path.mkdir) as temporary:
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
        with contextlib.suppress(OSError), _open_descriptor(entry.path) as opened:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)  # Raises if somebody has it.
            if entry.is_dir(follow_symlinks=False):
                shutil.rmtree(entry.path)
            else:
                os.unlink(entry.path)


def flush_to_disk(path):
    """Waits until a file, or the names in a directory, are on the disk."""
    with _open_descriptor(path, follow_links=True) as descriptor:
        os.fsync(descriptor)


def flush_tree_to_disk(directory):
    """Waits until a directory and all that is in it are on the disk."""
    for part in (directory, *directory.rglob("*")):
        if not part.is_symlink():
            flush_to_disk(part)


@contextlib.contextmanager
def _open_descriptor(path, follow_links=False):
    flags = os.O_RDONLY | os.O_NONBLOCK | (0 if follow_links else os.O_NOFOLLOW)
    descriptor = os.open(path, flags)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _temporary(path, make):
    """Has `make` make a file or directory with a temporary name beside `path`, and locks it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    remove_partial(path.parent)
    while True:
        temporary = path.with_name(f".{path.name[:_MAX_NAME]}.{uuid.uuid4().hex}.partial")
        make(temporary)
        with contextlib.ExitStack() as stack:
            # Not yet locked, it may be taken for one that was left behind, and removed.
            with contextlib.suppress(FileNotFoundError):
                descriptor = stack.enter_context(_open_descriptor(temporary))
                # File systems without locks cannot tell who has it: nothing is removed there.
                with contextlib.suppress(OSError):
                    fcntl.flock(descriptor, fcntl.LOCK_EX)
            if temporary.exists():
                yield temporary
                return
