"""Places of files that are written at the end of long work, checked before it."""

import os
import tempfile

from tf_marscf.errors import InputError, RunError
from tf_marscf.files.local_path import local_path


def output_file(name, path):
    """Checks, before any work, that a file can be written.

    Args:
        name: name of the argument that gave the path, for errors.
        path: a string or `os.PathLike`; an existing file will be replaced.

    Returns:
        The path as a string, a leading `~` expanded.

    Raises:
        InputError: if it is no path of a file, or lies in a file.
        RunError: if nothing can be written there.
    """
    path = local_path(name, path)
    if path.endswith(os.sep) or os.path.basename(path) in (".", ".."):
        raise InputError(f"`{name}` must be a file; got {path!r}, a directory.")
    if os.path.lexists(path) and not os.path.isfile(path) and not os.path.islink(path):
        kind = "a directory" if os.path.isdir(path) else "no regular file"
        raise InputError(f"`{name}` must be a file; {path!r} is {kind}.")
    _check_writable(name, path, os.path.dirname(path) or os.curdir)
    return path


def output_directory(name, path):
    """Checks, before any work, that files can be written into a directory.

    Args:
        name: name of the argument that gave the path, for errors.
        path: a string or `os.PathLike`; the directory will be created if missing.

    Returns:
        The path as a string, a leading `~` expanded.

    Raises:
        InputError: if it is no path, is a file, or lies in one.
        RunError: if nothing can be written there.
    """
    path = local_path(name, path)
    _check_writable(name, path, path)
    return path


def _check_writable(name, path, directory):
    """Writes a file without a name into the directory, or the nearest one above it that exists."""
    place = os.path.abspath(directory)
    missing = [os.path.basename(path)]
    while not os.path.lexists(place):
        missing.append(os.path.basename(place))
        place = os.path.dirname(place)
    if not os.path.isdir(place):
        rule = "must be a directory" if directory == path else "must be in a directory"
        raise InputError(
            f"`{name}` {rule}; got {path!r}, with the file {os.path.basename(place)!r}."
        )
    try:
        longest = os.pathconf(place, "PC_NAME_MAX")
        if any(len(os.fsencode(part)) > longest for part in missing):
            raise InputError(f"`{name}` must have names of at most {longest} bytes; got {path!r}.")
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        raise RunError(f"`{name}` {path!r} cannot be written: {error.strerror}.") from error
