"""Files and directories that appear whole or not at all; JSON and CSV files among them.

All is written in a directory with a name like `.NAME.HEX.partial` beside its place, HEX being
random: process ids repeat in containers. The process that writes holds a lock on it, which the
system releases however the process ends. So what nobody holds was left behind, and the next one
that writes into the same directory removes it.
"""

import contextlib
import csv
import fcntl
import io
import json
import os
import re
import shutil
import uuid
from pathlib import Path

from tf_marscf.errors import InputError

# Earlier versions had files, with the process id, and directories without a name.
_PARTIAL = re.compile(r"\.(.+\.)?([0-9a-f]{32}|[0-9]+)\.partial")
_MAX_NAME = 50  # Characters; a file system takes 255 bytes.


@contextlib.contextmanager
def atomic_write(path):
    """Yields a binary file object; what was written becomes the file `path` when all went well.

    The directory of `path` is created if missing. An existing file is replaced in one step, and
    kept if an error is raised inside the context.
    """
    path = Path(path)
    with unfinished_directory(path) as directory:
        with open(directory / path.name, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(directory / path.name, path)
    flush_to_disk(path.parent)


@contextlib.contextmanager
def atomic_directory(path, publish=os.replace):
    """Yields the `Path` of a temporary directory; `publish` renames it when all went well.

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
    """Yields a locked temporary directory beside `path`; what is left of it is removed."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    remove_partial(path.parent)
    with contextlib.ExitStack() as stack:
        while True:
            temporary = path.with_name(f".{path.name[:_MAX_NAME]}.{uuid.uuid4().hex}.partial")
            temporary.mkdir()
            # Not yet locked, it may be taken for one that was left behind, and removed.
            with contextlib.suppress(FileNotFoundError):
                descriptor = stack.enter_context(_open_descriptor(temporary))
                # File systems without locks cannot tell who has it: nothing is removed there.
                with contextlib.suppress(OSError):
                    fcntl.flock(descriptor, fcntl.LOCK_EX)
            if temporary.exists():
                break
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


def remove_directory(path):
    """Removes a directory, if there is one; killed half-way, what is left is a partial one."""
    path = Path(path)
    if path.is_dir():
        removed = path.with_name(f".{path.name[:_MAX_NAME]}.{uuid.uuid4().hex}.partial")
        os.rename(path, removed)
        shutil.rmtree(removed)


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


def write_json(path, content):
    """Writes `content` as indented JSON; a `ValueError` if a number is NaN or infinite."""
    text = json.dumps(content, indent=2, allow_nan=False)
    with atomic_write(path) as file:
        file.write((text + "\n").encode())


def read_json(path):
    """The dict that a JSON file holds; an `InputError` if it holds anything else."""
    text = Path(path).read_bytes()
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{str(path)!r} must be a JSON file; {error}.") from error
    if not isinstance(content, dict):
        raise InputError(f"{str(path)!r} must hold a JSON object; got {type(content).__name__}.")
    return content


def write_csv(path, columns, rows):
    """Writes a line of columns and a line a row, dicts; None and a missing column are empty."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    with atomic_write(path) as file:
        file.write(text.getvalue().encode())
