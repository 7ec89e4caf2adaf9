"""The commands in bin/, run as a user runs them."""

import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]

TINY_MODEL = (
    "--num_levels=2 --num_steps=1 --hidden_channels=8 --prior_hidden_channels=4 "
    "--prior_num_layers=1 --batch_size=64 --num_epochs=1 --num_sample_images=4 --progress=line"
).split()


def start_command(script, *arguments, **kwargs):
    """Starts bin/SCRIPT and returns the process."""
    return subprocess.Popen(
        [sys.executable, ROOT / "bin" / script, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=kwargs.pop("cwd", ROOT),
        env=os.environ | {"CUDA_VISIBLE_DEVICES": ""} | kwargs.pop("env", {}),
        **kwargs,
    )


def run_command(script, *arguments, **kwargs):
    """Runs bin/SCRIPT and returns the finished process, with `stdout` and `stderr` as text."""
    process = start_command(script, *arguments, **kwargs)
    stdout, stderr = process.communicate(timeout=600)
    return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)


def error_line(process):
    """The one line that a failed command ends with; there must be no traceback."""
    assert "Traceback" not in process.stderr
    lines = [line for line in process.stderr.splitlines() if line.startswith("error:")]
    assert len(lines) == 1, process.stderr
    assert process.stderr.rstrip().endswith(lines[0])
    return lines[0]
