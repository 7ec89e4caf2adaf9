"""JSON and CSV files, written whole or not at all."""

import csv
import io
import json

from tf_marscf.errors import InputError
from tf_marscf.files.atomic_file import atomic_write


def write_json(path, content):
    """Writes `content` as indented JSON.

    Args:
        path: the file to write; its directory is created if missing.
        content: what `json.dumps` takes; every number must be finite.

    Raises:
        ValueError: if a number is NaN or infinite, which JSON does not have.
    """
    text = json.dumps(content, indent=2, allow_nan=False)
    with atomic_write(path) as file:
        file.write((text + "\n").encode())


def read_json(path):
    """Reads a file that holds a JSON object, as a dict.

    Raises:
        InputError: if it holds anything else.
        OSError: if it cannot be read.
    """
    with open(path, "rb") as file:
        text = file.read()
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{str(path)!r} must be a JSON file; {error}.") from error
    if not isinstance(content, dict):
        raise InputError(f"{str(path)!r} must hold a JSON object; got {type(content).__name__}.")
    return content


def write_csv(path, columns, rows):
    """Writes rows below a line with the names of the columns.

    Args:
        path: the file to write; its directory is created if missing.
        columns: names of the columns, in order.
        rows: dicts from such a name to a value; None and a missing name give an empty cell.

    Raises:
        ValueError: if a row has a name that is not in `columns`.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    with atomic_write(path) as file:
        file.write(text.getvalue().encode())
