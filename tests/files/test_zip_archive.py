"""Tests of zip archives and regular files: what is no such thing is refused before it is read."""

import io
import os
import random
import warnings
import zipfile

import pytest

from tf_marscf.errors import InputError
from tf_marscf.files.input_files import open_regular_file
from tf_marscf.files.zip_archive import ZipArchive

MEMBERS = {"a": bytes(range(256)), "b/c": b"text" * 40}


def zipped(members=MEMBERS, compression=zipfile.ZIP_STORED):
    stream = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(stream, "w", compression) as archive:
        warnings.simplefilter("ignore")  # About names that are there twice.
        for name, content in members.items() if isinstance(members, dict) else members:
            archive.writestr(name, content)
    return stream.getvalue()


def read(path):
    with open_regular_file(path) as file:
        archive = ZipArchive(file, "`x` must be an archive")
        return {name: bytes(archive.read(name)) for name in archive.names}


def failure(path):
    with pytest.raises(InputError) as caught:
        read(path)
    message = str(caught.value)
    assert "\n" not in message and len(message) < 300
    return message


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("seed", range(80))
def test_damaged_archives_are_refused_or_read_as_they_were(store, compression, seed):
    content = bytearray(zipped(compression=compression))
    assert read(store(content)) == MEMBERS
    generator = random.Random(seed)
    if seed % 4 == 0:
        del content[generator.randrange(len(content)) :]
    for _ in range(generator.randint(1, 3)):
        content[generator.randrange(len(content))] ^= 1 << generator.randrange(8)
    try:
        seen = read(store(content))
    except InputError as error:
        assert str(error).startswith("`x` must be an archive: ")
    else:
        assert seen == MEMBERS


def test_names_that_are_there_twice_are_refused(store):
    assert "it holds 'a' twice" in failure(store(zipped([("a", b"1"), ("a", b"2")])))


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_compressions_are_refused(store, compression):
    assert "oddly compressed" in failure(store(zipped(compression=compression)))


def test_a_size_that_the_file_cannot_hold_is_refused_before_it_is_read(store):
    content = zipped()
    entry = content.index(b"PK\x01\x02")
    for offset, message in ((24, "cannot become"), (20, "cannot take")):
        changed = bytearray(content)
        changed[entry + offset : entry + offset + 4] = (2**31).to_bytes(4, "little")
        assert message in failure(store(changed))


def test_long_names_are_shown_short(store):
    assert "aaa ...' twice" in failure(store(zipped([("a" * 5000, b"")] * 2)))


def test_what_is_no_regular_file_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    for path, kind in (
        (tmp_path, "a directory"),
        (tmp_path / "fifo", "a FIFO"),
        ("/dev/zero", "a device"),
        (tmp_path / "none", "No such file or directory"),
    ):
        assert failure(path) == f"{path} must be a readable file; got {kind}."
