"""Tests of the images in .npz files, and of the limit on the number of images."""

import os
import zipfile

import numpy as np
import pytest

from tf_marscf.data import collect_images, load_dataset
from tf_marscf.data.data_config import DataConfig
from tf_marscf.files import input_files


def all_images(images):
    return collect_images(images, int(images.cardinality()))


def images_of(count, *shape, seed=0, dtype=np.uint8):
    return np.random.RandomState(seed).randint(0, 200, (count, *shape)).astype(dtype)


@pytest.fixture(name="arrays")
def fixture_arrays():
    return {"train": images_of(40, 6, 4, 3), "test": images_of(7, 6, 4, 3, seed=1)}


@pytest.fixture(name="store")
def fixture_store(tmp_path):
    def store(**arrays):
        path = tmp_path / "images.npz"
        np.savez_compressed(path, **arrays)
        return path

    return store


def failure(path, error=ValueError, **options):
    """The one line with which loading fails."""
    with pytest.raises(error) as caught:
        load_dataset("npz", path, **options)
    message = str(caught.value)
    assert "\n" not in message
    assert path is None or str(path) in message
    return message


def test_arrays_come_back_with_the_end_of_train_held_out(store, arrays):
    dataset = load_dataset("npz", store(**arrays, labels=np.arange(40)))
    assert dataset.name == "npz"
    assert dataset.image_shape == (6, 4, 3)
    assert dataset.num_grey_levels == 256
    np.testing.assert_array_equal(all_images(dataset.train), arrays["train"][:36])
    np.testing.assert_array_equal(all_images(dataset.validation), arrays["train"][36:])
    np.testing.assert_array_equal(all_images(dataset.test), arrays["test"])


def test_path_may_be_a_string_or_the_directory_of_the_file(store, arrays):
    path = store(**arrays)
    for data_dir in (str(path), path.parent, str(path.parent)):
        np.testing.assert_array_equal(
            all_images(load_dataset("npz", data_dir).test), arrays["test"]
        )


def test_stored_validation_images_are_used(store, arrays):
    validation = images_of(3, 6, 4, 3, seed=2)
    path = store(**arrays, validation=validation)
    dataset = load_dataset("npz", path)
    np.testing.assert_array_equal(all_images(dataset.train), arrays["train"])
    np.testing.assert_array_equal(all_images(dataset.validation), validation)
    message = failure(path, num_validation_images=2)
    assert "`num_validation_images` must be None" in message and "'validation'; got 2" in message


@pytest.mark.parametrize("num_validation", [0, 1, 39])
def test_number_of_validation_images_can_be_chosen(store, arrays, num_validation):
    dataset = load_dataset("npz", store(**arrays), num_validation_images=num_validation)
    assert dataset.num_validation_images == num_validation
    assert (dataset.validation is None) == (num_validation == 0)
    joined = [all_images(split) for name, split in dataset.splits().items() if name != "test"]
    np.testing.assert_array_equal(np.concatenate(joined), arrays["train"])
    assert dataset.num_test_images == 7


def test_number_of_validation_images_must_leave_one_for_training(store, arrays):
    message = failure(store(**arrays), num_validation_images=40)
    assert "`num_validation_images` must be below the 40 images" in message
    assert message.endswith("got 40.")


@pytest.mark.parametrize(
    "num_images, expected",
    [(1, 0), (2, 1), (19, 1), (20, 2), (49_999, 4_999), (50_000, 5_000), (60_000, 5_000)],
)
def test_default_number_of_validation_images(num_images, expected):
    _, validation = DataConfig(name="npz").hold_out(range(num_images))
    assert len(validation or ()) == expected


def test_single_training_image_is_not_held_out(store, arrays):
    dataset = load_dataset("npz", store(train=arrays["train"][:1], test=arrays["test"]))
    assert (dataset.num_train_images, dataset.num_validation_images) == (1, 0)


def test_number_of_grey_levels_is_read(store, arrays):
    small = {key: array % 5 for key, array in arrays.items()}
    assert load_dataset("npz", store(**small, num_grey_levels=5)).num_grey_levels == 5


