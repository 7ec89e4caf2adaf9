"""CSV files that appear whole or not at all."""

import csv
import io

from tf_marscf.files.atomic_file import atomic_write


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
