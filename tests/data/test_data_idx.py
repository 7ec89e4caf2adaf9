"""Tests of the images in files of MNIST's kind."""

import gzip
import struct

import numpy as np
import pytest
import tensorflow_datasets as tfds

from tf_marscf.data import DataUnavailableError, collect_images, load_dataset
from tf_marscf.data.idx_files import find_idx_directory
from tf_marscf.files import input_files

DASH, DOT = "-images-idx3-ubyte", "-images.idx3-ubyte"


def all_images(images):
    return collect_images(images, int(images.cardinality()))


def images_of(count, height=28, width=28, seed=0):
    return np.random.RandomState(seed).randint(1, 256, (count, height, width)).astype(np.uint8)


def idx_bytes(images, magic=0x803, shape=None):
    return struct.pack(">4I", magic, *(shape or images.shape)) + images.tobytes()


def store(directory, train, test, suffix=DASH + ".gz"):
    directory.mkdir(exist_ok=True)
    for prefix, images in (("train", train), ("t10k", test)):
        content = idx_bytes(images)
        compressed = gzip.compress(content, mtime=0) if suffix.endswith(".gz") else content
        (directory / f"{prefix}{suffix}").write_bytes(compressed)
    return directory


@pytest.fixture(name="train")
def fixture_train():
    return images_of(40)


@pytest.fixture(name="test")
def fixture_test():
    return images_of(6, seed=1)


@pytest.fixture(name="data_dir")
def fixture_data_dir(tmp_path, train, test):
    return store(tmp_path / "idx", train, test)