@pytest.mark.parametrize("num_channels", [1, 2, 5])
def test_any_number_of_channels_will_do(store, num_channels):
    arrays = {"train": images_of(4, 4, 4, num_channels), "test": images_of(2, 4, 4, num_channels)}
    dataset = load_dataset("npz", store(**arrays))
    assert dataset.image_shape == (4, 4, num_channels)
    np.testing.assert_array_equal(all_images(dataset.test), arrays["test"])


def test_one_channel_is_copied_and_others_are_not(store, arrays):
    grey = {key: array[..., :1] for key, array in arrays.items()}
    dataset = load_dataset("npz", store(**grey), num_channels=3)
    np.testing.assert_array_equal(all_images(dataset.test), np.repeat(grey["test"], 3, axis=-1))
    np.testing.assert_array_equal(
        all_images(dataset.validation), np.repeat(grey["train"][36:], 3, axis=-1)
    )
    message = failure(store(**arrays), num_channels=1)
    assert "`num_channels` must be 3" in message and message.endswith("got 1.")


def test_missing_path_is_refused(tmp_path):
    assert failure(None) == (
        "`data_dir` must be the path of an .npz file for dataset 'npz'; got None."
    )
    assert "does not exist" in failure(tmp_path / "none.npz", FileNotFoundError)


def test_directory_must_hold_exactly_one_file(tmp_path, arrays):
    assert "which holds none" in failure(tmp_path)
    for name in ("b.npz", "a.npz"):
        np.savez(tmp_path / name, **arrays)
    assert "which holds a.npz, b.npz" in failure(tmp_path)


@pytest.mark.parametrize("missing, there", [("train", "'test'"), ("test", "'train'")])
def test_missing_array_is_named_with_those_there_are(store, arrays, missing, there):
    arrays["other"] = arrays.pop(missing)
    message = failure(store(**arrays))
    assert f"has no {missing!r}" in message and there in message and "'other'" in message


def test_empty_archive_is_refused(store):
    assert "has no 'train' but nothing" in failure(store())


def with_middle_byte_flipped(content):
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 255]) + content[middle + 1 :]


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: b"some text\nof two lines",
        lambda content: content[: len(content) // 2],
        lambda content: content[:-1],
        with_middle_byte_flipped,
    ],
    ids=["empty", "text", "half", "short", "flipped"],
)
def test_damaged_file_is_refused_in_one_line(store, arrays, damage):
    path = store(**arrays)
    path.write_bytes(damage(path.read_bytes()))
    assert "must be an .npz file of plain arrays" in failure(path)


def test_single_array_is_no_npz_file(tmp_path, arrays):
    np.save(tmp_path / "train.npy", arrays["train"])
    assert "no zip archive" in failure(tmp_path / "train.npy")


def test_pickled_objects_are_not_loaded(store, arrays):
    path = store(train=np.array([{"a": 1}, None], dtype=object), test=arrays["test"])
    assert "Object arrays cannot be loaded" in failure(path)


def test_member_that_is_no_array_is_refused(store, arrays):
    path = store(test=arrays["test"])
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("train.npy", b"no array")
    assert "`train` of" in failure(path)


@pytest.mark.parametrize("key", ["train", "validation", "test"])
@pytest.mark.parametrize(
    "array, message",
    [
        (images_of(4, 6, 4, 3, dtype=np.float32), "must be a uint8 array; got float32"),
        (images_of(4, 6, 4, 3, dtype=np.int64), "must be a uint8 array; got int64"),
        (images_of(4, 6, 4), "with a channel axis also for grey images; got shape (4, 6, 4)"),
        (images_of(4, 6), "must have shape [num_images, height, width, channels]; got shape (4, 6"),
        (images_of(0, 6, 4, 3), "at least one image and pixel; got shape (0, 6, 4, 3)"),
        (images_of(4, 6, 0, 3), "at least one image and pixel; got shape (4, 6, 0, 3)"),
        (np.full((4, 6, 4, 3), 200, np.uint8), "below `num_grey_levels` 200; got 200"),
    ],
)
def test_unsuitable_arrays_are_refused(store, arrays, key, array, message):
    path = store(**{**arrays, key: array}, num_grey_levels=200)
    seen = failure(path)
    assert seen.startswith(f"`{key}` of ") and message in seen


