"""Many devices compute what one does."""

import functools
import pathlib
import shutil
import time

import numpy as np
import pytest

from tests.clusters import cluster_environments
from tests.event_log import read_scalars
from tests.running_commands import ForkedScript
from tf_marscf.runs.checkpoint_store import CheckpointStore
from tf_marscf.training.strategies import STRATEGIES, check_strategy

PROGRAM = pathlib.Path(__file__).with_name("strategy_program.py")


def start(*arguments, env=None):
    return ForkedScript(PROGRAM, *arguments, env=env)


def finish(*processes):
    for process in processes:
        _, stderr = process.communicate(timeout=600)
        assert process.returncode == 0, stderr


def losses(directory):
    """Loss and gradient norm of every step, and the scores of every evaluation."""
    train = read_scalars(directory / "logs" / "train")
    validation = read_scalars(directory / "logs" / "validation")
    assert len(train["bits_per_dim"]) == 24
    assert len(validation["bits_per_dim"]) == 2
    return np.array(
        [
            *train["bits_per_dim"].values(),
            *train["prior_bits_per_dim/level_1"].values(),
            *validation["bits_per_dim"].values(),
            *validation["average_bits_per_dim"].values(),
        ]
    )


def start_workers(directories, *arguments):
    """Starts one worker a directory."""
    environments = cluster_environments(len(directories))
    return [
        start(directory, "multi_worker", *arguments, env=env)
        for directory, env in zip(directories, environments, strict=True)
    ]


@pytest.fixture(scope="module", name="run_of_one_device")
def fixture_run_of_one_device(tmp_path_factory):
    """A function from a coupling to the directory of a finished run."""

    @functools.cache
    def run(coupling):
        directory = tmp_path_factory.mktemp(coupling) / "run"
        finish(start(directory, "one", coupling, 1))
        return directory

    return run


@pytest.fixture(scope="module", name="run_of_two_workers")
def fixture_run_of_two_workers(tmp_path_factory):
    """A function from a coupling to the directory of a run that two workers finished."""

    @functools.cache
    def run(coupling):
        directory = tmp_path_factory.mktemp(coupling) / "run"
        finish(*start_workers([directory] * 2, coupling, 1))
        return directory

    return run


@pytest.mark.slow
@pytest.mark.parametrize("coupling", ["affine", "mixlogcdf", "variational"])
def test_two_devices_and_two_workers_have_the_losses_of_one_device(
    tmp_path, coupling, run_of_one_device, run_of_two_workers
):
    """ActNorm's initialisation, dequantization and dropout of the global batch included."""
    expected = losses(run_of_one_device(coupling))
    finish(start(tmp_path / "mirrored", "mirrored", coupling, 1))
    np.testing.assert_allclose(losses(tmp_path / "mirrored"), expected, atol=1e-4)
    np.testing.assert_allclose(losses(run_of_two_workers(coupling)), expected, atol=1e-4)


@pytest.mark.slow
def test_two_workers_that_are_killed_go_on_together_or_not_at_all(tmp_path, run_of_two_workers):
    """In a directory that both see they do; where the second has one of its own, both refuse."""
    killed = start_workers([tmp_path / "killed"] * 2, "affine", 1)
    store = CheckpointStore(tmp_path / "killed", "latest")
    while not store.paths():
        time.sleep(0.05)
    for process in killed:
        process.kill()
        process.communicate()
    shutil.copytree(tmp_path / "killed", tmp_path / "alone")
    finish(*start_workers([tmp_path / "killed"] * 2, "affine", 1))
    np.testing.assert_array_equal(losses(tmp_path / "killed"), losses(run_of_two_workers("affine")))

    processes = start_workers([tmp_path / "alone", tmp_path / "own"], "affine", 1)
    for process in processes:
        _, stderr = process.communicate(timeout=600)
        assert process.returncode == 1
        assert "error: `train_dir` must be one directory that all workers share" in stderr
        assert "worker 1 has none" in stderr


@pytest.mark.slow
def test_accumulated_gradients_are_those_of_the_whole_batch(tmp_path, run_of_one_device):
    finish(start(tmp_path / "parts", "mirrored", "affine", 4))
    np.testing.assert_allclose(
        losses(tmp_path / "parts"), losses(run_of_one_device("affine")), atol=1e-4
    )


@pytest.mark.slow
def test_two_devices_whose_steps_are_compiled_have_the_losses_of_one_device(
    tmp_path, run_of_one_device
):
    finish(start(tmp_path / "compiled", "mirrored", "affine", 2, True))
    log = (tmp_path / "compiled" / "run.log").read_text()
    assert "steps are compiled by XLA (jit_compile=True)" in log
    np.testing.assert_allclose(
        losses(tmp_path / "compiled"), losses(run_of_one_device("affine")), atol=1e-4
    )


def test_unknown_strategy_is_named():
    with pytest.raises(ValueError, match="`strategy` must be one of.*'two'"):
        check_strategy("two")
    assert "auto" in STRATEGIES


@pytest.mark.parametrize(
    "text",
    [
        None,
        "{",
        "[]",
        '{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 1}}',
        '{"cluster": {"worker": ["a:1"]}, "task": {"type": "ps", "index": 0}}',
        '{"cluster": {"worker": ["a:1", "a:1"]}, "task": {"type": "worker", "index": 1}}',
        '{"cluster": {"worker": ["a:1", "b"]}, "task": {"type": "worker", "index": 1}}',
        '{"cluster": {"worker": "a:1"}, "task": {"type": "worker", "index": 0}}',
        '{"cluster": {"chief": ["a:1"], "worker": ["b:1"]}, "task": {"type":"worker", "index": 0}}',
    ],
)
def test_cluster_is_checked_before_tensorflow_starts(monkeypatch, text):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    if text is not None:
        monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(ValueError, match="`strategy` multi_worker needs.*TF_CONFIG"):
        check_strategy("multi_worker")
