"""Paths of files and directories, checked before any work."""

import os
import re

from tf_marscf.errors import InputError, InputTypeError

# What TensorFlow's file system takes for a pattern when it looks for a checkpoint's files.
_PATTERN_CHARACTERS = "*?[\\"
_URL = re.compile("[A-Za-z][A-Za-z0-9+.-]+:/")  # One letter would be a drive.


def local_path(name, path):
    r"""Checks the path of a file or directory, and expands `~`.

    All that reads or writes files passes its paths through here first: TensorFlow would write a
    checkpoint to a path that it cannot read again.

    Args:
        name: name of the argument that gave the path, for errors.
        path: a string or `os.PathLike`.

    Returns:
        The path as a string, a leading `~` or `~user` expanded.

    Raises:
        InputTypeError: if it is neither.
        InputError: if it is empty, a URL such as `gs://bucket/run`, not encodable in UTF-8, or has
            one of the characters `* ? [ \\` or NUL.
    """
    try:
        text = os.fspath(path)
    except TypeError:
        text = path
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
