import math

import numpy as np
import tensorflow as tf

from tf_marscf.reporting.event_files import read_scalars


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
    assert problems == [f"{path.name} is damaged: what lies behind the damage is not shown."]


def test_values_that_are_not_finite_are_counted_and_left_out(tmp_path):
    write_log(tmp_path, {1: 1.0, 2: math.nan, 3: math.inf}, "1")
    scalars, problems = read_scalars(tmp_path)
    assert scalars == {"loss": {1: 1.0}}
    assert problems == ["2 values of loss are not finite, the first at step 2: they are left out."]
