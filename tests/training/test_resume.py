"""Runs that are killed, stopped or damaged go on as if nothing had happened."""

import json
import re
import signal
import subprocess
import time

import numpy as np
import pytest

from tests.checkpoint_weights import latest_step, latest_weights
from tests.running_commands import error_line, run_command, start_command, start_new_command
from tf_marscf.runs.checkpoint_store import CheckpointStore

ARGUMENTS = (
    "--dataset=digits --num_levels=2 --num_steps=1 --hidden_channels=8 --prior_hidden_channels=4 "
    "--prior_num_layers=1 --batch_size=64 --num_epochs=6 --num_sample_images=4 --progress=line "
    "--warm_up_images=500 --learning_rate=4e-3 --decay=cosine --average_decay=0.9 "
    "--checkpoint_every=7 --sample_every=0 --num_validation_images=213 "
    "--prior_start=gaussian --prior_start_images=2500"
).split()
STEPS_PER_EPOCH = 20
pytestmark = pytest.mark.slow


def train(directory, *arguments):
    return run_command("train.py", f"--train_dir={directory}", *ARGUMENTS, *arguments)


def epoch_lines(output):
    """The results of each epoch, without the seconds they took."""
    return re.findall(r"bits_per_dim: .*", output)


@pytest.fixture(scope="module", name="unbroken")
def fixture_unbroken(tmp_path_factory):
    directory = tmp_path_factory.mktemp("unbroken") / "run"
    process = train(directory)
    assert process.returncode == 0, process.stderr
    return directory, epoch_lines(process.stdout)


@pytest.mark.parametrize(
    ("signal_number", "status"),
    [(signal.SIGKILL, -signal.SIGKILL), (signal.SIGTERM, 128 + signal.SIGTERM)],
)
def test_interrupted_run_ends_with_the_numbers_of_the_unbroken_one(
    unbroken, tmp_path, signal_number, status
):
    whole, lines = unbroken
    directory = tmp_path / "run"
    generator = np.random.default_rng(signal_number)
    interruptions = 0
    last_step = 0
    while True:
        process = start_command("train.py", f"--train_dir={directory}", *ARGUMENTS)
        line = process.wait_for_line("after step" if last_step else "starting")
        if last_step:
            step = int(re.search(r"after step (\d+)", line)[1])
            assert step >= last_step
        if interruptions == 3:
            break
        # An epoch takes about half a second once the step is compiled.
        process.wait_for_line("bits_per_dim" if interruptions else "Epoch")
        time.sleep(generator.uniform(0.0, 0.5))
        process.send_signal(signal_number)
        process.communicate()
        assert process.returncode == status
        interruptions += 1
        last_step = latest_step(directory)
    stdout, stderr = process.communicate()
    assert process.returncode == 0, stderr
    assert json.loads((directory / "results.json").read_text()) == json.loads(
        (whole / "results.json").read_text()
    )
    finished = epoch_lines(stdout)
    assert finished == lines[-len(finished) :]
    expected, actual = latest_weights(whole), latest_weights(directory)
    assert expected.keys() == actual.keys()
    for name in expected:
        np.testing.assert_array_equal(expected[name], actual[name], err_msg=name)


@pytest.fixture(name="stopped")
def fixture_stopped(unbroken, tmp_path):
    """A copy of the finished run: it has two checkpoints."""
    import shutil

    directory = tmp_path / "stopped"
    shutil.copytree(unbroken[0], directory)
    return directory


def test_truncated_checkpoint_is_refused_by_name_and_the_one_before_used(unbroken, stopped):
    newest, before = CheckpointStore(stopped, "latest").paths()
    data = next(newest.glob("*.data-*"))
    data.write_bytes(data.read_bytes()[:1000])
    process = train(stopped)
    assert process.returncode == 0, process.stderr
    assert f"warning: checkpoint '{newest}' is refused" in process.stdout
    assert f"continuing after step 119, from {before}" in process.stdout
    assert (stopped / "results.json").read_text() == (unbroken[0] / "results.json").read_text()


def test_larger_batch_and_rate_go_on_and_are_logged(stopped):
    process = train(stopped, "--num_epochs=7", "--batch_size=128", "--learning_rate=1e-3")
    assert process.returncode == 0, process.stderr
    log = (stopped / "run.log").read_text()
    for change in (
        "batch_size was 64 and is 128",
        "learning_rate was 0.004 and is 0.001",
        "num_epochs was 6 and is 7",
    ):
        assert change in process.stdout
        assert change in log
    assert json.loads((stopped / "config.json").read_text())["training"]["batch_size"] == 128
    newest = CheckpointStore(stopped, "latest").paths()[0]
    # 1,284 images: ten steps of 128.
    assert newest.name == f"step_{6 * STEPS_PER_EPOCH + 10:08d}"


def test_another_architecture_is_refused_and_nothing_changes(stopped):
    before = (stopped / "config.json").read_bytes()
    process = train(stopped, "--hidden_channels=16")
    assert process.returncode == 1
    assert "hidden_channels was 8 and is 16" in error_line(process)
    assert (stopped / "config.json").read_bytes() == before


def test_second_process_on_the_same_directory_is_refused(tmp_path):
    first = start_command("train.py", f"--train_dir={tmp_path}", *ARGUMENTS)
    first.wait_for_line("starting")
    second = train(tmp_path)
    first.kill()
    first.communicate()
    assert second.returncode == 1
    assert f"in use by process {first.pid}" in error_line(second)


def test_full_disk_ends_with_one_line_and_the_last_checkpoint_intact(unbroken, stopped):
    """A limit on file sizes stands for the full disk: the write fails half way."""
    import resource

    newest = CheckpointStore(stopped, "latest").paths()[0]
    expected = latest_weights(stopped)
    process = start_new_command(
        "train.py",
        f"--train_dir={stopped}",
        *ARGUMENTS,
        "--num_epochs=8",
        preexec_fn=lambda: (
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN),
            resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000)),
        ),
    )
    stdout, stderr = process.communicate()
    assert process.returncode == 1
    line = error_line(subprocess.CompletedProcess(process.args, 1, stdout, stderr))
    assert "cannot be written" in line or "File too large" in line
    assert CheckpointStore(stopped, "latest").paths()[0] == newest
    for name, value in latest_weights(stopped).items():
        np.testing.assert_array_equal(value, expected[name])
