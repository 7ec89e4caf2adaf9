"""The directory of an exported model, which holds a folder a version."""

import itertools
import os
from pathlib import Path

from tf_marscf import rules
from tf_marscf.errors import InputError, RunError
from tf_marscf.files.atomic_file import flush_to_disk, flush_tree_to_disk
from tf_marscf.files.paths import local_path
from tf_marscf.runs.model_directory import exported_versions


def checked_output(output, version):
    """The `Path` of a model's directory, in which a version can be made.

    Args:
        output: the model's directory, which holds its versions; it may be missing.
        version: an integer from 1 to 2^63 - 1, as TensorFlow Serving's; None: the one after the
            newest.

    Raises:
        InputError: if an argument is out of range, or `output` is a file.
        RunError: if the version exists.
    """
    if version is not None:
        rules.integer(1, num_bits=63)(version, "`version`")
    output = Path(local_path("output", output))
    if output.exists() and not output.is_dir():
        raise InputError(f"`output` must be a directory; {str(output)!r} is a file.")
    if version is not None and version in exported_versions(output):
        raise _exists_error(output, version)
    return output


def publish(partial, output, version):
    """Gives a finished directory the name of its version, and returns its path.

    Of two processes with one number, one is too late: a `RunError`.
    """
    flush_tree_to_disk(partial)
    path = _rename(partial, output, version)
    flush_to_disk(output)
    return path


def _rename(partial, output, version):
    newest = max(exported_versions(output), default=0)
    for number in itertools.count(newest + 1) if version is None else [version]:
        path = output / str(number)
        try:
            # Of directories, a rename replaces empty ones only.
            os.rename(partial, path)
            return path
        except OSError:
            if not os.path.lexists(path):
                raise
    raise _exists_error(output, version)


def _exists_error(output, version):
    return RunError(
        f"`output` {str(output)!r} has a version {version} already, which is not overwritten."
    )
