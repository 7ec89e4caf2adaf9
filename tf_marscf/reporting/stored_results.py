"""Results that are there already, and whether they still belong to the model."""

import json
import os

from tf_marscf.errors import warn


def read_result(path):
    """The content of a JSON file, a dict; None where there is none.

    A file that holds something else, such as one that was cut off, is named in a warning and not
    used.

    Args:
        path: the file.
    """
    if not os.path.isfile(path):
        return None
    try:
        with open(path, encoding="utf-8") as file:
            content = json.load(file)
    except ValueError as error:
        warn(f"{path!r} is not used: it is not JSON ({error}).")
        return None
    if not isinstance(content, dict):
        warn(f"{path!r} is not used: it does not hold a result.")
        return None
    return content


def find_results(context, paths, **expected):
    """The results that belong to the weights of a report and were measured as expected.

    A result of other weights is named in a line of the report: it is there, and not used.

    Args:
        context: the `ReportContext`.
        paths: JSON files that may be there.
        **expected: values that the result must hold besides, by name.

    Returns:
        A list of pairs of path and content, in the order of `paths`.
    """
    found = []
    for path in paths:
        content = read_result(path)
        if content is None:
            continue
        if content.get("weights") != context.weights:
            context.report(f"{path}: of other weights, not used")
        elif all(content.get(name) == value for name, value in expected.items()):
            found.append((path, content))
    return found


def read_bytes(path):
    """The content of a file."""
    with open(path, "rb") as file:
        return file.read()
