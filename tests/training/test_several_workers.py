"""Two workers that train by `bin/train.py`: killed, stopped, started again, and at odds."""

import json
import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from tests.checkpoint_weights import latest_step, latest_weights
from tests.clusters import cluster_environments
from tests.running_commands import ROOT, ForkedScript, error_line

ARGUMENTS = (
    "--dataset=digits --num_levels=1 --num_steps=1 --hidden_channels=8 --prior=gaussian "
    "--batch_size=64 --num_epochs=15 --num_sample_images=4 --progress=none --warm_up_images=500 "
    "--learning_rate=4e-3 --decay=cosine --average_decay=0.9 --checkpoint_every=7 "
    "--sample_every=0 --num_validation_images=213"
).split()
CHIEF, OTHER = 0, 1
pytestmark = pytest.mark.slow


def start_worker(directory, environment, *options):
    script = ROOT / "bin" / "train.py"
    return ForkedScript(script, f"--train_dir={directory}", *ARGUMENTS, *options, env=environment)


def start_workers(directory, *options):
    """Two workers, with what each has for flags besides `ARGUMENTS`."""
    return [
        start_worker(directory, environment, *more)
        for more, environment in zip(options or [(), ()], cluster_environments(2), strict=True)
    ]


def ends(workers):
    """`subprocess.CompletedProcess` of each, once it has ended by itself."""
    outputs = [worker.communicate(timeout=300) for worker in workers]
    return [
        subprocess.CompletedProcess(None, worker.returncode, *output)
        for worker, output in zip(workers, outputs, strict=True)
    ]


def wait_for_a_checkpoint_after(step, directory, workers):
    while latest_step(directory) <= step:
        assert all(worker.returncode is None for worker in workers), ends(workers)
        time.sleep(0.02)


@pytest.fixture(scope="module", name="unbroken")
def fixture_unbroken(tmp_path_factory):
    directory = tmp_path_factory.mktemp("unbroken") / "run"
    for worker in ends(start_workers(directory)):
        assert worker.returncode == 0, worker.stderr
    return directory


def test_workers_that_are_killed_and_stopped_end_with_the_numbers_of_the_unbroken_run(
    unbroken, tmp_path
):
    directory, step = tmp_path / "run", 0
    for number, victim in (
        (signal.SIGKILL, CHIEF),
        (signal.SIGKILL, OTHER),
        (signal.SIGTERM, OTHER),
    ):
        workers = start_workers(directory)
        wait_for_a_checkpoint_after(step, directory, workers)
        workers[victim].send_signal(number)
        ended = ends(workers)
        step = latest_step(directory)
        if number == signal.SIGKILL:
            assert ended[victim].returncode == -signal.SIGKILL
            assert ended[1 - victim].returncode == 1
            assert "another worker ended, or cannot be reached" in error_line(ended[1 - victim])
        else:
            for worker in ended:
                assert worker.returncode == 128 + signal.SIGTERM
                assert f"stopped by SIGTERM after step {step}, which is saved" in worker.stdout
    workers = start_workers(directory)
    for worker in ends(workers):
        assert worker.returncode == 0, worker.stderr
    assert f"continuing after step {step}" in (directory / "run.log").read_text()
    results = [json.loads((path / "results.json").read_text()) for path in (directory, unbroken)]
    assert results[0] == results[1]
    expected, actual = latest_weights(unbroken), latest_weights(directory)
    assert expected.keys() == actual.keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(value, actual[name], err_msg=name)


def test_workers_with_other_flags_refuse_to_start(tmp_path):
    workers = start_workers(tmp_path / "run", ["--learning_rate=1e-3", "--seed=1"], [])
    for worker, text in zip(
        ends(workers), ("learning_rate=0.001, seed=1", "learning_rate=0.004, seed=0"), strict=True
    ):
        assert worker.returncode == 2
        assert f"must have the same flags and data; they differ, and this one has: {text}." in (
            error_line(worker)
        )
    assert not (tmp_path / "run").exists()


def test_a_worker_that_waits_for_others_says_so_and_is_ended_by_ctrl_c(tmp_path):
    worker = start_worker(tmp_path / "run", cluster_environments(2)[0])
    worker.wait_for_line("worker 0 waits for localhost:")
    worker.send_signal(signal.SIGINT)
    worker.communicate(timeout=60)
    assert worker.returncode == -signal.SIGINT


def test_the_commands_of_the_documentation_train_together(tmp_path):
    """As they stand there, but for host, ports, data and directory."""
    page = ROOT / "docs" / "how_to" / "several_gpus_and_machines.md"
    text = page.read_text(encoding="utf-8")
    (block,) = re.findall(r"```sh\n([^`]*TF_CONFIG=[^`]*)```", text)
    commands = re.findall(r"^TF_CONFIG=(?:.*\\\n)*.*$", block, flags=re.MULTILINE)
    assert len(commands) == 2
    addresses = json.loads(cluster_environments(2)[0]["TF_CONFIG"])["cluster"]["worker"]
    replaced = {
        "machine-a:12345": addresses[0],
        "machine-b:12345": addresses[1],
        "python ": f"{sys.executable} ",
        "cifar.flags": "digits.flags",
        "--train_dir=/shared/runs/cifar": f"--train_dir={tmp_path / 'run'} --tiny",
    }
    for words, others in replaced.items():
        assert [command.count(words) for command in commands] == [1, 1]
        commands = [command.replace(words, others) for command in commands]
    environment = os.environ | {"CUDA_VISIBLE_DEVICES": "", "TF_CPP_MIN_LOG_LEVEL": "2"}
    processes = [
        subprocess.Popen(["bash", "-c", command], cwd=ROOT, env=environment) for command in commands
    ]
    for process in processes:
        assert process.wait(timeout=300) == 0
    assert (tmp_path / "run_tiny" / "results.json").exists()
