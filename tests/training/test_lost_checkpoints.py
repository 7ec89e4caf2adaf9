"""A run whose checkpoints are damaged, unreadable or gone: nothing is lost, nothing falsified."""

import json
import os
import shutil

import pytest
import tensorflow as tf

from tests.small_trainers import MODEL_OPTIONS, SIMPLE_OPTIONS
from tf_marscf.data import DataConfig
from tf_marscf.errors import NonFiniteLossError, RunError
from tf_marscf.runs.checkpoint_store import CheckpointStore
from tf_marscf.runs.run_config import RunConfig
from tf_marscf.runs.trained_model import restore_model
from tf_marscf.training.training_config import TrainingConfig
from tf_marscf.training.training_run import TrainingRun

pytestmark = pytest.mark.slow


def training_run(directory, **kwargs):
    options = {
        "batch_size": 64,
        "num_epochs": 2,
        "warm_up_images": 100,
        "learning_rate": 2e-3,
        "num_sample_images": 4,
        "sample_every": 0,
        "checkpoint_every": 19,
    }
    return TrainingRun(
        str(directory),
        DataConfig(name="digits"),
        MODEL_OPTIONS | SIMPLE_OPTIONS,
        TrainingConfig(**(options | kwargs)),
        progress="none",
    )


@pytest.fixture(scope="module", name="finished")
def fixture_finished(tmp_path_factory):
    """A finished run: latest 38 and 40, best 20 and 40."""
    directory = tmp_path_factory.mktemp("lost") / "run"
    training_run(directory).run()
    assert names(directory, "latest") == ["step_00000040", "step_00000038"]
    assert names(directory, "best") == ["step_00000040", "step_00000020"]
    return directory


@pytest.fixture(name="run_dir")
def fixture_run_dir(finished, tmp_path):
    shutil.copytree(finished, tmp_path / "run")
    return tmp_path / "run"


def names(directory, kind):
    return [path.name for path in CheckpointStore(directory, kind).paths()]


def files(directory):
    """All files below a directory but the log, with what they hold."""
    return {
        str(path.relative_to(directory)): path.read_bytes()
        for path in sorted(directory.rglob("*"))
        if path.is_file() and path.name not in ("run.log", "run.lock")
    }


def truncate(directory, kind):
    for path in CheckpointStore(directory, kind).paths():
        data = next(path.glob("checkpoint.data*"))
        data.write_bytes(data.read_bytes()[:100])


def test_a_run_whose_checkpoints_are_all_damaged_is_refused_each_time(run_dir):
    truncate(run_dir, "latest")
    before = files(run_dir)
    for _ in range(2):
        with pytest.raises(RunError, match="no checkpoint can be read.*Nothing was changed"):
            training_run(run_dir, learning_rate=1e-3).run()
        assert files(run_dir) == before


def remove_latest(directory):
    shutil.rmtree(directory / "checkpoints" / "latest")


def set_latest_aside(directory):
    for path in CheckpointStore(directory, "latest").paths():
        os.rename(path, path.with_name(f"refused_{path.name}"))
    shutil.rmtree(directory / "checkpoints" / "best")
    (directory / "results.json").unlink()


def leave_results_only(directory):
    shutil.rmtree(directory / "checkpoints")


@pytest.mark.parametrize(
    ("lose", "remains"),
    [
        (remove_latest, "checkpoints/best/step_00000040"),
        (set_latest_aside, "checkpoints/latest/refused_step_00000038"),
        (leave_results_only, "results.json"),
    ],
)
def test_no_run_starts_anew_where_a_run_was(run_dir, lose, remains):
    lose(run_dir)
    before = files(run_dir)
    with pytest.raises(RunError, match=f"holds .*{remains}.* and no checkpoint in .* to go on"):
        training_run(run_dir)
    assert files(run_dir) == before


def test_unreadable_checkpoints_stay_what_they_are(run_dir, monkeypatch):
    before = files(run_dir)

    def fail(self, prefix):
        raise tf.errors.PermissionDeniedError(None, None, "Permission denied")

    monkeypatch.setattr(tf.train.Checkpoint, "read", fail)
    with pytest.raises(RunError, match="cannot be read, which says nothing.*Permission denied"):
        training_run(run_dir).run()
    with pytest.raises(RunError, match="cannot be read, which says nothing"):
        restore_model(RunConfig.load(run_dir), str(run_dir), "best")
    assert files(run_dir) == before


def test_best_weights_of_the_trajectory_that_was_left_are_not_reported(run_dir):
    """From step 38 on the weights get far worse: best are those of step 20, not the old 40."""
    data = next((run_dir / "checkpoints" / "latest" / "step_00000040").glob("*.data*"))
    data.write_bytes(data.read_bytes()[:100])
    before = json.loads((run_dir / "results.json").read_text())
    results = training_run(run_dir, learning_rate=0.5).run()
    assert names(run_dir, "best") == ["step_00000020"]
    assert results["test_bits_per_dim"] > before["test_bits_per_dim"]
    kept = {path.name for path in (run_dir / "checkpoints").glob("*/*") if "_step" in path.name}
    assert kept == {"refused_step_00000040", "left_step_00000040"}


def test_where_no_best_is_left_the_next_evaluation_counts(run_dir):
    shutil.rmtree(run_dir / "checkpoints" / "best")
    training_run(run_dir, num_epochs=3, learning_rate=0.5).run()
    assert names(run_dir, "best") == ["step_00000060"]
    assert "the best weights so far are gone" in (run_dir / "run.log").read_text()


def test_a_state_with_which_no_finite_loss_was_computed_is_no_good_checkpoint(run_dir):
    kept = names(run_dir, "latest")[:1]
    for _ in range(2):
        with pytest.raises(
            NonFiniteLossError,
            match="Set aside, as no finite loss was computed with it: .*refused_step_00000041"
            ".*Last good checkpoint: .*step_00000040",
        ):
            training_run(run_dir, num_epochs=3, learning_rate=1e30, checkpoint_every=1).run()
        assert names(run_dir, "latest") == kept
    assert training_run(run_dir, num_epochs=3).run()["test_bits_per_dim"] < 4.5


def test_a_run_killed_between_its_first_best_and_latest_goes_on(tmp_path, monkeypatch):
    from tf_marscf.training.training_state import TrainingState

    save_best = TrainingState.save_best

    def save_best_and_die(self, distribution):
        save_best(self, distribution)
        raise KeyboardInterrupt

    monkeypatch.setattr(TrainingState, "save_best", save_best_and_die)
    options = {"num_epochs": 1, "checkpoint_every": 1000}
    with pytest.raises(KeyboardInterrupt):
        training_run(tmp_path, **options).run()
    monkeypatch.undo()
    training_run(tmp_path, **options).run()
    assert names(tmp_path, "best") == names(tmp_path, "latest")[:1] == ["step_00000020"]
