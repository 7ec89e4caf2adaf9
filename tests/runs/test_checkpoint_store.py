"""Checkpoints on the disk: whole or not at all."""

import itertools
import os
import pathlib

import pytest
import tensorflow as tf

from tf_marscf.errors import InputError, RunError
from tf_marscf.files.atomic_file import remove_partial
from tf_marscf.runs.checkpoint_store import (
    CheckpointStore,
    DamagedCheckpointsError,
    write_order,
)
from tf_marscf.training.run_directory import run_lock


def checkpoint(value=0.0):
    return tf.train.Checkpoint(weight=tf.Variable([float(value)] * 2))


def read(store, into):
    path, refused = store.restore(lambda prefix: into.read(prefix).assert_consumed())
    return path, [(path.name, reason) for path, reason in refused]


def test_newest_is_restored_and_the_oldest_removed(tmp_path):
    store = CheckpointStore(tmp_path, "latest", keep=2)
    for step in (5, 10, 100):
        store.save(checkpoint(step), step)
    assert [path.name for path in store.paths()] == ["step_00000100", "step_00000010"]
    restored = checkpoint()
    path, refused = read(store, restored)
    assert path.name == "step_00000100"
    assert not refused
    assert float(restored.weight[0]) == 100.0


def test_no_checkpoint_is_none(tmp_path):
    assert read(CheckpointStore(tmp_path, "latest"), checkpoint()) == (None, [])


def truncate(path):
    data = next(path.glob("*.data-*"))
    data.write_bytes(data.read_bytes()[:4])


def truncate_index(path):
    index = path / "checkpoint.index"
    index.write_bytes(index.read_bytes()[:10])


def empty(path):
    for file in path.iterdir():
        file.unlink()


def foreign_shape(path):
    tf.train.Checkpoint(weight=tf.Variable([1.0])).write(str(path / "checkpoint"))


def foreign_names(path):
    tf.train.Checkpoint(other=tf.Variable([1.0, 1.0])).write(str(path / "checkpoint"))


@pytest.mark.parametrize("damage", [truncate, truncate_index, empty, foreign_shape, foreign_names])
def test_damaged_or_foreign_checkpoint_is_named_and_the_one_before_is_used(tmp_path, damage):
    store = CheckpointStore(tmp_path, "latest")
    store.save(checkpoint(1.0), 1)
    damage(store.save(checkpoint(2.0), 2))
    restored = checkpoint()
    path, refused = read(store, restored)
    assert path.name == "step_00000001"
    assert [name for name, _ in refused] == ["step_00000002"]
    assert float(restored.weight[0]) == 1.0


def test_nothing_readable_is_an_error_that_names_all(tmp_path):
    store = CheckpointStore(tmp_path, "latest")
    for step in (1, 2):
        truncate(store.save(checkpoint(step), step))
    with pytest.raises(RunError, match=r"no checkpoint can be read.*step_00000002.*step_00000001"):
        read(store, checkpoint())


def test_set_aside_keeps_the_files_but_no_longer_counts(tmp_path):
    store = CheckpointStore(tmp_path, "latest")
    store.set_aside(store.save(checkpoint(), 3))
    assert store.paths() == []
    assert (store.directory / "refused_step_00000003" / "checkpoint.index").exists()


def test_saving_the_same_step_again_replaces_it(tmp_path):
    store = CheckpointStore(tmp_path, "latest")
    store.save(checkpoint(1.0), 7)
    store.save(checkpoint(2.0), 7)
    restored = checkpoint()
    read(store, restored)
    assert float(restored.weight[0]) == 2.0
    assert len(list(store.directory.iterdir())) == 1


