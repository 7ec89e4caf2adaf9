"""Places of files, checked before the work whose results they will hold."""

import os

import pytest

from tf_marscf.errors import InputError, RunError
from tf_marscf.files.output_path import output_directory, output_file


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