def failure(directory, error=ValueError, **options):
    """The one line with which loading fails."""
    with pytest.raises(error) as caught:
        load_dataset("idx", directory, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def padded(images):
    return np.pad(images, ((0, 0), (2, 2), (2, 2)))[..., np.newaxis]


@pytest.mark.parametrize("suffix", [DASH, DASH + ".gz", DOT, DOT + ".gz"])
def test_images_are_padded_and_the_end_of_train_held_out(tmp_path, train, test, suffix):
    dataset = load_dataset("idx", store(tmp_path, train, test, suffix))
    assert dataset.name == "idx"
    assert dataset.image_shape == (32, 32, 1)
    assert dataset.num_grey_levels == 256
    np.testing.assert_array_equal(all_images(dataset.train), padded(train[:36]))
    np.testing.assert_array_equal(all_images(dataset.validation), padded(train[36:]))
    np.testing.assert_array_equal(all_images(dataset.test), padded(test))


def test_plain_and_compressed_files_may_be_mixed(data_dir, test):
    compressed = data_dir / f"t10k{DASH}.gz"
    (data_dir / f"t10k{DOT}").write_bytes(gzip.decompress(compressed.read_bytes()))
    compressed.unlink()
    np.testing.assert_array_equal(all_images(load_dataset("idx", data_dir).test), padded(test))


@pytest.mark.parametrize(
    "size, expected", [((28, 28), (32, 32)), ((8, 16), (8, 16)), ((1, 17), (8, 24))]
)
def test_sizes_become_the_next_multiple_of_eight(tmp_path, size, expected):
    train = images_of(3, *size)
    dataset = load_dataset("idx", store(tmp_path, train, images_of(1, *size)))
    assert dataset.image_shape == (*expected, 1)
    image = all_images(dataset.train)[0, ..., 0]
    top, left = ((large - small) // 2 for large, small in zip(expected, size, strict=True))
    np.testing.assert_array_equal(image[top : top + size[0], left : left + size[1]], train[0])
    assert np.count_nonzero(image) == train[0].size


def test_three_channels_are_copies(data_dir, test):
    dataset = load_dataset("idx", data_dir, num_channels=3)
    assert dataset.image_shape == (32, 32, 3)
    np.testing.assert_array_equal(all_images(dataset.test), np.repeat(padded(test), 3, axis=-1))


def test_number_of_validation_images_can_be_chosen(data_dir):
    dataset = load_dataset("idx", data_dir, num_validation_images=7)
    assert (dataset.num_train_images, dataset.num_validation_images) == (33, 7)
    assert load_dataset("idx", data_dir, num_validation_images=0).validation is None
    message = failure(data_dir, num_validation_images=40)
    assert "must be below the 40 images" in message and str(data_dir) in message


def test_first_images_are_kept(data_dir, train, test):
    dataset = load_dataset("idx", data_dir, max_images=3)
    np.testing.assert_array_equal(all_images(dataset.train), padded(train[:3]))
    np.testing.assert_array_equal(all_images(dataset.validation), padded(train[36:39]))
    np.testing.assert_array_equal(all_images(dataset.test), padded(test[:3]))


def test_missing_directory_or_file_is_refused(tmp_path, data_dir):
    assert failure(None) == (
        "`data_dir` must be a directory of IDX files for dataset 'idx'; got None."
    )
    message = failure(tmp_path / "none", FileNotFoundError)
    assert str(tmp_path / "none") in message and "does not exist" in message
    assert "is no directory" in failure(data_dir / f"train{DASH}.gz")
    (data_dir / f"t10k{DASH}.gz").unlink()
    message = failure(data_dir, FileNotFoundError)
    assert "the test images" in message and f"t10k{DASH}" in message and str(data_dir) in message


@pytest.mark.parametrize(
    "content, message",
    [
        (b"", "header of 16 bytes; got 0 bytes"),
        (b"\0\0\x08\x03\0", "header of 16 bytes; got 5 bytes"),
        (idx_bytes(images_of(2), magic=0x801), "magic number 0x00000803 of uint8 images; got 0x0"),
        (b"some text that is no IDX file", "got 0x736f6d65"),
        (idx_bytes(images_of(2))[:-1], "(2, 28, 28) says; got 1567, so it is cut off"),
        (idx_bytes(images_of(2)) + b"\0", "must have 1568 bytes of pixels"),
        (idx_bytes(images_of(2)) + b"\0", "got 1569, so it is too long"),
        (idx_bytes(images_of(2), shape=[2**32 - 1] * 3), "so it is cut off"),
        (idx_bytes(images_of(0)), "at least one image and pixel; got the shape (0, 28, 28)"),
    ],
)
@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize("prefix", ["train", "t10k"])
def test_damaged_file_is_named(data_dir, prefix, suffix, content, message):
    (data_dir / f"{prefix}{DASH}.gz").unlink()
    path = data_dir / f"{prefix}{DASH}{suffix}"
    path.write_bytes(gzip.compress(content) if suffix else content)
    seen = failure(data_dir)
    assert seen.startswith(f"{path} must ") and message in seen


def flipped(content, index):
    return content[:index] + bytes([content[index] ^ 255]) + content[index + 1 :]


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"no gzip file, but text",
        lambda content: content[: len(content) // 2],
        lambda content: flipped(content, len(content) // 2),
        lambda content: flipped(content, len(content) - 6),
    ],
    ids=["text", "half", "flipped", "checksum"],
)
def test_damaged_compression_is_reported(data_dir, damage):
    path = data_dir / f"t10k{DASH}.gz"
    path.write_bytes(damage(path.read_bytes()))
    assert failure(data_dir).startswith(f"{path} must ")


def test_splits_must_have_images_of_one_size(tmp_path, train):
    directory = store(tmp_path, train, images_of(3, 28, 27))
    message = failure(directory)
    assert f"t10k{DASH}" in message and f"train{DASH}" in message
    assert "(28, 28); got (28, 27)" in message


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist"])
def test_named_data_set_is_read_from_such_files(data_dir, name):
    named = load_dataset(name, data_dir, download=False)
    plain = load_dataset("idx", data_dir)
    assert named.name == name
    for split, images in plain.splits().items():
        np.testing.assert_array_equal(all_images(named.splits()[split]), all_images(images))


@pytest.fixture(name="tfds_dir")
def fixture_tfds_dir(tmp_path, train, test):
    """Fashion-MNIST as TFDS would have prepared it, with the images of `data_dir`."""
    features = tfds.features.FeaturesDict(
        {
            "image": tfds.features.Image(shape=(28, 28, 1)),
            "label": tfds.features.ClassLabel(num_classes=10),
        }
    )
    splits = {
        split: [(index, {"image": image[..., np.newaxis], "label": 0}) for index, image in images]
        for split, images in (("train", enumerate(train)), ("test", enumerate(test)))
    }
    tfds.dataset_builders.store_as_tfds_dataset(
        "fashion_mnist", "3.0.1", features, splits, data_dir=tmp_path / "tfds"
    )
    return tmp_path / "tfds"


@pytest.mark.parametrize("num_channels", [None, 3])
def test_files_and_tfds_have_the_same_images(data_dir, tfds_dir, num_channels):
    from_files, from_tfds = (
        load_dataset("fashion_mnist", directory, num_channels=num_channels, num_validation_images=0)
        for directory in (data_dir, tfds_dir)
    )
    assert from_files.image_shape == from_tfds.image_shape
    for split, images in from_files.splits().items():
        # TFDS stores them in an order of its own.
        stored = [all_images(each) for each in (images, from_tfds.splits()[split])]
        ours, theirs = (sorted(image.tobytes() for image in array) for array in stored)
        assert ours == theirs


def test_data_dir_decides_where_it_holds_files(tmp_path, data_dir):
    for name in ("mnist", "fashion_mnist"):
        assert find_idx_directory(name, data_dir, [tmp_path / "package"]) == data_dir
        assert find_idx_directory(name, tmp_path, [data_dir]) is None
        assert find_idx_directory(name, tmp_path / "none", [data_dir]) is None


def test_package_serves_fashion_mnist_alone_and_only_without_data_dir(
    tmp_path, data_dir, tfds_dir, monkeypatch
):
    builder = tfds.builder

    def builder_in(directory):
        return lambda name, **kwargs: builder(name, data_dir=directory, **kwargs)

    monkeypatch.setattr(tfds, "builder", builder_in(tmp_path / "unprepared"))
    assert find_idx_directory("fashion_mnist", None, [tmp_path / "none", data_dir]) == data_dir
    assert find_idx_directory("fashion_mnist", None, [tmp_path / "none"]) is None
    assert find_idx_directory("mnist", None, [data_dir]) is None
    monkeypatch.setattr(tfds, "builder", builder_in(tfds_dir))
    assert find_idx_directory("fashion_mnist", None, [data_dir]) is None


def test_directory_without_files_is_left_to_tfds(tmp_path):
    with pytest.raises(DataUnavailableError, match="downloads are off"):
        load_dataset("mnist", tmp_path, download=False)


def test_half_of_the_files_is_an_error_of_the_files(data_dir):
    (data_dir / f"train{DASH}.gz").unlink()
    with pytest.raises(FileNotFoundError, match="the train images"):
        load_dataset("mnist", data_dir, download=False)


def test_a_header_that_the_file_cannot_meet_is_refused_before_it_is_read(data_dir):
    path = data_dir / f"t10k{DASH}.gz"
    path.write_bytes(gzip.compress(struct.pack(">4I", 0x803, 10**6, 28, 28) + bytes(10**5)))
    message = failure(data_dir)
    assert message.startswith(f"{path} must have 784000000 bytes of pixels")
    assert "the shape" not in message and "so it is cut off" in message


def test_no_more_is_decompressed_than_the_header_says(data_dir, monkeypatch):
    path = data_dir / f"t10k{DASH}.gz"
    path.write_bytes(gzip.compress(idx_bytes(images_of(2)) + bytes(50 * 2**20)))
    num_read = []
    read = gzip.GzipFile.read

    def counting_read(self, size=-1):
        content = read(self, size)
        num_read.append(len(content))
        return content

    monkeypatch.setattr(gzip.GzipFile, "read", counting_read)
    assert "so it is too long" in failure(data_dir)
    assert sum(num_read) < 5 * 2**20


def test_images_larger_than_any_are_refused_before_they_are_read(tmp_path):
    for prefix in ("train", "t10k"):
        with (tmp_path / f"{prefix}{DASH}").open("wb") as file:
            file.write(struct.pack(">4I", 0x803, 1, 2**15, 2**14))
            file.truncate(16 + 2**29)
    assert "at most 1,024 channels and 268,435,456 values" in failure(tmp_path)


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_flipped_bits_do_not_become_other_images_where_there_is_a_checksum(data_dir, suffix):
    expected = all_images(load_dataset("idx", data_dir).test)
    path = data_dir / f"t10k{DASH}.gz"
    content = path.read_bytes() if suffix else gzip.decompress(path.read_bytes())[:100]
    path.unlink()
    path = data_dir / f"t10k{DASH}{suffix}"
    generator = np.random.RandomState(0)
    for _ in range(60):
        changed = bytearray(content)
        changed[generator.randint(len(changed) if suffix else 16)] ^= 1 << generator.randint(8)
        path.write_bytes(changed)
        try:
            images = all_images(load_dataset("idx", data_dir).test)
        except ValueError as error:
            assert str(error).startswith(f"{path} must ")
        else:
            np.testing.assert_array_equal(images, expected)


def test_what_no_memory_holds_is_refused_before_it_is_read(data_dir, monkeypatch):
    monkeypatch.setattr(input_files, "memory_bytes", lambda: 100)
    assert "must fit into the memory of this machine, 100 bytes; got 31,360" in failure(data_dir)
