"""Scores of single images that an evaluation left: used if they are a model's own."""

import numpy as np
import pytest

from tf_marscf.errors import InputError
from tf_marscf.evaluation.stored_scores import read_stored_scores, scores_entry
from tf_marscf.files.atomic_file import write_csv, write_json

BITS = [2.5, 3.25, 1.0]


@pytest.fixture(name="stored")
def fixture_stored(tmp_path):
    """A function that writes both files, with some entries changed, and returns their paths."""

    def write(**changes):
        csv_path, json_path = tmp_path / "tables" / "scores.csv", tmp_path / "evaluation_test.json"
        rows = [{"image": index, "bits_per_dim": bits} for index, bits in enumerate(BITS)]
        write_csv(csv_path, list(rows[0]), rows)
        content = {"weights": "abc", "num_samples": 1, "num_images": 3}
        content["scores"] = scores_entry(str(json_path), str(csv_path))
        content = {name: one for name, one in (content | changes).items() if one is not None}
        write_json(json_path, content)
        return str(json_path), csv_path

    return write


def test_scores_are_read_again_wherever_both_files_are(stored, tmp_path):
    json_path, csv_path = stored()
    scores, path = read_stored_scores(json_path, "abc")
    np.testing.assert_array_equal(scores, BITS)
    assert path == str(csv_path)
    moved = tmp_path.parent / f"{tmp_path.name}_moved"
    tmp_path.rename(moved)
    scores, path = read_stored_scores(str(moved / "evaluation_test.json"), "abc")
    np.testing.assert_array_equal(scores, BITS)
    assert path == str(moved / "tables" / "scores.csv")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"weights": "other"}, "is of other weights"),
        ({"num_samples": 16}, "is of 16 draws of noise an image"),
        ({"scores": None}, "was written without --scores"),
        ({"scores": {"file": "scores.csv"}}, "must have an entry 'sha256'"),
        ({"weights": None}, "must have an entry 'weights'"),
    ],
)
def test_scores_that_are_not_the_models_are_refused(stored, changes, message):
    json_path, _ = stored(**changes)
    with pytest.raises(InputError, match=message):
        read_stored_scores(json_path, "abc")


def test_a_table_that_was_changed_or_is_gone_is_refused(stored, tmp_path):
    json_path, csv_path = stored()
    csv_path.write_text(csv_path.read_text().replace("2.5", "2.4"))
    with pytest.raises(InputError, match="is not the file that"):
        read_stored_scores(json_path, "abc")
    csv_path.unlink()
    with pytest.raises(InputError, match="is gone"):
        read_stored_scores(json_path, "abc")
    with pytest.raises(InputError, match="there is no"):
        read_stored_scores(str(tmp_path / "missing.json"), "abc")