@pytest.mark.parametrize("killed_at", ["write", "rename"])
def test_a_kill_while_saving_leaves_the_checkpoints_before(tmp_path, monkeypatch, killed_at):
    """KeyboardInterrupt stands for the kill: no handler of errors runs for it."""
    store = CheckpointStore(tmp_path, "latest")
    store.save(checkpoint(1.0), 1)
    new = checkpoint(2.0)

    def kill(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(*((new, "write") if killed_at == "write" else (os, "rename")), kill)
    with pytest.raises(KeyboardInterrupt):
        store.save(new, 2)
    monkeypatch.undo()
    assert [path.name for path in store.paths()] == ["step_00000001"]
    remove_partial(store.directory)
    assert [path.name for path in store.directory.iterdir()] == ["step_00000001"]


def test_a_full_disk_is_one_clear_error_and_keeps_the_last_checkpoint(tmp_path, monkeypatch):
    store = CheckpointStore(tmp_path, "latest")
    store.save(checkpoint(1.0), 1)
    new = checkpoint(2.0)

    def fail(path):
        pathlib.Path(f"{path}.index").write_bytes(b"half")
        raise tf.errors.ResourceExhaustedError(None, None, "No space left on device")

    monkeypatch.setattr(new, "write", fail)
    with pytest.raises(RunError, match=r"be written: No space left.*Last good.*step_0000000"):
        store.save(new, 2)
    assert [path.name for path in store.directory.iterdir()] == ["step_00000001"]


def test_the_lock_keeps_a_second_run_out_until_the_first_ends(tmp_path):
    with run_lock(tmp_path):
        with pytest.raises(RunError, match=f"in use by process {os.getpid()}"), run_lock(tmp_path):
            pass
    with run_lock(tmp_path):
        pass


def test_the_newest_is_the_one_that_was_written_last_whatever_its_step(tmp_path):
    store = CheckpointStore(tmp_path, "latest")
    for step in (4000, 5000, 100):
        store.save(checkpoint(step), step)
    assert [path.name for path in store.paths()] == ["step_00000100", "step_00005000"]
    store.save(checkpoint(200), 200)
    assert [path.name for path in store.paths()] == ["step_00000200", "step_00000100"]
    restored = checkpoint()
    assert read(store, restored)[0].name == "step_00000200"
    assert float(restored.weight[0]) == 200.0


def test_writes_of_all_kinds_are_counted_together(tmp_path):
    latest, best = (CheckpointStore(tmp_path, kind) for kind in ("latest", "best"))
    paths = [
        store.save(checkpoint(), step) for store, step in ((latest, 9), (best, 9), (latest, 3))
    ]
    orders = [write_order(path) for path in paths]
    assert orders == sorted(orders)
    assert len({number for number, _ in orders}) == 3


def test_checkpoints_of_earlier_versions_come_before_all_others_by_their_steps(tmp_path):
    store = CheckpointStore(tmp_path, "latest", keep=4)
    for step in (50, 4000, 300):
        (store.save(checkpoint(step), step) / "write_number").unlink()
    store.save(checkpoint(1), 1)
    assert [write_order(path)[1] for path in store.paths()] == [1, 4000, 300, 50]


def damaged_number(path):
    (path / "write_number").write_text("1\n7\n")


def test_a_damaged_number_is_named_and_the_one_before_is_used(tmp_path):
    store = CheckpointStore(tmp_path, "latest")
    for step in (1, 2):
        store.save(checkpoint(step), step)
    damaged_number(store.directory / "step_00000002")
    path, refused = read(store, checkpoint())
    assert path.name == "step_00000001"
    assert refused == [("step_00000002", "its file write_number is damaged")]


@pytest.mark.parametrize(
    "error",
    [
        PermissionError(13, "Permission denied"),
        OSError(5, "Input/output error"),
        MemoryError(),
        tf.errors.PermissionDeniedError(None, None, "Permission denied"),
        tf.errors.ResourceExhaustedError(None, None, "out of memory"),
        tf.errors.UnavailableError(None, None, "file system"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_the_system_does_not_let_read_is_an_error_and_not_damage(tmp_path, error):
    store = CheckpointStore(tmp_path, "latest")
    for step in (1, 2):
        store.save(checkpoint(step), step)

    def fail(prefix):
        raise error

    with pytest.raises(RunError, match=r"step_00000002' cannot be read, which says nothing"):
        store.restore(fail)
    assert [path.name for path in store.paths()] == ["step_00000002", "step_00000001"]


def test_a_file_that_cannot_be_opened_is_an_error_and_not_damage(tmp_path, monkeypatch):
    store = CheckpointStore(tmp_path, "latest")
    for step in (1, 2):
        store.save(checkpoint(step), step)
    data = next((store.directory / "step_00000002").glob("*.data-*"))
    data.unlink()
    data.symlink_to(data.name)  # A loop: also root cannot read it.
    with pytest.raises(RunError, match="cannot be read.*symbolic links"):
        read(store, checkpoint())


def test_nothing_is_refused_before_an_older_one_was_read(tmp_path):
    store = CheckpointStore(tmp_path, "latest")
    for step in (1, 2):
        truncate(store.save(checkpoint(step), step))
    with pytest.raises(DamagedCheckpointsError, match="Nothing was changed"):
        read(store, checkpoint())


@pytest.mark.parametrize("renames_before_the_kill", [1, 2])
def test_a_kill_while_a_step_is_written_again_leaves_one_of_both(
    tmp_path, monkeypatch, renames_before_the_kill
):
    store = CheckpointStore(tmp_path, "latest")
    store.save(checkpoint(1.0), 7)
    rename, count = os.rename, itertools.count()

    def rename_or_kill(*paths):
        if next(count) == renames_before_the_kill:
            raise KeyboardInterrupt
        rename(*paths)

    monkeypatch.setattr(os, "rename", rename_or_kill)
    with pytest.raises(KeyboardInterrupt):
        store.save(checkpoint(2.0), 7)
    monkeypatch.undo()
    remove_partial(store.directory)
    restored = checkpoint()
    assert read(store, restored)[0] is not None
    assert float(restored.weight[0]) == float(renames_before_the_kill)
    store.save(checkpoint(3.0), 7)
    read(store, restored)
    assert float(restored.weight[0]) == 3.0
    assert [path.name for path in store.directory.iterdir()] == ["step_00000007"]


@pytest.mark.parametrize(
    "train_dir", ["lr=[1e-3]", "a*", "what?", "back\\slash", "gs://runs/1", ""]
)
def test_directories_that_tensorflow_could_not_read_again_are_refused(train_dir):
    with pytest.raises(InputError, match="`train_dir` must be a path"):
        CheckpointStore(train_dir, "latest")
