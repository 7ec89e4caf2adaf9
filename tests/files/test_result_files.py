"""Results of several files, which change as one."""

import json
import os

import pytest

from tf_marscf.errors import InputError, MissingInputError
from tf_marscf.files.result_files import check_files, read_entries, read_file, write_result


def write_files(**contents):
    def write(directory):
        for name, text in contents.items():
            (directory / f"{name}.txt").write_text(text)
        return {"names": sorted(contents)}

    return write


def names_in(directory):
    return sorted(path.name for path in directory.iterdir())


@pytest.fixture(name="path")
def fixture_path(tmp_path):
    """A result of two files."""
    path = tmp_path / "result" / "result.json"
    written = write_result(path, write_files(first="1", second="2"))
    assert json.loads(path.read_text()) == written
    return path


def test_a_result_is_read_as_it_was_written(path):
    content = read_entries(path)
    check_files(path, content)
    assert content["names"] == ["first", "second"]
    assert read_file(path, content, "first.txt") == b"1"
    assert names_in(path.parent) == ["first.txt", "result.json", "second.txt"]


def test_what_a_result_no_longer_has_goes_and_what_is_not_its_own_stays(path):
    (path.parent / "mine.txt").write_text("mine")
    write_result(path, write_files(first="new"))
    assert names_in(path.parent) == ["first.txt", "mine.txt", "result.json"]
    write_result(path, write_files(second="2"))
    write_result(path, write_files(second="2", first="3"))
    (path.parent / "first.txt").write_text("changed by somebody")
    write_result(path, write_files(second="2"))
    assert (path.parent / "first.txt").read_text() == "changed by somebody"


def test_a_failure_leaves_the_earlier_result_whole(path):
    before = {name: (path.parent / name).read_bytes() for name in names_in(path.parent)}

    def fail(directory):
        (directory / "first.txt").write_text("new")
        raise RuntimeError("no more")

    with pytest.raises(RuntimeError, match="no more"):
        write_result(path, fail)
    assert {name: (path.parent / name).read_bytes() for name in names_in(path.parent)} == before
    check_files(path, read_entries(path))


@pytest.mark.parametrize("num_renamed", range(3))
def test_an_end_between_any_two_files_leaves_nothing_that_vouches(path, monkeypatch, num_renamed):
    replace, calls = os.replace, []

    def replace_some(source, target):
        if os.path.dirname(target) != os.fspath(path.parent):
            replace(source, target)  # Within the directory of what is not published yet.
            return
        if len(calls) == num_renamed:
            raise KeyboardInterrupt
        calls.append(target)
        replace(source, target)

    monkeypatch.setattr(os, "replace", replace_some)
    with pytest.raises(KeyboardInterrupt):
        write_result(path, write_files(first="new", second="new"))
    assert len(calls) == num_renamed
    with pytest.raises(MissingInputError):
        read_entries(path)


def test_a_file_of_another_result_is_named(path):
    content = read_entries(path)
    (path.parent / "second.txt").write_text("of another")
    with pytest.raises(InputError, match="second.txt' does not belong to 'result.json'"):
        check_files(path, content)
    with pytest.raises(InputError, match="second.txt' does not belong to 'result.json'"):
        read_file(path, content, "second.txt")
    (path.parent / "second.txt").unlink()
    with pytest.raises(InputError, match="second.txt' does not belong"):
        check_files(path, content)
    with pytest.raises(InputError, match="third.txt' does not belong"):
        read_file(path, content, "third.txt")


def test_every_damage_of_the_json_file_is_named(path):
    whole = path.read_bytes()
    written = read_entries(path)
    for place in range(0, len(whole), 3):
        for content in (whole[:place], whole[:place] + b"9" + whole[place + 1 :]):
            path.write_bytes(content)
            try:
                read = read_entries(path)
                check_files(path, read)
            except InputError as error:
                assert "result.json" in str(error)
            else:
                assert read == written  # White space, or a 9 in place of a 9.


def test_other_json_files_are_read_and_vouch_for_nothing(path):
    path.write_text('{"names": []}')
    content = read_entries(path)
    assert content == {"names": []}
    with pytest.raises(InputError, match="does not say which files belong to it"):
        check_files(path, content)
    for text in ("[]", "", '{"a": ', "[" * 100_000, '{"sha256": 1}', '{"sha256": {"entries": []}}'):
        path.write_text(text)
        with pytest.raises(InputError, match="result.json"):
            read_entries(path)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(InputError, match="must be a file"):
        read_entries(path)


def test_a_directory_of_files_is_one_of_them(tmp_path):
    def write(directory):
        (directory / "images").mkdir()
        (directory / "images" / "0.png").write_bytes(b"0")
        return {}

    path = tmp_path / "images.json"
    content = write_result(path, write)
    check_files(path, content)
    (tmp_path / "images" / "1.png").write_bytes(b"1")
    with pytest.raises(InputError, match="images' does not belong to 'images.json'"):
        check_files(path, content)
