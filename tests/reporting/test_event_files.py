import math
import os
import types

import numpy as np
import tensorflow as tf

from tf_marscf.reporting.training_curves import read_scalars
from tf_marscf.training.training_log import (
    TrainingLog,
    next_session,
    session_of,
    session_suffix,
)


def write_log(directory, values, name, picture=False):
    """Writes an event file; its name, and so its place in time, is `name`."""
    writer = tf.summary.create_file_writer(str(directory / name))
    with writer.as_default():
        for step, value in values.items():
            tf.summary.scalar("loss", value, step=step)
        if picture:
            tf.summary.image("samples", np.zeros([1, 2, 2, 1], np.float32), step=1)
    writer.close()
    (path,) = (directory / name).iterdir()
    target = directory / f"events.out.tfevents.{name}"
    path.rename(target)
    (directory / name).rmdir()
    return target


def test_numbers_are_read_and_pictures_are_not(tmp_path):
    write_log(tmp_path, {3: 0.5, 1: 2.0}, "1", picture=True)
    scalars, problems = read_scalars(tmp_path)
    assert scalars == {"loss": {1: 2.0, 3: 0.5}}
    assert list(scalars["loss"]) == [1, 3]
    assert problems == []


def test_no_directory_has_no_numbers(tmp_path):
    assert read_scalars(tmp_path / "none") == ({}, [])


def test_what_a_continued_run_did_again_replaces_what_was_before(tmp_path):
    write_log(tmp_path, {10: 1.0, 20: 2.0, 30: 3.0, 40: 4.0}, "1")
    write_log(tmp_path, {30: 3.5}, "2")
    scalars, _ = read_scalars(tmp_path)
    assert scalars["loss"] == {10: 1.0, 20: 2.0, 30: 3.5}


def test_a_record_that_is_cut_off_is_left_out_without_a_word(tmp_path):
    path = write_log(tmp_path, {1: 1.0, 2: 2.0}, "1")
    path.write_bytes(path.read_bytes()[:-5])
    assert read_scalars(tmp_path) == ({"loss": {1: 1.0}}, [])


def test_damage_is_named(tmp_path):
    path = write_log(tmp_path, {1: 1.0, 2: 2.0}, "1")
    content = bytearray(path.read_bytes())
    content[-20] ^= 0xFF
    path.write_bytes(content)
    scalars, problems = read_scalars(tmp_path)
    assert scalars == {"loss": {1: 1.0}}
    assert problems == [f"{path.name} is damaged: what comes after the damage is not shown."]


def test_values_that_are_not_finite_are_counted_and_left_out(tmp_path):
    write_log(tmp_path, {1: 1.0, 2: math.nan, 3: math.inf}, "1")
    scalars, problems = read_scalars(tmp_path)
    assert scalars == {"loss": {1: 1.0}}
    assert problems == ["2 values of loss are not finite, the first at step 2: they are left out."]


def write_session(directory, values, suffix, time):
    """An event file of a session, whose name says that it was written at `time`."""
    path = write_log(directory, values, f"{time:010d}")
    return path.rename(path.with_name(f"{path.name}.host.1.0{suffix}"))


def test_a_clock_that_was_set_back_deletes_no_newer_points(tmp_path):
    write_session(tmp_path, {10: 1.0, 20: 2.0, 30: 3.0}, session_suffix(1, 0), time=9000)
    write_session(tmp_path, {30: 3.5, 40: 4.5}, session_suffix(2, 20), time=8000)
    write_session(tmp_path, {50: 5.0}, session_suffix(10, 40), time=1000)
    scalars, problems = read_scalars(tmp_path)
    assert scalars == {"loss": {10: 1.0, 20: 2.0, 30: 3.5, 40: 4.5, 50: 5.0}}
    assert problems == []


def test_a_session_replaces_all_that_came_after_the_step_where_it_went_on(tmp_path):
    write_session(tmp_path, {10: 1.0, 20: 2.0, 30: 3.0}, session_suffix(1, 0), time=1)
    write_session(tmp_path, {100: 9.0}, session_suffix(2, 10), time=2)
    assert read_scalars(tmp_path)[0] == {"loss": {10: 1.0, 100: 9.0}}
    # One that ended before its first entry has replaced nothing but what it went back behind.
    write_session(tmp_path, {}, session_suffix(3, 50), time=3)
    assert read_scalars(tmp_path)[0] == {"loss": {10: 1.0}}


def test_files_of_earlier_versions_come_first(tmp_path):
    write_log(tmp_path, {10: 1.0, 20: 2.0}, "9")
    write_session(tmp_path, {20: 2.5}, session_suffix(1, 10), time=1)
    assert read_scalars(tmp_path)[0] == {"loss": {10: 1.0, 20: 2.5}}


def test_sessions_are_numbered_by_what_is_there(tmp_path):
    (tmp_path / "train").mkdir()
    directories = [tmp_path / "train", tmp_path / "validation"]
    assert next_session(directories) == 1
    (tmp_path / "train" / "events.out.tfevents.5.host.1.0.v2").touch()
    assert next_session(directories) == 1
    (tmp_path / "train" / f"events.out.tfevents.5.host.1.0{session_suffix(9, 3)}").touch()
    (tmp_path / "train" / f"events.out.tfevents.4.host.1.0{session_suffix(10, 5)}").touch()
    assert next_session(directories) == 11


def test_training_writes_numbered_sessions(tmp_path):
    for step in (0, 25):
        TrainingLog(tmp_path, types.SimpleNamespace(step=step), batch_size=1, every=1).flush()
    for split in ("train", "validation"):
        sessions = sorted(session_of(path.name) for path in (tmp_path / split).iterdir())
        assert sessions == [(1, 0), (2, 25)]


def test_any_bytes_are_read_or_named(tmp_path):
    path = write_log(tmp_path, {1: 1.0, 2: 2.0}, "1")
    whole = path.read_bytes()
    event = tf.compat.v1.Event(step=3)
    value = event.summary.value.add(tag="loss")
    value.tensor.dtype = 99
    generator = np.random.default_rng(0)
    for _ in range(40):
        content = bytearray(whole)
        content[generator.integers(len(content))] ^= 1 << generator.integers(8)
        path.write_bytes(content)
        scalars, problems = read_scalars(tmp_path)
        assert set(scalars.get("loss", {}).items()) <= {(1, 1.0), (2, 2.0)}
    for strange in (b"no event", event.SerializeToString()):
        with tf.io.TFRecordWriter(str(tmp_path / "record")) as writer:
            writer.write(strange)
        path.write_bytes(whole + (tmp_path / "record").read_bytes())
        scalars, problems = read_scalars(tmp_path)
        assert scalars == {"loss": {1: 1.0, 2: 2.0}}
        assert problems == [f"{path.name} is damaged: what comes after the damage is not shown."]


def test_what_is_no_file_is_named_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "events.out.tfevents.1")
    scalars, problems = read_scalars(tmp_path)
    assert scalars == {}
    assert problems == ["events.out.tfevents.1 is no file, and is not shown."]
