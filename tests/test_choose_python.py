"""Which Python `make` takes; interpreters are shell scripts that answer what they are asked."""

import os
import shutil
import subprocess

import pytest

from tests.running_commands import ROOT

NEEDED = "needed is Python 3.11, 3.12 or 3.13 with its module venv"
# As python; `-m venv` makes what the Makefile calls, and says by which Python it was made.
INTERPRETER = """#!{shell}
case "$1" in
    --version) echo "Python {version}"; exit {status} ;;
    -c) exit {venv_status} ;;
    -m) shift 2
        for directory in "$@"; do :; done
        mkdir -p "$directory/bin"
        cp "$0" "$directory/bin/python"
        printf '#!{shell}\\n' > "$directory/bin/pip"
        chmod +x "$directory/bin/pip"
        echo "$0 $*" >> made.txt ;;
esac
"""


@pytest.fixture(name="place")
def fixture_place(tmp_path):
    """A directory with the Makefile, and `bin` with the programs that its set-up needs."""
    (tmp_path / "project" / "bin").mkdir(parents=True)
    for name in ("Makefile", "bin/choose_python.sh", "requirements.txt", "setup.py"):
        shutil.copy(ROOT / name, tmp_path / "project" / name)
    (tmp_path / "path").mkdir()
    for name in ("sh", "touch", "mkdir", "cp", "chmod", "make"):
        (tmp_path / "path" / name).symlink_to(shutil.which(name))
    return tmp_path


def add(place, name, version, status=0, venv_status=0):
    """Puts an interpreter on the path."""
    path = place / "path" / name
    shell = shutil.which("sh")
    path.write_text(
        INTERPRETER.format(shell=shell, version=version, status=status, venv_status=venv_status)
    )
    path.chmod(0o755)
    return path


def run(place, *command):
    return subprocess.run(
        command, capture_output=True, text=True, cwd=place / "project", check=False,
        env={"PATH": str(place / "path")},
    )  # fmt: skip


def choose(place, *arguments):
    return run(place, str(place / "path" / "sh"), "bin/choose_python.sh", *arguments)


def make(place, *arguments):
    return run(place, str(place / "path" / "make"), "venv", *arguments)


def made(place):
    """What made environments, a line each."""
    path = place / "project" / "made.txt"
    return path.read_text().splitlines() if path.exists() else []


@pytest.mark.parametrize(
    ("versions", "expected"),
    [
        ({"python3.11": "3.11.2", "python3.12": "3.12.3", "python3.13": "3.13.0rc1"}, "python3.13"),
        ({"python3.11": "3.11.2", "python3.12": "3.12.3", "python3.14": "3.14.0"}, "python3.12"),
        ({"python3.11": "3.11.2", "python3": "3.10.1"}, "python3.11"),
        ({"python3": "3.12.3"}, "python3"),
        # The newest, whatever it is called.
        ({"python3": "3.13.1 :: somebody's own", "python3.11": "3.11.2"}, "python3"),
        ({"python3.12": "3.12.3", "python3": "3.12.3"}, "python3.12"),
        ({"python": "3.11.9"}, "python"),
    ],
)
def test_the_newest_that_is_allowed_is_taken(place, versions, expected):
    for name, version in versions.items():
        add(place, name, version)
    process = choose(place)
    assert (process.returncode, process.stdout, process.stderr) == (0, f"{expected}\n", "")


def test_what_does_not_work_is_passed_over(place):
    add(place, "python3.13", "switched off", status=127)
    add(place, "python3.12", "3.12.3", venv_status=1)
    add(place, "python3.11", "3.11.2")
    assert choose(place).stdout == "python3.11\n"


@pytest.mark.parametrize(
    ("interpreters", "arguments", "found"),
    [
        ([], [], "found: no Python"),
        ([("python3", "3.9.2")], [], "found: python3 is Python 3.9"),
        ([("python3.14", "3.14.0")], [], "found: python3.14 is Python 3.14"),
        (
            [("python3.13", "3.13.1", 0, 1), ("python3.10", "3.10.2")],
            [],
            "found: python3.13 is Python 3.13 without venv (Debian: python3.13-venv), python3.10 "
            "is Python 3.10",
        ),
        ([("python3.11", "3.11.2"), ("old", "3.10.2")], ["old"], "PYTHON=old is Python 3.10"),
        ([("python3.11", "3.11.2"), ("new", "3.14.0")], ["new"], "PYTHON=new is Python 3.14"),
        ([("python3.11", "3.11.2"), ("two", "2.7.18")], ["two"], "PYTHON=two is Python 2.7"),
        (
            [("python3.11", "3.11.2")],
            ["missing"],
            "PYTHON=missing is no Python interpreter that runs",
        ),
        (
            [("bare", "3.12.1", 0, 1)],
            ["bare"],
            "PYTHON=bare is Python 3.12 without venv (Debian: python3.12-venv)",
        ),
    ],
)
def test_one_line_says_what_was_found_and_what_is_needed(place, interpreters, arguments, found):
    for interpreter in interpreters:
        add(place, *interpreter)
    process = choose(place, *arguments)
    assert process.returncode == 1 and process.stdout == ""
    (line,) = process.stderr.splitlines()
    assert line.startswith(f"error: {found}; {NEEDED}")
    # And so it is with make, which creates nothing.
    process = make(place, *(f"PYTHON={name}" for name in arguments))
    assert process.returncode == 2
    (line,) = process.stderr.splitlines()
    assert f"*** {found}; {NEEDED}" in line
    assert not (place / "project" / ".venv").exists() and not made(place)


def test_make_sets_up_once(place):
    add(place, "python3.11", "3.11.2")
    assert make(place).returncode == 0
    assert (place / "project" / ".venv" / ".installed").exists()
    assert make(place).returncode == 0
    # What was interrupted, or has other requirements, goes on in the same environment.
    os.utime(place / "project" / "requirements.txt", (2**31, 2**31))
    assert make(place).returncode == 0
    path = place / "path" / "python3.11"
    assert made(place) == [f"{path} --clear .venv", f"{path} .venv"]


def test_a_python_that_is_named_wins(place):
    add(place, "python3.13", "3.13.1")
    own = add(place, "own", "3.12.3")
    assert make(place, "PYTHON=own").returncode == 0
    assert made(place) == [f"{own} --clear .venv"]
    # Named again it changes nothing; another one makes it anew.
    assert make(place, "PYTHON=own").returncode == 0
    assert make(place).returncode == 0
    assert len(made(place)) == 1
    assert make(place, "PYTHON=python3.13").returncode == 0
    assert made(place)[1:] == [f"{place / 'path' / 'python3.13'} --clear .venv"]
    # One that is not allowed leaves what is there.
    add(place, "old", "3.9.2")
    process = make(place, "PYTHON=old")
    assert process.returncode == 2 and NEEDED in process.stderr
    assert (place / "project" / ".venv" / ".installed").exists()


def test_make_and_setup_allow_the_same(place):
    assert 'python_requires=">=3.11,<3.14"' in (ROOT / "setup.py").read_text()
    assert 'minors="13 12 11"' in (ROOT / "bin" / "choose_python.sh").read_text()
