"""What commands share: wrong input ends in one line, a bug keeps its traceback."""

import subprocess
import sys
import textwrap

import pytest

from tests.running_commands import ROOT, error_line, run_command

_PROGRAM = """
from absl import flags
from tf_marscf.commands import command_line
from tf_marscf.errors import InputError, MissingInputError, RunError, StoppedError

flags.DEFINE_boolean("fast", False, "")
flags.DEFINE_integer("count", 1, "")
command_line.define_path("train_dir", None, "")

def main():
    {body}

command_line.run(main)
"""


def run_program(body, *arguments, directory=ROOT):
    program = _PROGRAM.format(body=textwrap.indent(body, "    ").strip())
    return subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=directory,
        env={"PYTHONPATH": str(ROOT), "PATH": "", "HOME": "/home/of/mine"},
    )


@pytest.mark.parametrize(
    ("error", "status"),
    [
        ('InputError("`count` must be even; got 3.")', 2),
        ('MissingInputError("`train_dir` must exist.")', 2),
        ('RunError("the server is gone.")', 1),
        ('OSError(28, "No space left on device")', 1),
        ("KeyboardInterrupt()", 130),
    ],
)
def test_expected_errors_are_one_line(error, status):
    process = run_program(f"raise {error}")
    assert process.returncode == status
    assert error_line(process).startswith("error: ")


@pytest.mark.parametrize(
    "bug",
    [
        'int("x")',
        "len(3)",
        "{}['a']",
        "raise ImportError('no such module')",
        "1 / 0",
        "assert False",
    ],
)
def test_a_bug_keeps_its_traceback(bug):
    process = run_program(bug)
    assert process.returncode == 1
    assert "Traceback" in process.stderr
    assert "error: " not in process.stderr.splitlines()[0]


def test_a_stopped_program_ends_with_its_status():
    process = run_program('raise StoppedError("stopped by SIGTERM", 143)')
    assert process.returncode == 143
    assert process.stdout == "stopped by SIGTERM\n"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--nofast=1"], "--nofast=1 does not take an argument"),
        (["--nofast=banana"], "--nofast=banana"),
        (["--fast=banana"], "--fast=banana"),
        (["--nocount"], "nocount"),
        (["--count=many"], "--count=many"),
        (["--count="], "--count="),
        (["--nofast", "1"], "unknown argument '1'"),
        (["--train_dir="], "`train_dir` must be a path; got an empty one"),
        (["--train_dir=lr=[1e-3]"], "takes them for patterns; got 'lr=[1e-3]'"),
        (["--train_dir=gs://bucket/run"], "not a URL"),
        (["--train_dir=caf\udce9"], "in UTF-8"),
        (["--flagfile=missing.flags"], "missing.flags"),
        (["--flagfile=/"], "/"),
    ],
)
def test_wrong_flags_are_usage_errors(arguments, expected):
    process = run_program("print('ran')", *arguments)
    assert process.returncode == 2
    assert expected in error_line(process)
    assert "ran" not in process.stdout


def test_a_flagfile_that_is_no_text_is_named(tmp_path):
    (tmp_path / "recipe.flags").write_bytes(b"--count=\xff\n")
    process = run_program("print('ran')", "--flagfile=recipe.flags", directory=tmp_path)
    assert process.returncode == 2
    assert "--flagfile must be a text file in UTF-8" in error_line(process)


def test_the_home_directory_is_expanded():
    process = run_program("print(flags.FLAGS.train_dir)", "--train_dir=~/runs")
    assert process.stdout == "/home/of/mine/runs\n"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("script", "arguments", "expected"),
    [
        (
            "train.py",
            ["--dataset=digits", "--train_dir=lr=[1]"],
            "`train_dir` must be a path without",
        ),
        (
            "train.py",
            ["--dataset=digits", "--train_dir=run", "--initial_weights=/nonexistent"],
            "`initial_weights` must be a training directory",
        ),
        ("export.py", ["--train_dir=/nonexistent", "--output="], "`output` must be a path; got an"),
        ("export.py", ["--train_dir=/nonexistent", "--output=a"], "`train_dir` must be a training"),
        ("sample.py", ["--train_dir=gs://a/b"], "`train_dir` must be a path on this machine"),
        ("report.py", ["--train_dir="], "`train_dir` must be a path; got an empty one"),
        ("import_weights.py", ["--input=a?.pt", "--output=b"], "`input` must be a path without"),
    ],
)
def test_paths_are_named_by_their_flag(script, arguments, expected, tmp_path):
    process = run_command(script, *arguments, cwd=tmp_path)
    assert process.returncode == 2
    assert expected in error_line(process)
    assert not list(tmp_path.iterdir())
