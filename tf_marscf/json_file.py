"""JSON files that appear whole or not at all."""

import json

from tf_marscf.atomic_file import atomic_write


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
