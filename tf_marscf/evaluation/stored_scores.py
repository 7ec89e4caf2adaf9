"""The scores of single images that an evaluation left, and whether they are a model's own."""

import csv
import hashlib
import io
import os

import numpy as np

from tf_marscf.errors import InputError
from tf_marscf.files.atomic_file import read_json
from tf_marscf.rules import check_entries, entries, integer, text

_ENTRIES = {"weights": text(), "num_samples": integer(1), "num_images": integer(1)}
_SCORES = {"file": text(), "sha256": text()}


def default_json_path(run, split):
    """Where the numbers of an evaluation go, of a `RestoredRun` and a split."""
    data, name = run.run_config.data, split
    if data is None or run.dataset.name != data.name:
        name = f"{run.dataset.name.replace('/', '_')}_{name}"
    return os.path.join(run.config.train_dir, f"evaluation_{name}.json")


def scores_entry(json_path, scores_path):
    """What the JSON file of an evaluation says of its CSV file of scores: where it is, and what.

    The path is relative to the JSON file, so that both can be moved together.
    """
    directory = os.path.dirname(os.path.abspath(json_path))
    with open(scores_path, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"file": os.path.relpath(scores_path, directory), "sha256": digest}


def read_stored_scores(json_path, weights):
    """The bits/dim of single images, from the files that `bin/evaluate.py --scores` wrote.

    Args:
        json_path: the JSON file of an evaluation.
        weights: the `weights_digest` of the model that the scores must be of.

    Returns:
        `(bits_per_dim, path)`: float64 [N] in the order of the images, and the CSV file.

    Raises:
        InputError: if there is none, one file is damaged or does not belong to the other, or they
            are of other weights or of more draws of noise than one; the message says which.
    """
    if not os.path.isfile(json_path):
        raise InputError(f"there is no {json_path!r}")
    content = read_json(json_path)
    check_entries(content, _ENTRIES, repr(json_path))
    if content["weights"] != weights:
        raise InputError(f"{json_path!r} is of other weights")
    if content["num_samples"] != 1:
        raise InputError(f"{json_path!r} is of {content['num_samples']} draws of noise an image")
    if "scores" not in content:
        raise InputError(f"{json_path!r} was written without --scores")
    entries(**_SCORES)(content["scores"], f"'scores' of {json_path!r}")
    path = os.path.normpath(
        os.path.join(os.path.dirname(os.path.abspath(json_path)), content["scores"]["file"])
    )
    if not os.path.isfile(path):
        raise InputError(f"{path!r} is gone")
    with open(path, "rb") as file:
        table = file.read()
    if hashlib.sha256(table).hexdigest() != content["scores"]["sha256"]:
        raise InputError(f"{path!r} is not the file that {json_path!r} tells of")
    rows = csv.DictReader(io.StringIO(table.decode()))
    return np.array([float(row["bits_per_dim"]) for row in rows]), path
