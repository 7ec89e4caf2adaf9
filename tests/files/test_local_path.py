"""Paths that are refused before any work."""

import os
import pathlib

import pytest

from tf_marscf.errors import InputError, InputTypeError
from tf_marscf.files.local_path import local_path


@pytest.mark.parametrize(
    "path", ["runs/digits", "/tmp/a b", "ä", "x:y", ".", "C:/runs", "lr=1e-3]"]
)
def test_ordinary_paths_stay_as_they_are(path):
    assert local_path("output", path) == path
    assert local_path("output", pathlib.Path(path)) == os.fspath(pathlib.Path(path))


def test_the_home_directory_is_expanded(monkeypatch):
    monkeypatch.setenv("HOME", "/home/of/mine")
    assert local_path("train_dir", "~/runs") == "/home/of/mine/runs"
    assert local_path("train_dir", pathlib.Path("~")) == "/home/of/mine"
    assert local_path("train_dir", "runs/~") == "runs/~"


@pytest.mark.parametrize(
    ("path", "rule"),
    [
        ("", "got an empty one"),
        ("lr=[1e-3]", "takes them for patterns; got 'lr=\\[1e-3\\]'"),
        ("a/*/b", "takes them for patterns"),
        ("what?", "takes them for patterns"),
        ("back\\slash", "takes them for patterns"),
        ("zero\0", "and NUL"),
        ("gs://bucket/run", "not a URL; got 'gs://bucket/run'"),
        (pathlib.Path("gs://bucket/run"), "not a URL"),
        ("s3://bucket", "not a URL"),
        ("file:///tmp/run", "not a URL"),
        (os.fsdecode(b"caf\xe9"), "in UTF-8"),
    ],
)
def test_other_paths_are_refused_by_name(path, rule):
    with pytest.raises(InputError, match=f"`initial_weights` must be a path.*{rule}"):
        local_path("initial_weights", path)


@pytest.mark.parametrize("path", [None, 3, b"runs", ["runs"]])
def test_what_is_no_string_is_refused(path):
    with pytest.raises(InputTypeError, match="`train_dir` must be a path, a string"):
        local_path("train_dir", path)
