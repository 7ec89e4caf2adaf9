"""Results that are there already, and whether they still belong to the model."""

import io
import os

import numpy as np

from tf_marscf.errors import InputError, warn
from tf_marscf.files.result_files import check_files, read_entries, read_file


def read_result(path, check):
    """The content of a JSON file, a dict; None where there is none.

    A file for whose content `check` raises `InputError`, or that was cut off, is named in a warning
    and not used.
    """
    if not os.path.lexists(path):
        return None
    try:
        content = read_entries(path)
        check(content)
    except InputError as error:
        warn(f"{path!r} is not used: it is not JSON of a result. {error}")
        return None
    return content


def find_result(context, path, check=None, **expected):
    """A result, if it belongs to the weights of a report and was measured as expected.

    A result of other weights is named in a line of the report: it is there, and not used.

    Args:
        context: the `ReportContext`.
        path: a JSON file that may be there.
        check: as of `read_result`, called for results of these weights; default: all files of the
            result must belong together.
        **expected: values that the result must hold besides, by name.

    Returns:
        The content, a dict, or None.
    """

    def is_expected(content):
        return all(content.get(name) == value for name, value in expected.items())

    def is_of_the_weights(content):
        return content.get("weights") == context.weights

    def check_what_is_used(content):
        if is_of_the_weights(content) and is_expected(content):
            check_files(path, content) if check is None else check(content)

    content = read_result(path, check_what_is_used)
    if content is not None and not is_of_the_weights(content):
        context.report(f"{path}: of other weights, not used")
        return None
    return content if content is not None and is_expected(content) else None


def stored_or_made(context, section, stored, place, doing, make):
    """The stored result of a section or, where that is None, what `make()` returns.

    The report has lines that tell which: `place` is the path of the one or the other, and `doing`
    says what `make` does.
    """
    if stored is not None:
        context.report(f"{section}: {place} is of these weights, used again")
        return stored
    context.report(f"{section}: {doing}")
    made = make()
    context.report(f"{section}: wrote {place}")
    return made


def read_arrays(path, content, name):
    """The arrays of an NPZ file of a result, by name; arguments and errors as of `read_file`."""
    with np.load(io.BytesIO(read_file(path, content, name)), allow_pickle=False) as archive:
        return dict(archive)


def download(path):
    """Name and bytes of a file, to be downloaded from the page."""
    with open(path, "rb") as file:
        return os.path.basename(path), file.read()
