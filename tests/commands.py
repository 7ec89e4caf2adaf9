"""The commands in bin/, run as a user runs them."""

import functools
import multiprocessing
import os
import pathlib
import runpy
import signal
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[1]

TINY_MODEL = (
    "--num_levels=2 --num_steps=1 --hidden_channels=8 --prior_hidden_channels=4 "
    "--prior_num_layers=1 --batch_size=64 --num_epochs=1 --num_sample_images=4 --progress=line"
).split()
_ENVIRONMENT = {"CUDA_VISIBLE_DEVICES": "", "TF_CPP_MIN_LOG_LEVEL": "2"}
# What takes seconds to import, and all commands need.
_IMPORTED = ["keras", "scipy.linalg", "tensorflow", "tensorflow_datasets", "tensorflow_probability"]


def start_command(script, *arguments, **kwargs):
    """Starts bin/SCRIPT in a new interpreter and returns the process."""
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
    """Runs bin/SCRIPT and returns the finished process, with `stdout` and `stderr` as text.

    It runs in a process of its own, a fork of one that has imported TensorFlow and has run nothing:
    the import would take longer than most commands.
    """
    with tempfile.TemporaryDirectory() as directory:
        outputs = [os.path.join(directory, name) for name in ("stdout", "stderr")]
        process = _fork_server().Process(
            target=_run_script,
            args=(str(ROOT / "bin" / script), [*map(str, arguments)], outputs),
            kwargs={"env": env or {}, "cwd": str(cwd)},
        )
        process.start()
        process.join(600)
        assert process.exitcode is not None, f"{script} runs for ever"
        texts = [pathlib.Path(path).read_text(encoding="utf-8") for path in outputs]
    return subprocess.CompletedProcess([script, *arguments], process.exitcode, *texts)


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
    sys.path[:0] = [os.path.dirname(path)]
    runpy.run_path(path, run_name="__main__")


def error_line(process):
    """The one line that a failed command ends with; there must be no traceback."""
    assert "Traceback" not in process.stderr
    lines = [line for line in process.stderr.splitlines() if line.startswith("error:")]
    assert len(lines) == 1, process.stderr
    assert process.stderr.rstrip().endswith(lines[0])
    return lines[0]
