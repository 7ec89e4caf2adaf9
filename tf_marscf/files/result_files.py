"""Results of several files, which change as one.

A result is a JSON file and the files beside it that belong to it. All are written under temporary
names first. Then the old JSON file goes, the files take their places, and the new JSON file comes
last: where there is one, all is there. It holds digests (SHA-256) of the files and of its own
entries, so that a reader can tell whether they belong together, whatever else touched them.
"""

import contextlib
import hashlib
import json
import os
from pathlib import Path

from tf_marscf.errors import InputError, MissingInputError
from tf_marscf.files.atomic_file import atomic_directory, flush_to_disk, read_json, write_json

DIGESTS = "sha256"  # The entry of the JSON file: {"entries": digest, "files": {name: digest}}.


def write_result(json_path, write_files):
    """Replaces a result as a whole; if anything is raised, the earlier one stays as it is.

    Files of the earlier result that the new one does not have are removed, if they are still what
    was written.

    Args:
        json_path: the JSON file; its directory is created if missing.
        write_files: called with a `Path`, the directory to write into: its files and directories
            will lie beside the JSON file, under their names. A directory must be new there, or
            empty. It returns what the JSON file holds, a dict.

    Returns:
        That dict, with the digests.
    """
    json_path = Path(json_path)
    names = []

    def publish(directory, _):
        _remove_earlier(json_path, names)
        for name in names:
            os.replace(directory / name, json_path.with_name(name))
        flush_to_disk(json_path.parent)
        os.replace(directory / json_path.name, json_path)

    with atomic_directory(json_path, publish) as directory:
        content = {**write_files(directory)}
        names = sorted(path.name for path in directory.iterdir())
        files = {name: _digest(directory / name) for name in names}
        content[DIGESTS] = {"entries": _entries_digest(content, files), "files": files}
        write_json(directory / json_path.name, content)
    return content


def read_entries(json_path):
    """The dict in the JSON file of a result, or in one without digests, such as one made by hand.

    Raises:
        MissingInputError: if there is none.
        InputError: if it is no JSON object, or its entries are not those that were written.
        OSError: if it cannot be read.
    """
    if not os.path.lexists(json_path):
        raise MissingInputError(f"{os.fspath(json_path)!r} does not exist.")
    if not os.path.isfile(json_path):
        raise InputError(f"{os.fspath(json_path)!r} must be a file.")
    content = read_json(json_path)
    if DIGESTS in content:
        digests = content[DIGESTS]
        if not isinstance(digests, dict) or digests.get("entries") != _entries_digest(
            content, digests.get("files")
        ):
            raise InputError(f"{os.fspath(json_path)!r} is not as it was written: it is damaged.")
    return content


def check_files(json_path, content):
    """Checks that all files of a result are those that `content`, from `read_entries`, tells of.

    Raises:
        InputError: naming the file that is missing or another one.
    """
    for name, digest in _file_digests(json_path, content).items():
        if _digest(Path(json_path).with_name(name)) != digest:
            raise _belongs_error(json_path, name)


def read_file(json_path, content, name):
    """The bytes of one file of a result; arguments and errors as of `check_files`."""
    digest = _file_digests(json_path, content).get(name)
    path = Path(json_path).with_name(name)
    text = path.read_bytes() if path.is_file() else b""
    if hashlib.sha256(text).hexdigest() != digest:
        raise _belongs_error(json_path, name)
    return text


def _belongs_error(json_path, name):
    path = Path(json_path).with_name(name)
    return InputError(f"{str(path)!r} does not belong to {os.path.basename(json_path)!r}.")


def _entries_digest(content, files):
    """Of all other entries, and of the digests of the files."""
    entries = {name: value for name, value in content.items() if name != DIGESTS}
    return hashlib.sha256(json.dumps([entries, files], sort_keys=True).encode()).hexdigest()


def _file_digests(json_path, content):
    if DIGESTS not in content:
        raise InputError(
            f"{os.fspath(json_path)!r} does not say which files belong to it, as those of earlier "
            "versions."
        )
    return content[DIGESTS]["files"]


def _digest(path):
    """Of a file; of a directory, a digest of the names and digests in it; of nothing None."""
    if path.is_file():
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    if not path.is_dir():
        return None
    parts = sorted(part for part in path.rglob("*") if part.is_file())
    lines = [f"{_digest(part)}  {part.relative_to(path).as_posix()}\n" for part in parts]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _remove_earlier(json_path, names):
    """Removes the JSON file, and the files of its result that will not be replaced."""
    with contextlib.suppress(InputError):  # What no result of ours tells of stays.
        for name, digest in _file_digests(json_path, read_entries(json_path)).items():
            path = json_path.with_name(name)
            if name not in names and path.is_file() and _digest(path) == digest:
                path.unlink()
    json_path.unlink(missing_ok=True)
    flush_to_disk(json_path.parent)
