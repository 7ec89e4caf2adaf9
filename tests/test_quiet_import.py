"""TensorFlow is imported without a word of a GPU that is not there; real errors stay."""

import os
import signal
import subprocess
import sys

import pytest

from tests.running_commands import ROOT
from tf_marscf.quiet_import import is_noise

# As TensorFlow 2.21 writes them.
HEADING = "WARNING: All log messages before absl::InitializeLog() is called are written to STDERR"
ONE_DNN = "I0000 00:00:1795832529.498386    9914 port.cc:153] oneDNN custom operations are on."
NO_DRIVER = "I0000 00:00:1795832529.498675    9914 cudart_stub.cc:31] Could not find cuda drivers"
OLDER = "2026-11-28 02:15:29.49: I tensorflow/core/util/port.cc:153] oneDNN custom operations"
NO_CUDA = (
    "E0000 00:00:1795832531.897394    9914 cuda_platform.cc:52] failed call to cuInit: INTERNAL: "
    "CUDA error: Failed call to cuInit: UNKNOWN ERROR (303)"
)
WARNING = "W0000 00:00:1795832531.897394    9914 cpu_allocator.cc:7] Allocation exceeds 10%"
ERROR = "E0000 00:00:1795832531.897394    9914 allocator.cc:7] no memory"
PYTHON = "module.py:3: UserWarning: something else"
EARLY = [HEADING, ONE_DNN, NO_DRIVER, OLDER, WARNING, ERROR, PYTHON]
# What stands in for TensorFlow: it writes to the descriptor, as C++ does.
MODULE = """
import contextlib
import os
def write(content):
    with contextlib.suppress(OSError):
        os.write(2, content)
write({early!r})
{ending}
class config:
    @staticmethod
    def list_physical_devices():
        write({late!r})
"""
PROGRAM = """
import os
{before}
from tf_marscf.quiet_import import import_tensorflow
import_tensorflow()
print(os.environ["TF_CPP_MIN_LOG_LEVEL"])
import tensorflow
tensorflow.write(b"after\\n")
"""


@pytest.fixture(name="run")
def fixture_run(tmp_path):
    """A function that imports the stand-in in a new process; levels of the environment, or None."""

    def run(level=None, ending="", before=""):
        early, late = (
            ("".join(f"{line}\n" for line in lines)).encode() for lines in (EARLY, [NO_CUDA])
        )
        module = MODULE.format(early=early, late=late, ending=ending)
        (tmp_path / "tensorflow.py").write_text(module)
        environment = {"PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}", "CUDA_VISIBLE_DEVICES": ""}
        if level is not None:
            environment["TF_CPP_MIN_LOG_LEVEL"] = level
        return subprocess.run(
            [sys.executable, "-c", PROGRAM.format(before=before)],
            capture_output=True, text=True, env=environment, check=False,
        )  # fmt: skip

    return run


@pytest.mark.parametrize(
    ("level", "expected"),
    [
        (None, [ERROR, PYTHON]),
        ("2", [ERROR, PYTHON]),
        ("1", [WARNING, ERROR, PYTHON]),
        ("3", [PYTHON]),
        ("0", [*EARLY, NO_CUDA]),
        ("", [*EARLY, NO_CUDA]),
    ],
)
def test_what_is_written_is_what_the_level_says(run, level, expected):
    process = run(level)
    assert process.returncode == 0
    assert process.stderr.splitlines() == [*expected, "after"]
    assert process.stdout == f"{'2' if level is None else level}\n"


def test_an_import_that_fails_hides_nothing(run):
    process = run(ending="raise ImportError('libsomething.so is missing')")
    assert process.returncode == 1
    assert process.stderr.startswith("".join(f"{line}\n" for line in EARLY))
    assert process.stderr.endswith("ImportError: libsomething.so is missing\n")


@pytest.mark.parametrize("number", [signal.SIGABRT, signal.SIGKILL])
def test_an_import_that_ends_the_program_hides_nothing(run, number):
    process = run(ending=f"os.kill(os.getpid(), {int(number)})")
    assert process.returncode == -number
    assert process.stderr.splitlines() == EARLY


def test_a_program_without_a_standard_error_stream_imports_all_the_same(run):
    process = run(before="import sys; os.close(2); sys.stderr = None")
    assert process.returncode == 0
    assert process.stdout == "2\n"


@pytest.mark.parametrize("has_device", [True, False])
def test_cuda_that_does_not_start_is_an_error_where_there_is_a_device(has_device):
    assert is_noise(NO_CUDA.encode(), 2, has_device) is not has_device
    assert is_noise(NO_DRIVER.encode(), 2, has_device)
    assert not is_noise(ERROR.encode(), 2, has_device)
