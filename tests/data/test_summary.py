"""What a data set holds, in words."""

import numpy as np
from PIL import Image

from tf_marscf.data import load_dataset, summary, summary_lines


def test_digits():
    lines = list(summary_lines(load_dataset("digits")))
    assert lines[:6] == [
        "data set digits",
        "images: height 8, width 8, 1 channel, 17 grey levels",
        "train: 1,297 images, grey levels 0 to 16, 17 of 17 are used",
        "validation: 200 images, grey levels 0 to 16, 17 of 17 are used",
        "test: 300 images, grey levels 0 to 16, 17 of 17 are used",
        "memory: 112.3 KiB of pixels; the training images are kept in memory",
    ]
    assert lines[6] == "classes: 10; with --num_classes=10 a model makes use of them"
    counts = [line.split(": ")[1] for line in lines[7:]]
    assert len(counts) == 10
    numbers = [[int(part.split()[1]) for part in count.split(", ")] for count in counts]
    assert np.sum(numbers, axis=0).tolist() == [1297, 200, 300]


def test_arrays_that_use_few_of_their_grey_levels(tmp_path, monkeypatch):
    monkeypatch.setattr(summary, "_MAX_COUNTED", 5)
    images = np.full((8, 4, 4, 3), 7, np.uint8)
    images[:2, 0, 0, 0] = [9, 12]
    images[5:] = 255
    np.savez(tmp_path / "images.npz", train=images, test=images[:5])
    lines = list(summary_lines(load_dataset("npz", tmp_path, num_validation_images=0)))
    assert "images: height 4, width 4, 3 channels, 256 grey levels" in lines
    few = "grey levels 7 to 12, 3 of 256 are used"
    assert f"train: 8 images, {few} by the first 5" in lines
    assert f"test: 5 images, {few}" in lines
    assert "validation: none" in lines
    assert lines[-1].startswith("labels: none that a model with classes could use: `data_dir` must")


def test_folders_of_classes(tmp_path):
    for split, name, count in (("train", "dog", 3), ("train", "cat", 2), ("test", "cat", 1)):
        (tmp_path / split / name).mkdir(parents=True)
        for index in range(count):
            image = Image.new("RGB", (8, 8), (0, 200, 40))
            image.save(tmp_path / split / name / f"{index}.webp", lossless=True)
    dataset = load_dataset("folder", tmp_path, num_validation_images=0, crop="center", resize=4)
    lines = list(summary_lines(dataset))
    assert lines[1:5] == list(dataset.notes)
    assert lines[1] == "files: 6 .webp"
    assert "images: height 4, width 4, 3 channels, 256 grey levels" in lines
    assert "train: 5 images, grey levels 0 to 200, 3 of 256 are used" in lines
    assert "test: 1 image, grey levels 0 to 200, 3 of 256 are used" in lines
    assert lines[-3:] == [
        "classes: 2; with --num_classes=2 a model makes use of them",
        "  class 0, 'cat': train 2, test 1",
        "  class 1, 'dog': train 3, test 0",
    ]
