"""How many threads an operation gets."""

import os
import subprocess
import sys

import pytest
import tensorflow as tf

from tests.running_commands import ForkedScript
from tf_marscf.kernels import choices, devices
from tf_marscf.kernels.devices import num_cores, num_intra_op_threads
from tf_marscf.kernels.threads import set_default_intra_op_threads

VARIABLE = "TF_NUM_INTRAOP_THREADS"


@pytest.mark.parametrize(
    "cores, environment, num_threads, expected",
    [
        (2, None, None, 1),
        (4, None, None, 1),
        (5, None, None, 5),
        (2, "2", None, 2),
        (2, "2", 3, 3),
        (2, "2", 0, 2),
        (3, "2", 0, 3),
        (8, None, 1, 1),
        (8, "0", None, 8),
        (2, "0", None, 2),
        (4, "0", None, 4),
        (2, "0", 3, 3),
        (2, "", None, 1),
    ],
)
def test_what_a_program_says_comes_first(monkeypatch, cores, environment, num_threads, expected):
    monkeypatch.setattr(devices, "num_cores", lambda: cores)
    monkeypatch.setenv(VARIABLE, environment or "")
    set_default_intra_op_threads(num_threads)
    assert num_intra_op_threads() == expected
    monkeypatch.setattr(tf.config.threading, "get_intra_op_parallelism_threads", lambda: 7)
    assert num_intra_op_threads() == 7


def test_the_cores_are_those_of_this_process():
    assert 1 <= num_cores() <= os.cpu_count()


PROGRAM = """
from tf_marscf.commands import command_line

def main():
    import tensorflow as tf
    from tf_marscf.kernels.devices import num_cores, num_intra_op_threads
    tf.constant(1.0)
    print(num_intra_op_threads(), num_cores())

command_line.run(main, one_thread_on_few_cores={few})
"""


@pytest.mark.parametrize("few", [True, False])
@pytest.mark.parametrize("arguments", [[], ["--intra_op_threads=3"], ["--intra_op_threads=0"]])
def test_every_command_has_the_flag(tmp_path, few, arguments):
    program = tmp_path / "program.py"
    forget = f"import os; os.environ.pop({VARIABLE!r}, None)"
    program.write_text(f"{forget}\n{PROGRAM.format(few=few)}")
    process = ForkedScript(program, *arguments)
    stdout, stderr = process.communicate()
    assert process.returncode == 0, stderr
    threads, cores = (int(number) for number in stdout.split())
    default = 1 if few and cores <= 4 else cores
    assert threads == {"3": 3, "0": cores}.get("".join(arguments)[-1:], default)


def test_0_in_the_environment_is_what_the_flag_0_is():
    result = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(few=True)],
        capture_output=True,
        text=True,
        env=os.environ | {VARIABLE: "0"},
        check=True,
    )
    threads, cores = (int(number) for number in result.stdout.split())
    assert threads == cores


@pytest.mark.parametrize(
    ("text", "few"), [("two", True), ("-1", True), ("1.5", False), ("9" * 30, True)]
)
def test_a_wrong_variable_is_named(monkeypatch, text, few):
    monkeypatch.setenv(VARIABLE, text)
    with pytest.raises(ValueError, match=f"{VARIABLE} must be an integer >= 0; got '{text}'"):
        num_intra_op_threads()
    result = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(few=few)], capture_output=True, text=True
    )
    assert result.returncode == 2
    assert f"got '{text}'" in result.stderr.splitlines()[-1]
    set_default_intra_op_threads(2)
    assert num_intra_op_threads() == 2


def test_what_is_for_any_device_is_made_for_gpus():
    with devices.for_any_device():
        assert devices.has_gpu()
        with tf.Graph().as_default():
            assert choices.num_batch_parts(16) == 1
    assert devices.has_gpu() == bool(tf.config.list_physical_devices("GPU"))
