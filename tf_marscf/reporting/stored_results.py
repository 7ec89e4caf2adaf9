"""Results that are there already, and whether they still belong to the model."""

import os

from tf_marscf.errors import InputError, warn
from tf_marscf.files.result_files import check_files, read_entries


def read_result(path, check=lambda content: None):
    """The content of a JSON file, a dict; None where there is none.

    A file that holds something else, such as one that was cut off, is named in a warning and not
    used.

    Args:
        path: the file.
        check: called with the content; raises `InputError` if it is not that of such a result.

    Raises:
        OSError: if it cannot be read.
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


def find_results(context, paths, check=lambda content: None, **expected):
    """The results that belong to the weights of a report and were measured as expected.

    A result of other weights is named in a line of the report: it is there, and not used.

    Args:
        context: the `ReportContext`.
        paths: JSON files that may be there.
        check: as of `read_result`, called for results of these weights.
        **expected: values that the result must hold besides, by name.

    Returns:
        A list of pairs of path and content, in the order of `paths`.
    """

    def check_those_of_the_weights(content):
        if content.get("weights") == context.weights and _agrees(content, expected):
            check(content)

    found = []
    for path in paths:
        content = read_result(path, check_those_of_the_weights)
        if content is None:
            continue
        if content.get("weights") != context.weights:
            context.report(f"{path}: of other weights, not used")
        elif _agrees(content, expected):
            found.append((path, content))
    return found


def find_result_files(context, path, **expected):
    """As `find_results`, for one result of several files, if all of them belong together.

    Returns:
        The content, or None.
    """
    found = find_results(context, [path], lambda content: check_files(path, content), **expected)
    return found[0][1] if found else None


def _agrees(content, expected):
    return all(content.get(name) == value for name, value in expected.items())


def read_bytes(path):
    """The content of a file."""
    with open(path, "rb") as file:
        return file.read()
