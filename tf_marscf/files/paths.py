"""Paths of files and directories, checked before any work."""

import os
import re
import tempfile

from tf_marscf.errors import InputError, InputTypeError, RunError

# What TensorFlow's file system takes for a pattern when it looks for a checkpoint's files.
_PATTERN_CHARACTERS = "*?[\\"
_URL = re.compile("[A-Za-z][A-Za-z0-9+.-]+:/")  # One letter would be a drive.


def local_path(name, path):
    r"""The path of a file or directory, a string or `os.PathLike`, as a string, `~` expanded.

    All that reads or writes files passes its paths through here first: TensorFlow would write a
    checkpoint to a path that it cannot read again. `name` is the argument that gave it, for errors.

    Raises:
        InputTypeError: if it is neither.
        InputError: if it is empty, a URL such as `gs://bucket/run`, not encodable in UTF-8, or has
            one of the characters `* ? [ \\` or NUL.
    """
    text = os.fspath(path) if isinstance(path, os.PathLike) else path
    if not isinstance(text, str):
        raise InputTypeError(f"`{name}` must be a path, a string; got {path!r}.")
    if not text:
        raise InputError(f"`{name}` must be a path; got an empty one.")
    if _URL.match(text):
        raise InputError(f"`{name}` must be a path on this machine, not a URL; got {text!r}.")
    text = os.path.expanduser(text)
    if "\0" in text or any(character in text for character in _PATTERN_CHARACTERS):
        raise InputError(
            f"`{name}` must be a path without the characters {' '.join(_PATTERN_CHARACTERS)} and "
            f"NUL, since TensorFlow takes them for patterns; got {text!r}."
        )
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InputError(f"`{name}` must be a path in UTF-8; got {text!r}.") from None
    return text


def output_file(name, path):
    """The `local_path` of a file that can be written, or replaced, as is checked before any work.

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
    """The `local_path` of a directory that files can be written into; it may be missing yet.

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
