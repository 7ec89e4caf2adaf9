"""Labels of every source of images, and that they stay with their images."""

import gzip
import struct

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds
from sklearn import datasets

from tf_marscf.data import (
    ImageDataset,
    collect_images,
    load_dataset,
    padded_evaluation_pipeline,
    training_pipeline,
)
from tf_marscf.errors import InputError, InputTypeError

LABELS = np.random.default_rng(1).integers(5, size=40)
TEST_LABELS = np.array([4, 0, 3])


def images_of(labels):
    """Images [4, 6, 1] that show their label, and their number."""
    images = np.zeros([len(labels), 4, 6, 1], np.uint8)
    images[:, 0, 0, 0], images[:, 1, 1, 0] = labels, np.arange(len(labels))
    return images


def examples_of(dataset, split, num_classes=5):
    """Images and labels of a split."""
    pairs = dataset.examples(split, num_classes).as_numpy_iterator()
    images, labels = (np.stack(values) for values in zip(*pairs, strict=True))
    assert labels.dtype == np.int64
    return images, labels


def failure(dataset, split="train", num_classes=5, error=InputError):
    with pytest.raises(error) as caught:
        dataset.examples(split, num_classes)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def assert_labels_are_shown(dataset, place=(0, 0)):
    """Of each split, held-out images included."""
    counts = []
    for split, images in dataset.splits().items():
        shown, labels = examples_of(dataset, split)
        np.testing.assert_array_equal(shown[(slice(None), *place, 0)], labels)
        np.testing.assert_array_equal(shown, collect_images(images, len(labels)))
        assert dataset.examples(split) is images  # Of a model without classes.
        counts.append(len(labels))
    return counts


@pytest.fixture(name="store")
def fixture_store(tmp_path):
    def store(**arrays):
        path = tmp_path / "images.npz"
        np.savez(path, **({"train": images_of(LABELS), "test": images_of(TEST_LABELS)} | arrays))
        return path

    return store


def test_digits_have_their_own():
    dataset = load_dataset("digits", num_validation_images=100)
    digits = datasets.load_digits()
    pairs = zip(digits.images, digits.target, strict=True)
    known = {image.astype(np.uint8).tobytes(): label for image, label in pairs}
    for split, count in (("train", 1397), ("validation", 100), ("test", 300)):
        images, labels = examples_of(dataset, split, 10)
        assert len(labels) == count
        assert [known[image.tobytes()] for image in images] == labels.tolist()


@pytest.mark.parametrize("max_images", [None, 2])
def test_npz_arrays(store, max_images):
    path = store(train_labels=LABELS, test_labels=np.uint8(TEST_LABELS))
    dataset = load_dataset("npz", path, num_validation_images=7, max_images=max_images)
    assert assert_labels_are_shown(dataset) == ([33, 7, 3] if max_images is None else [2, 2, 2])


def test_npz_arrays_with_validation_images(store, capsys):
    validation = np.array([1, 2])
    path = store(
        train_labels=LABELS, test_labels=TEST_LABELS,
        validation=images_of(validation), validation_labels=validation,
    )  # fmt: skip
    assert assert_labels_are_shown(load_dataset("npz", path)) == [40, 2, 3]
    assert capsys.readouterr().err == ""


def test_labels_of_npz_files_that_are_missing_or_wrong(store):
    dataset = load_dataset("npz", store(labels=LABELS))
    assert dataset.num_train_images == 36  # Images alone do not need them.
    message = failure(dataset)
    assert "must be an .npz file with labels, an array 'train_labels'" in message
    assert "images.npz, which has 'labels', 'test', 'train'" in message
    message = failure(load_dataset("npz", store(train_labels=LABELS[1:])))
    assert "`train_labels`" in message and "integers of shape (40,)" in message
    assert "of shape (39,)" in message
    message = failure(load_dataset("npz", store(test_labels=TEST_LABELS / 2)), "test")
    assert "`test_labels`" in message and "got float64 of shape (3,)" in message
    dataset = load_dataset("npz", store(train_labels=LABELS - 1))
    assert "train images of npz must be from 0 to 4 (num_classes=5); got -1." in failure(dataset)
    dataset = load_dataset("npz", store(train_labels=LABELS))
    assert "must be from 0 to 2 (num_classes=3); got " in failure(dataset, num_classes=3)


def store_idx(path, values):
    header = struct.pack(f">{1 + values.ndim}I", 0x800 + values.ndim, *values.shape)
    content = header + values.astype(np.uint8).tobytes()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)


@pytest.mark.parametrize("name", ["-labels-idx1-ubyte.gz", "-labels.idx1-ubyte"])
def test_idx_files(tmp_path, name):
    for prefix, labels in (("train", LABELS), ("t10k", TEST_LABELS)):
        store_idx(tmp_path / f"{prefix}-images-idx3-ubyte", images_of(labels)[..., 0])
        store_idx(tmp_path / f"{prefix}{name}", labels)
    # Padded to 8x8.
    assert assert_labels_are_shown(load_dataset("idx", tmp_path), (2, 1)) == [36, 4, 3]
    store_idx(tmp_path / f"t10k{name}", LABELS)
    message = failure(load_dataset("idx", tmp_path), "test")
    assert f"t10k{name} must hold one label an image of" in message
    assert message.endswith("t10k-images-idx3-ubyte, 3; got 40.")
    store_idx(tmp_path / f"t10k{name}", images_of(TEST_LABELS)[..., 0])
    assert "magic number 0x00000801 of uint8 labels" in failure(
        load_dataset("idx", tmp_path), "test"
    )
    (tmp_path / f"t10k{name}").unlink()
    message = failure(load_dataset("idx", tmp_path), "test")
    assert "must hold the test labels, one of t10k-labels-idx1-ubyte, " in message


