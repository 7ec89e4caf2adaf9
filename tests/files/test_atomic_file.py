"""Files and directories that appear whole or not at all."""

import concurrent.futures
import os
import signal
import subprocess
import sys

import pytest

from tf_marscf.files.atomic_file import atomic_directory, atomic_write, remove_partial

_WRITER = """
import sys, time
from tf_marscf.files.atomic_file import atomic_directory, atomic_write
with {function}(sys.argv[1]) as target:
    print("open", flush=True)
    time.sleep(600)
"""


def start_writer(function, path):
    """Starts a process that writes and does not end."""
    process = subprocess.Popen(
        [sys.executable, "-c", _WRITER.format(function=function), str(path)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "open\n"
    return process


def test_a_file_appears_whole(tmp_path):
    path = tmp_path / "new" / "numbers.json"
    with atomic_write(path) as file:
        file.write(b"1")
        assert not path.exists()
    assert path.read_bytes() == b"1"
    with pytest.raises(KeyError), atomic_write(path) as file:
        file.write(b"2")
        raise KeyError
    assert path.read_bytes() == b"1"
    assert os.listdir(path.parent) == ["numbers.json"]


def test_a_directory_appears_whole(tmp_path):
    path = tmp_path / "samples"
    with atomic_directory(path) as directory:
        (directory / "a.png").write_bytes(b"1")
        assert not path.exists()
    with pytest.raises(OSError), atomic_directory(path) as directory:
        (directory / "b.png").write_bytes(b"2")
    assert os.listdir(path) == ["a.png"]
    assert os.listdir(tmp_path) == ["samples"]


@pytest.mark.parametrize("function", ["atomic_write", "atomic_directory"])
def test_what_a_killed_process_left_is_removed_and_what_a_living_one_writes_stays(
    tmp_path, function
):
    killed = start_writer(function, tmp_path / "killed")
    living = start_writer(function, tmp_path / "living")
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    assert len(os.listdir(tmp_path)) == 2
    with atomic_write(tmp_path / "another"):
        pass
    names = os.listdir(tmp_path)
    assert sorted(name.split(".")[1] for name in names if name.startswith(".")) == ["living"]
    living.kill()
    living.wait()
    remove_partial(tmp_path)
    assert os.listdir(tmp_path) == ["another"]


def test_two_processes_with_one_id_do_not_collide(tmp_path, monkeypatch):
    """Containers have process ids of their own, and may share a directory."""
    monkeypatch.setattr(os, "getpid", lambda: 1)
    path = tmp_path / "numbers"
    with atomic_write(path) as first, atomic_write(path) as second:
        first.write(b"first")
        second.write(b"second")
    assert path.read_bytes() == b"first"
    assert os.listdir(tmp_path) == ["numbers"]


def test_many_writers_of_one_directory_do_not_remove_what_others_write(tmp_path):
    def write(number):
        with atomic_directory(tmp_path / f"directory_{number}") as directory:
            (directory / "a").write_text("1")
        with atomic_write(tmp_path / f"file_{number}") as file:
            file.write(b"1")

    with concurrent.futures.ThreadPoolExecutor(8) as threads:
        list(threads.map(write, range(200)))
    assert len(os.listdir(tmp_path)) == 400


def test_what_earlier_versions_left_is_removed_and_other_names_stay(tmp_path):
    left = [".results.json.4711.partial", f".{'0a' * 16}.partial"]
    others = [".partial", ".x.partial", "results.4711.partial", ".results.json.4711.part"]
    for name in [*left, *others]:
        (tmp_path / name).write_text("half")
    remove_partial(tmp_path)
    assert sorted(os.listdir(tmp_path)) == sorted(others)


def test_long_names_and_linked_directories_are_written(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    path = tmp_path / "link" / ("n" * 250)
    with atomic_write(path) as file:
        file.write(b"1")
    assert path.read_bytes() == b"1"
