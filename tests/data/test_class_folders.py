"""Folders as classes: their names, what a training checks, and labels of other folders."""

import numpy as np
import pytest
from PIL import Image

from tf_marscf.data import load_dataset
from tf_marscf.errors import InputError

SPLIT = [f"{split}/{name}/{index}.png" for split in ("train", "test") for name in ("cat", "dog")
         for index in range(3)]  # fmt: skip


def store(root, paths):
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.zeros((4, 4), np.uint8)).save(root / path)


def load(root, **options):
    return load_dataset("folder", root, **options)


def failure(root, num_classes=2):
    """The one line with which the check of a training ends; models without classes load."""
    dataset = load(root)
    with pytest.raises(InputError) as caught:
        dataset.classes.check(num_classes)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_names_of_classes_are_those_of_folders_sorted(tmp_path, capsys):
    store(tmp_path, [*SPLIT, "train/a b/deep/1.png", "test/a b/1.png"])
    classes = load(tmp_path).classes
    assert classes.names == ("a b", "cat", "dog")
    assert classes.line() == "classes: 0 'a b', 1 'cat', 2 'dog'"
    classes.check(3)
    assert capsys.readouterr().err == ""
    dataset = load(tmp_path, num_validation_images=6)
    dataset.classes.check(3)
    (trained,) = dataset.labels("train", 3)
    missing = ", ".join(repr(name) for name in classes.names if name != classes.names[trained])
    assert capsys.readouterr().err == f"warning: no image is left to train on of: {missing}\n"


def test_there_must_be_as_many_as_the_model_has(tmp_path):
    store(tmp_path, SPLIT)
    load(tmp_path).classes.check(2)
    assert failure(tmp_path, 3) == (
        f"`num_classes` must be the number of classes in {str(tmp_path)!r}, 2 ('cat', 'dog'); got "
        "3."
    )


@pytest.mark.parametrize(
    ("path", "there", "missing"),
    [("train/fox/0.png", "train", "test"), ("test/fox/0.png", "test", "train")],
)
def test_a_class_in_one_split_alone_is_refused(tmp_path, path, there, missing):
    store(tmp_path, [*SPLIT, path])
    message = failure(tmp_path, 3)
    assert "images of each class in both folders 'train' and 'test'" in message
    assert message.endswith(f"{str(tmp_path)!r}, where {missing!r} has none of 'fox'.")


def test_validation_images_may_lack_a_class_and_have_no_other(tmp_path):
    store(tmp_path, [*SPLIT, "validation/dog/0.png"])
    load(tmp_path).classes.check(2)
    store(tmp_path, ["validation/fox/0.png"])
    assert "where 'train' has none of 'fox'" in failure(tmp_path, 3)


@pytest.mark.parametrize("folder", ["train/fox", "test/fox", "train/fox/empty"])
def test_an_empty_folder_is_no_class_that_is_left_out_silently(tmp_path, folder):
    store(tmp_path, SPLIT)
    (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "train" / ".cache").mkdir()
    (tmp_path / folder / "note.txt").write_text("none yet")
    split, name, *_ = folder.split("/")
    assert failure(tmp_path).endswith(f"got {tmp_path / split / name}, which has none.")


@pytest.mark.parametrize("path", ["train/9.png", "test/9.png"])
def test_images_beside_the_folders_of_classes_are_named(tmp_path, path):
    store(tmp_path, [*SPLIT, path])
    message = failure(tmp_path)
    assert message.endswith(f"one a class, for a model with classes; got {tmp_path / path}.")


def test_folders_of_classes_alone(tmp_path):
    store(tmp_path, [f"{name}/{index}.png" for name in ("dog", "cat") for index in range(9)])
    classes = load(tmp_path).classes
    classes.check(2)
    assert classes.names == ("cat", "dog")
    (tmp_path / "fox").mkdir()
    assert failure(tmp_path).endswith(f"got {tmp_path / 'fox'}, which has none.")


def test_other_images_get_the_labels_of_the_training(tmp_path):
    store(tmp_path, [f"{split}/{name}/0.png" for split in ("train", "test") for name in ("dog",)])
    store(tmp_path, ["train/dog/1.png"])
    names = ("ape", "cat", "dog")
    dataset = load(tmp_path, class_names=names)
    assert dataset.labels("test", 3).tolist() == [2]
    assert dataset.classes.names == names
    store(tmp_path, ["train/fox/0.png"])
    dataset = load(tmp_path, class_names=names)
    with pytest.raises(InputError) as caught:
        dataset.labels("test", 3)
    assert str(caught.value) == (
        "`data_dir` must hold images of the classes that the model was trained on, 'ape', 'cat', "
        f"'dog'; got {str(tmp_path)!r} with 'fox'."
    )