@pytest.mark.parametrize("key", ["validation", "test"])
def test_splits_must_have_images_of_one_shape(store, arrays, key):
    message = failure(store(**{**arrays, key: images_of(4, 6, 6, 3)}))
    assert f"`{key}` of" in message and "`train`, (6, 4, 3); got (6, 6, 3)" in message


@pytest.mark.parametrize("value", [1, 257, 16.0, "16", [16, 16]])
def test_unsuitable_number_of_grey_levels_is_refused(store, arrays, value):
    assert "must be one integer from 2 to 256; got" in failure(
        store(**arrays, num_grey_levels=value)
    )


@pytest.mark.parametrize("max_images, counts", [(1, (1, 1, 1)), (5, (5, 4, 5)), (99, (36, 4, 7))])
def test_first_images_of_each_split_are_kept(store, arrays, max_images, counts):
    path = store(**arrays)
    whole, part = load_dataset("npz", path), load_dataset("npz", path, max_images=max_images)
    assert counts == (part.num_train_images, part.num_validation_images, part.num_test_images)
    for name, images in part.splits().items():
        images = all_images(images)
        np.testing.assert_array_equal(images, all_images(whole.splits()[name])[: len(images)])


def test_limit_also_holds_without_validation_images():
    digits = load_dataset("digits", num_validation_images=0, max_images=2)
    assert digits.validation is None
    assert (digits.num_train_images, digits.num_test_images) == (2, 2)


@pytest.mark.parametrize("max_images", [0, -1, 1.0, True, "3"])
def test_unsuitable_limit_is_refused(max_images):
    with pytest.raises(ValueError, match="`max_images` must be an integer >= 1; got "):
        DataConfig(name="npz", max_images=max_images)
    with pytest.raises(ValueError, match="`max_images` must be an integer >= 1; got "):
        load_dataset("digits", max_images=max_images)


def header_only(path, shape):
    """An .npz file whose header claims a shape that no values follow."""
    header = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    with zipfile.ZipFile(path, "w") as archive:
        for key in ("train", "test"):
            content = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode()
            archive.writestr(f"{key}.npy", content)
    return path


@pytest.mark.parametrize(
    "shape, message",
    [
        ((10**6, 64, 64, 3), "must have 12288000000 bytes, as its shape (1000000, 64, 64, 3)"),
        ((2**31 - 1,) * 4, "at most 1,024 channels"),
        ((1, 1, 1, 10**6), "at most 1,024 channels and 268,435,456 values; got images of shape"),
        ((1, 2**20, 2**20, 1), "at most 1,024 channels"),
        ((1, 1, 1, 2**70), "must have a shape; got (1, 1, 1, 1180591620717411303424)"),
        ((-1, -2, 3, 1), "must have a shape; got (-1, -2, 3, 1)"),
        ("(1, 1", "whose header cannot be read"),
        ("(1, 1, 'a')", "whose header cannot be read"),
        ("'''", "whose header cannot be read"),
    ],
)
def test_sizes_in_headers_are_checked_before_memory_is_taken(tmp_path, shape, message):
    assert message in failure(header_only(tmp_path / "claims.npz", shape))


def test_what_is_no_regular_file_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "images.npz")
    assert "got a FIFO" in failure(tmp_path / "images.npz")
    assert "got a device" in failure("/dev/zero")


def test_errors_pass_on_no_advice_to_load_unsafely(store, arrays):
    path = store(train=np.array([{"a": 1}, None], dtype=object), test=arrays["test"])
    assert "pickle" not in failure(path)


def test_arrays_that_are_not_read_are_named(store, arrays, capsys):
    path = store(**arrays, labels=np.arange(40), val=arrays["test"])
    load_dataset("npz", path)
    expected = f"warning: 2 of the arrays in {path} not read: 'labels', 'val'\n"
    assert capsys.readouterr().err == expected


def test_fortran_order_is_read_right(store, arrays):
    path = store(train=np.asfortranarray(arrays["train"]), test=arrays["test"])
    train = load_dataset("npz", path, num_validation_images=0).train
    np.testing.assert_array_equal(all_images(train), arrays["train"])


def test_what_no_memory_holds_is_refused_before_it_is_read(store, arrays, monkeypatch):
    monkeypatch.setattr(input_files, "memory_bytes", lambda: 100)
    assert "must fit into the memory of this machine, 100 bytes; got 2,880" in failure(
        store(**arrays)
    )