def test_folders_are_classes_in_the_order_of_their_names(tmp_path):
    names = {"b/9.png": 1, "a/2.png": 0, "c d/deep/1.png": 2}
    for directory in (tmp_path / "split" / "train", tmp_path / "split" / "test", tmp_path / "flat"):
        for name, label in names.items():
            path = directory / name
            path.parent.mkdir(parents=True)
            path.write_bytes(tf.io.encode_png(images_of([label])[0]).numpy())
    assert assert_labels_are_shown(load_dataset("folder", tmp_path / "split")) == [2, 1, 3]
    assert assert_labels_are_shown(load_dataset("folder", tmp_path / "flat")) == [1, 1, 1]
    (tmp_path / "flat" / "b" / "9.png").rename(tmp_path / "flat" / "9.png")
    message = failure(load_dataset("folder", tmp_path / "flat"))
    assert "`data_dir` must hold the images in folders, one a class" in message
    assert message.endswith("flat/9.png.")


def test_tensorflow_datasets(tmp_path):
    shape = (32, 32, 3)
    features = {"image": tfds.features.Image(shape=shape)}
    label = {"label": tfds.features.ClassLabel(num_classes=5)}
    for name, version, test, extra in (
        ("cifar10", "3.0.2", "test", label),
        ("downsampled_imagenet/32x32", "2.0.0", "validation", {}),
    ):
        splits = {}
        for split, labels in (("train", LABELS), (test, TEST_LABELS)):
            images = np.broadcast_to(images_of(labels)[:, :1, :1], [len(labels), *shape])
            splits[split] = [
                (index, {"image": np.array(images[index])} | dict.fromkeys(extra, labels[index]))
                for index in range(len(labels))
            ]
        tfds.dataset_builders.store_as_tfds_dataset(
            name.split("/")[0],
            version,
            tfds.features.FeaturesDict(features | extra),
            splits,
            data_dir=tmp_path,
            config=name.split("/")[1] if "/" in name else None,
        )
    dataset = load_dataset("cifar10", tmp_path, num_validation_images=4)
    assert assert_labels_are_shown(dataset) == [36, 4, 3]
    dataset = load_dataset("downsampled_imagenet/32x32", tmp_path, num_validation_images=4)
    assert "`dataset` must have labels, a feature 'label'" in failure(dataset)
    assert failure(dataset).endswith("downsampled_imagenet has image.")


def test_labels_are_one_integer_an_image():
    def dataset(labels):
        images = tf.data.Dataset.from_tensor_slices(images_of(TEST_LABELS))
        read = None if labels is None else lambda split: labels
        return ImageDataset(images, None, images, 256, "some", read)

    assert failure(dataset(None)).endswith("(num_classes=5); some has none.")
    assert failure(dataset([0, 1])).endswith("must be one an image, 3; got shape (2,).")
    assert failure(dataset([[0], [1], [1]])).endswith("got shape (3, 1).")
    message = failure(dataset(["a", "b", "c"]), error=InputTypeError)
    assert message.startswith("labels of the train images of some must be integers; got <U1")


@pytest.mark.parametrize("augmentation", ["none", "cifar"])
def test_training_batches_of_pairs_are_those_of_images(augmentation):
    labels = np.arange(10)
    images = tf.data.Dataset.from_tensor_slices(images_of(labels))
    pairs = tf.data.Dataset.zip(images, tf.data.Dataset.from_tensor_slices(labels))
    options = {"batch_size": 4, "seed": 3, "augmentation": augmentation, "first_image": 8}
    alone = training_pipeline(images, **options).take(4).as_numpy_iterator()
    batches = training_pipeline(pairs, **options).take(4).as_numpy_iterator()
    for expected, (pixels, label) in zip(alone, batches, strict=True):
        np.testing.assert_array_equal(pixels, expected)
        if augmentation == "none":
            np.testing.assert_array_equal(pixels[:, 0, 0, 0], label)
    with pytest.raises(InputTypeError, match="must hold single uint8 tensors"):
        training_pipeline(tf.data.Dataset.zip(images, images), 4, 0)


def test_padded_batches_of_pairs():
    images = tf.data.Dataset.from_tensor_slices(images_of(TEST_LABELS))
    pairs = tf.data.Dataset.zip(images, tf.data.Dataset.from_tensor_slices(TEST_LABELS))
    *_, (pixels, label, weights) = padded_evaluation_pipeline(pairs, 2)
    assert (pixels.shape, label.shape, weights.shape) == ((2, 4, 6, 1), (2,), (2,))
    np.testing.assert_array_equal(label, [3, 0])
    np.testing.assert_array_equal(weights, [1.0, 0.0])
