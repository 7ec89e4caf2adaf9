"""--help and --version: at once, without TensorFlow, whatever else is said."""

import subprocess
import sys

import pytest

from tests.commands.test_ways_to_call import NAMES, run_console_script, run_script
from tests.running_commands import ROOT, error_line
from tf_marscf import __version__
from tf_marscf.commands.comparisons import CONFIGS

BENCHMARKS = ["speed", "kernels", "all_reduce", "portable", *CONFIGS]
# TensorFlow, and what brings it, cannot be imported.
PROGRAM = """
import sys
sys.modules.update(dict.fromkeys(["tensorflow", "keras", "tensorflow_probability", "jax", "torch"]))
sys.argv[0] = "marscf-{name}"
from tf_marscf.commands.{name} import run
run()
"""


def run_without_tensorflow(name, *arguments):
    return subprocess.run(
        [sys.executable, "-c", PROGRAM.format(name=name), *arguments],
        capture_output=True, text=True, env={"PATH": "", "PYTHONPATH": str(ROOT)}, check=False,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "arguments"),
    [*((name, []) for name in NAMES), *(("benchmark", [name]) for name in BENCHMARKS)],
)
def test_help_answers_without_tensorflow(name, arguments):
    process = run_without_tensorflow(name, *arguments, "--help")
    assert process.returncode == 0, process.stderr
    assert process.stderr == ""
    assert f"marscf-{name.replace('_', '-')}" in process.stdout
    if arguments or name != "benchmark":
        assert "--intra_op_threads" in process.stdout


@pytest.mark.parametrize(
    "arguments", [["--num_epochs=many"], ["--recipe=paper"], ["--nonsense", "stray"]]
)
def test_help_answers_whatever_else_is_wrong(arguments):
    process = run_without_tensorflow("train", *arguments, "--help")
    assert process.returncode == 0 and process.stderr == ""
    assert "--num_epochs" in process.stdout


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("run", [run_script, run_console_script])
def test_every_command_says_its_version(run, name, tmp_path):
    process = run(name, "--version", directory=tmp_path)
    assert process.returncode == 0
    assert process.stdout == f"marscf-{name.replace('_', '-')} {__version__}\n"
    assert process.stderr == ""


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("train", ["--num_epochs=many", "--nonsense", "--version", "stray"]),
        ("train", ["--recipe=paper", "--version"]),
        ("benchmark", ["speed", "--version"]),
        ("benchmark", ["no_such_benchmark", "--version"]),
        ("export", ["--output=x", "--version", "--format=fax"]),
        ("export", ["-version"]),
    ],
)
def test_the_version_comes_before_all_checks_and_without_tensorflow(name, arguments):
    process = run_without_tensorflow(name, *arguments)
    assert process.returncode == 0, process.stderr
    assert process.stdout == f"marscf-{name} {__version__}\n"


@pytest.mark.parametrize("number", [["--version=3"], ["--version", "3"], ["--", "--version"]])
def test_a_number_is_that_of_the_export(number):
    process = run_without_tensorflow("export", "--train_dir=/missing", "--output=x", *number)
    assert process.returncode == 2
    expected = "unknown argument" if "--" in number else "`train_dir` must be a training directory"
    assert expected in error_line(process)


def test_the_version_is_known_without_tensorflow():
    program = "import sys, tf_marscf; print(tf_marscf.__version__, 'tensorflow' in sys.modules)"
    process = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert process.stdout == f"{__version__} False\n"
