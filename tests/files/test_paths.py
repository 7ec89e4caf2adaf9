"""Paths and places of files, checked before the work whose results they will hold."""

import os
import pathlib

import pytest

from tf_marscf.errors import InputError, InputTypeError, RunError
from tf_marscf.files.paths import local_path, output_directory, output_file


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


def test_what_can_be_written_passes_and_nothing_is_made(tmp_path):
    (tmp_path / "old.json").write_text("{}")
    for path in ("old.json", "new.json", "a/b/new.json"):
        assert output_file("json", tmp_path / path) == str(tmp_path / path)
    for path in (".", "new", "a/b"):
        output_directory("output_dir", tmp_path / path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["old.json"]
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    output_file("json", tmp_path / "link")


def test_home_is_expanded(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert output_file("json", "~/x.json") == str(tmp_path / "x.json")


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("", "`json` must be a path"),
        ("directory", "`json` must be a file; .*'.*directory' is a directory"),
        ("directory/", "`json` must be a file"),
        ("file/x.json", "`json` must be in a directory; got .* with the file 'file'"),
        ("pipe", "`json` must be a file; .*pipe' is no regular file"),
        ("gs://bucket/x.json", "not a URL"),
        ("a*.json", "without the characters"),
        ("n" * 300, "`json` must have names of at most"),
        ("missing/" + "n" * 300, "`json` must have names of at most"),
    ],
)
def test_what_is_no_place_of_a_file_is_named(tmp_path, monkeypatch, path, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "directory").mkdir()
    (tmp_path / "file").touch()
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match=message):
        output_file("json", path)


def test_devices_are_never_replaced():
    with pytest.raises(InputError, match="`json` must be a file; '/dev/null' is no regular file"):
        output_file("json", "/dev/null")


def test_a_directory_that_cannot_be_written_to_is_named():
    # A file system of the kernel, where root cannot make files either.
    for check in (output_file, output_directory):
        with pytest.raises(RunError, match="`output` '/proc/new/x' cannot be written: "):
            check("output", "/proc/new/x")


def test_a_file_is_no_directory(tmp_path):
    (tmp_path / "file").touch()
    for path in ("file", "file/below"):
        with pytest.raises(InputError, match="`output_dir` must be a directory; got .*'file'"):
            output_directory("output_dir", tmp_path / path)
