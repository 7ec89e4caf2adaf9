"""The commands in bin/, run as a user runs them."""

import functools
import multiprocessing
import os
import pathlib
import re
import runpy
import signal
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]

TINY_MODEL = (
    "--num_levels=1 --num_steps=1 --hidden_channels=8 --prior_hidden_channels=4 "
    "--prior_num_layers=1 --batch_size=64 --num_epochs=1 --num_sample_images=4 --progress=line"
).split()
_ENVIRONMENT = {"CUDA_VISIBLE_DEVICES": "", "TF_CPP_MIN_LOG_LEVEL": "2"}
# What takes seconds to import, and all commands need.
_IMPORTED = ["keras", "scipy.linalg", "tensorflow", "tensorflow_datasets", "tensorflow_probability"]


def start_command(script, *arguments):
    """Starts bin/SCRIPT and returns the process, a `ForkedScript`."""
    return ForkedScript(ROOT / "bin" / script, *arguments)


def start_new_command(script, *arguments, **kwargs):
    """Starts bin/SCRIPT in a new interpreter and returns the `subprocess.Popen`."""
    return subprocess.Popen(
        [sys.executable, ROOT / "bin" / script, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=os.environ | _ENVIRONMENT | kwargs.pop("env", {}),
        **kwargs,
    )


def run_command(script, *arguments, env=None, cwd=ROOT):
    """Runs bin/SCRIPT and returns the finished process, with `stdout` and `stderr` as text."""
    process = ForkedScript(ROOT / "bin" / script, *arguments, env=env, cwd=cwd)
    stdout, stderr = process.communicate(timeout=600)
    return subprocess.CompletedProcess([script, *arguments], process.returncode, stdout, stderr)


class ForkedScript:
    """A script in a process of its own, a fork of one that has imported TensorFlow and run nothing.

    The import would take longer than most scripts. Methods are those of `subprocess.Popen`.
    """

    def __init__(self, path, *arguments, env=None, cwd=ROOT):
        self._directory = tempfile.TemporaryDirectory()
        self._position = 0
        self._outputs = [os.path.join(self._directory.name, name) for name in ("out", "err")]
        self._process = _fork_server().Process(
            target=_run_script,
            args=(str(path), [*map(str, arguments)], self._outputs, env or {}, str(cwd)),
        )
        self._process.start()

    @property
    def returncode(self):
        """The exit status; None while it runs."""
        return self._process.exitcode

    @property
    def pid(self):
        """The process id."""
        return self._process.pid

    def send_signal(self, number):
        """Sends a signal."""
        os.kill(self.pid, number)

    def kill(self):
        """Sends SIGKILL."""
        self._process.kill()

    def wait_for_line(self, text):
        """Waits for a line of the standard output that holds a text, after the last one."""
        while True:
            is_running = self.returncode is None
            with open(self._outputs[0], "a+", encoding="utf-8") as file:
                file.seek(self._position)
                for line in iter(file.readline, ""):
                    if not line.endswith("\n"):
                        break
                    self._position = file.tell()
                    if text in line:
                        return line
            assert is_running, f"the process ended without {text!r}: {self.communicate()[1]}"
            time.sleep(0.02)

    def communicate(self, timeout=None):
        """Waits for the end; returns the text of both streams."""
        self._process.join(timeout)
        assert self.returncode is not None, "the script runs for ever"
        with self._directory:
            return tuple(pathlib.Path(path).read_text(encoding="utf-8") for path in self._outputs)


@functools.cache
def _fork_server():
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_IMPORTED)
    environment = dict(os.environ)
    os.environ.update(_ENVIRONMENT)
    try:
        context.Process(target=int).start()  # Starts the server, in this environment.
    finally:
        os.environ.clear()
        os.environ.update(environment)
    return context


def _run_script(path, arguments, outputs, env, cwd):
    """What the process does: as an interpreter that is started with this script."""
    for descriptor, output in zip((1, 2), outputs, strict=True):
        os.dup2(os.open(output, os.O_WRONLY | os.O_CREAT), descriptor)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # The server ignores it.
    os.environ.update(env)
    os.chdir(cwd)
    sys.argv = [path, *arguments]
    sys.path[:0] = [os.path.dirname(path), str(ROOT)]
    runpy.run_path(path, run_name="__main__")


def own_lines(process):
    """The lines of the standard error stream that are no log of TensorFlow's.

    A `ForkedScript` has TensorFlow before its command can do anything about these.
    """
    lines = process.stderr.splitlines()
    return [line for line in lines if not re.match(r"[IWE]\d{4} \S+ +\d+ \S+\.cc:", line)]


def error_line(process):
    """The one line that a failed command ends with; there must be no traceback."""
    assert "Traceback" not in process.stderr
    lines = [line for line in process.stderr.splitlines() if line.startswith("error:")]
    assert len(lines) == 1, process.stderr
    assert process.stderr.rstrip().endswith(lines[0])
    return lines[0]
