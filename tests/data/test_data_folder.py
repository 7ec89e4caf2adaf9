"""Tests of directories of image files."""

import os

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tf_marscf.data import collect_images, load_dataset
from tf_marscf.data import image_folder as image_folder_module


def all_images(images):
    return collect_images(images, int(images.cardinality()))


def random_image(seed, *shape):
    return np.random.RandomState(seed).randint(0, 256, shape or (4, 6, 3)).astype(np.uint8)


def store(path, image):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(tf.io.encode_png(image).numpy())
    return image


def store_all(root, paths, *shape):
    """Stores an image at each path, and returns them by path."""
    return {path: store(root / path, random_image(i, *shape)) for i, path in enumerate(paths)}


def stacked(images):
    return np.stack([images[path] for path in sorted(images)])


def failure(directory, error=ValueError, **options):
    """The one line with which loading fails."""
    with pytest.raises(error) as caught:
        load_dataset("folder", directory, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def by_content(dataset):
    """The images of each split, as bytes."""
    return {
        split: [image.tobytes() for image in all_images(images)]
        for split, images in dataset.splits().items()
    }


SPLIT_PATHS = {
    "labels": ["train/cat/1.png", "train/cat/2.png", "train/dog/0.png", "test/cat/0.png"],
    "no labels": ["train/1.png", "train/2.png", "train/0.png", "test/0.png"],
    "mixed": ["train/1.png", "train/dog/big/2.PNG", "train/dog/0.png", "test/cat/0.png"],
}


@pytest.fixture(name="flat")
def fixture_flat(tmp_path):
    """A flat directory of 40 images."""
    return store_all(tmp_path / "flat", [f"{index}.png" for index in range(40)])


@pytest.mark.parametrize("paths", SPLIT_PATHS.values(), ids=SPLIT_PATHS)
def test_folders_are_the_splits(tmp_path, paths):
    images = store_all(tmp_path, paths)
    dataset = load_dataset("folder", tmp_path)
    assert dataset.name == "folder"
    assert dataset.image_shape == (4, 6, 3)
    assert dataset.num_grey_levels == 256
    held_out = all_images(dataset.validation)[0]
    train = {path: image for path, image in images.items() if path.startswith("train")}
    held_out_paths = [path for path, image in train.items() if np.array_equal(image, held_out)]
    assert len(held_out_paths) == 1
    del train[held_out_paths[0]]
    np.testing.assert_array_equal(all_images(dataset.train), stacked(train))
    np.testing.assert_array_equal(all_images(dataset.test)[0], images[paths[-1]])


def test_folder_of_validation_images_is_used(tmp_path):
    images = store_all(tmp_path, [*SPLIT_PATHS["labels"], "validation/a.png", "validation/b/a.png"])
    dataset = load_dataset("folder", str(tmp_path))
    assert (dataset.num_train_images, dataset.num_test_images) == (3, 1)
    np.testing.assert_array_equal(
        all_images(dataset.validation), [images["validation/a.png"], images["validation/b/a.png"]]
    )
    message = failure(tmp_path, num_validation_images=1)
    assert "`num_validation_images` must be None" in message and message.endswith("got 1.")


def test_validation_images_are_of_all_labels(tmp_path):
    paths = [f"train/label {label}/{index}.png" for label in range(3) for index in range(20)]
    images = store_all(tmp_path, [*paths, "test/0.png"])
    validation = by_content(load_dataset("folder", tmp_path, num_validation_images=20))[
        "validation"
    ]
    labels = {path.split("/")[1] for path in paths if images[path].tobytes() in validation}
    assert len(validation) == 20
    assert len(labels) == 3


def test_number_of_validation_images_can_be_chosen(tmp_path):
    store_all(tmp_path, SPLIT_PATHS["labels"])
    assert load_dataset("folder", tmp_path, num_validation_images=0).validation is None
    dataset = load_dataset("folder", tmp_path, num_validation_images=2)
    assert (dataset.num_train_images, dataset.num_validation_images) == (1, 2)
    assert "below the 3 images" in failure(tmp_path, num_validation_images=3)


def test_flat_directory_is_split_into_disjoint_parts(flat, tmp_path):
    splits = by_content(load_dataset("folder", tmp_path / "flat"))
    assert [len(splits[name]) for name in ("train", "validation", "test")] == [32, 4, 4]
    joined = [image for split in splits.values() for image in split]
    assert sorted(joined) == sorted(image.tobytes() for image in flat.values())
    order = {flat[path].tobytes(): index for index, path in enumerate(sorted(flat))}
    for images in splits.values():
        positions = [order[image] for image in images]
        assert positions == sorted(positions)


def test_split_of_a_flat_directory_does_not_depend_on_the_order_of_files(flat, tmp_path):
    for path in reversed(sorted(flat)):
        store(tmp_path / "again" / path, flat[path])
    expected = by_content(load_dataset("folder", tmp_path / "flat"))
    assert by_content(load_dataset("folder", tmp_path / "again")) == expected
    # Which images these are must never change either.
    test_paths = {path for path in flat if flat[path].tobytes() in expected["test"]}
    assert test_paths == {"0.png", "33.png", "6.png", "8.png"}


@pytest.mark.parametrize("num_validation", [0, 1, 35])
def test_test_images_do_not_depend_on_the_number_for_validation(flat, tmp_path, num_validation):
    expected = by_content(load_dataset("folder", tmp_path / "flat"))["test"]
    dataset = load_dataset("folder", tmp_path / "flat", num_validation_images=num_validation)
    splits = by_content(dataset)
    assert splits["test"] == expected
    assert dataset.num_validation_images == num_validation
    assert not set(splits.get("validation", ())) & {*splits["test"], *splits["train"]}
    assert "below the 36 images" in failure(tmp_path / "flat", num_validation_images=36)


@pytest.mark.parametrize("count, counts", [(2, (1, 0, 1)), (3, (1, 1, 1)), (19, (17, 1, 1))])
def test_few_images_in_folders_of_labels_are_shared_out(tmp_path, count, counts):
    store_all(tmp_path, [f"label {index % 2}/{index}.png" for index in range(count)])
    dataset = load_dataset("folder", tmp_path)
    assert counts == (
        dataset.num_train_images,
        dataset.num_validation_images,
        dataset.num_test_images,
    )


def test_hidden_and_other_files_are_passed_over(tmp_path):
    store_all(tmp_path, SPLIT_PATHS["labels"])
    expected = by_content(load_dataset("folder", tmp_path))
    for path in ("train/.0.png", "train/.cache/0.png", ".trash/0.png", "train/cat/0.gif"):
        store(tmp_path / path, random_image(0, 2, 2, 1))
    (tmp_path / "README.txt").write_text("not an image")
    assert by_content(load_dataset("folder", tmp_path)) == expected


@pytest.mark.parametrize("suffix", ["png", "PNG", "jpg", "JPEG", "bmp"])
@pytest.mark.parametrize("num_channels", [1, 3])
def test_formats_are_decoded(tmp_path, suffix, num_channels):
    pixels = np.full((8, 8, 3)[: 2 if num_channels == 1 else 3], 77, np.uint8)
    for name in ("train", "test"):
        (tmp_path / name).mkdir()
        Image.fromarray(pixels).save(tmp_path / name / f"0.{suffix}")
    dataset = load_dataset("folder", tmp_path)
    assert dataset.image_shape == (8, 8, num_channels)
    np.testing.assert_array_equal(all_images(dataset.test), np.full((1, 8, 8, num_channels), 77))


def test_palette_of_a_png_file_is_applied(tmp_path):
    image = Image.fromarray(random_image(0, 8, 8, 3)).convert("P", palette=Image.Palette.ADAPTIVE)
    for name in ("train", "test"):
        (tmp_path / name).mkdir()
        image.save(tmp_path / name / "0.png")
    np.testing.assert_array_equal(
        all_images(load_dataset("folder", tmp_path).test)[0], np.array(image.convert("RGB"))
    )


@pytest.mark.parametrize("max_array_bytes", [0, 2**20])
@pytest.mark.parametrize("num_stored, num_channels", [(1, None), (1, 3), (3, 3)])
def test_images_read_when_needed_are_the_same(
    tmp_path, monkeypatch, max_array_bytes, num_stored, num_channels
):
    monkeypatch.setattr(image_folder_module, "MAX_ARRAY_BYTES", max_array_bytes)
    images = store_all(tmp_path, SPLIT_PATHS["labels"], 4, 6, num_stored)
    dataset = load_dataset("folder", tmp_path, num_channels=num_channels)
    assert dataset.image_shape == (4, 6, num_channels or num_stored)
    monkeypatch.undo()
    expected = by_content(load_dataset("folder", tmp_path, num_channels=num_channels))
    assert by_content(dataset) == expected
    assert by_content(dataset) == expected
    np.testing.assert_array_equal(
        all_images(dataset.test)[0],
        np.broadcast_to(images["test/cat/0.png"], dataset.image_shape),
    )
    assert dataset.test.element_spec == tf.TensorSpec(dataset.image_shape, tf.uint8)


def test_three_channels_are_not_reduced(tmp_path):
    store_all(tmp_path, SPLIT_PATHS["labels"])
    assert "`num_channels` must be 3" in failure(tmp_path, num_channels=1)


def test_first_images_of_each_split_are_kept(flat, tmp_path):
    whole = by_content(load_dataset("folder", tmp_path / "flat"))
    part = by_content(load_dataset("folder", tmp_path / "flat", max_images=2))
    assert part == {split: images[:2] for split, images in whole.items()}


def test_missing_directory_is_refused(tmp_path):
    rule = "`data_dir` must be a directory of images for dataset 'folder'; got "
    assert failure(None) == f"{rule}None."
    none = tmp_path / "none"
    assert failure(none, FileNotFoundError) == f"{rule}{str(none)!r}, which does not exist."
    store(none, random_image(0))
    assert failure(none) == f"{rule}{str(none)!r}, which is no directory."


def test_directory_without_images_is_refused(tmp_path):
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "image.gif").write_bytes(b"GIF89a")
    message = failure(tmp_path)
    assert (
        "must hold images (.bmp, .jpeg, .jpg, .png, .webp)" in message and "holds none" in message
    )


def test_single_image_is_too_few(tmp_path):
    store_all(tmp_path, ["0.png"])
    assert "at least 2 images" in failure(tmp_path)


@pytest.mark.parametrize("there, missing", [("train", "test"), ("test", "train")])
def test_train_and_test_are_both_needed(tmp_path, there, missing):
    store_all(tmp_path, [f"{there}/0.png", f"{there}/1.png"])
    message = failure(tmp_path)
    assert f"has none in {missing!r}" in message and str(tmp_path) in message


@pytest.mark.parametrize("path", ["val/0.png", "0.png"])
def test_images_beside_the_splits_are_not_left_out_silently(tmp_path, path):
    store_all(tmp_path, [*SPLIT_PATHS["labels"], path])
    message = failure(tmp_path)
    assert "in its folders train, validation, test alone" in message
    assert str(tmp_path / path) in message


@pytest.mark.parametrize("shape", [(4, 4, 3), (6, 4, 3), (4, 6, 1)])
@pytest.mark.parametrize("path", ["train/dog/0.png", "test/cat/0.png"])
@pytest.mark.parametrize("max_array_bytes", [0, 2**20])
def test_image_of_another_shape_is_named(tmp_path, monkeypatch, shape, path, max_array_bytes):
    monkeypatch.setattr(image_folder_module, "MAX_ARRAY_BYTES", max_array_bytes)
    store_all(tmp_path, SPLIT_PATHS["labels"])
    store(tmp_path / path, random_image(0, *shape))
    height, width, num_channels = shape
    sizes = (
        f" The 4 images have 2 sizes, 4x6 (3), {height}x{width} (1): --resize=HEIGHT,WIDTH gives "
        "them one, and --crop=center cuts them to its proportions."
    )
    channels = " --num_channels=3 copies the channel of grey images."
    assert failure(tmp_path) == (
        f"{tmp_path / path} must have the shape (height, width, channels) of "
        f"{tmp_path / 'train/cat/2.png'}, (4, 6, 3); got {shape}."
        f"{sizes if shape[:2] != (4, 6) else ''}{channels if num_channels == 1 else ''}"
    )


def encoded(image, suffix, **options):
    """The bytes of a file that Pillow writes."""
    path = f"image.{suffix}"
    Image.fromarray(image).save(path, **options)
    with open(path, "rb") as file:
        return file.read()


def palette_bmp():
    Image.fromarray(random_image(0)).convert("P", palette=Image.Palette.ADAPTIVE).save("image.bmp")
    with open("image.bmp", "rb") as file:
        return file.read()


PNG = tf.io.encode_png(random_image(0)).numpy()
JPEG = tf.io.encode_jpeg(random_image(0, 64, 64, 3)).numpy()


@pytest.mark.parametrize(
    "content, message",
    [
        (lambda: b"", "must be a PNG, JPEG, WebP or BMP image"),
        (lambda: b"some text", "must be a PNG, JPEG, WebP or BMP image"),
        (lambda: PNG[:-12], "damaged or cut off"),
        (lambda: PNG[:20], "damaged or cut off"),
        (lambda: PNG[:60] + b"\0\0" + PNG[62:], "damaged or cut off"),
        (lambda: JPEG[: len(JPEG) // 2], "damaged or cut off"),
        (lambda: encoded(random_image(0), "bmp")[:-1], "damaged or cut off"),
        (lambda: b"BM", "damaged or cut off"),
        (lambda: encoded(random_image(0), "gif"), "must be a PNG, JPEG, WebP or BMP image"),
        (lambda: encoded(random_image(0), "tiff"), "must be a PNG, JPEG, WebP or BMP image"),
        (
            lambda: tf.io.encode_png(random_image(0).astype(np.uint16) * 257).numpy(),
            "must have 8 bits a channel; got a PNG file of 16 bits",
        ),
        (lambda: encoded(random_image(0, 4, 6, 4), "png"), "alpha is not supported; got 4"),
        (lambda: encoded(random_image(0, 4, 6, 2), "png"), "alpha is not supported; got 2"),
        (lambda: encoded(random_image(0, 4, 6, 4), "bmp"), "got 32 bits a pixel"),
        (palette_bmp, "of 256 grey levels, not compressed; got 8 bits a pixel"),
        (lambda: encoded(random_image(0, 4, 6) > 99, "bmp"), "got 1 bits a pixel"),
    ],
)
def test_unsuitable_file_is_named(tmp_path, monkeypatch, content, message):
    monkeypatch.chdir(tmp_path)
    content = content()
    root = tmp_path / "root"
    store_all(root, SPLIT_PATHS["labels"])
    path = root / "train/dog/0.png"
    path.write_bytes(content)
    seen = failure(root)
    assert seen.startswith(f"{path} must ") and message in seen


def test_first_file_is_checked_as_well(tmp_path):
    store_all(tmp_path, SPLIT_PATHS["labels"])
    path = tmp_path / "train/cat/2.png"
    path.write_bytes(PNG[:-12])
    assert failure(tmp_path).startswith(f"{path} must be a whole image")


def test_link_that_leads_nowhere_is_named(tmp_path):
    store_all(tmp_path, SPLIT_PATHS["labels"])
    os.symlink(tmp_path / "none", tmp_path / "train/broken.png")
    assert failure(tmp_path).startswith(f"{tmp_path / 'train/broken.png'} must be a readable file")


def test_linked_folders_are_followed(tmp_path):
    images = store_all(tmp_path / "elsewhere", ["0.png", "1.png"])
    store_all(tmp_path / "root", ["train/0.png"])
    os.symlink(tmp_path / "elsewhere", tmp_path / "root" / "test")
    dataset = load_dataset("folder", tmp_path / "root")
    np.testing.assert_array_equal(all_images(dataset.test), stacked(images))


@pytest.mark.parametrize("target", [".", "..", "../.."])
def test_links_in_circles_are_refused(tmp_path, target):
    store_all(tmp_path / "root", ["train/0.png", "test/0.png"])
    link = tmp_path / "root" / "train" / "circle"
    os.symlink(target, link)
    assert failure(tmp_path / "root").endswith(f"that the link lies in; got {link}.")


def test_links_in_a_circle_of_two_are_refused(tmp_path):
    store_all(tmp_path, ["root/train/0.png", "root/test/0.png", "elsewhere/0.png"])
    os.symlink(tmp_path / "elsewhere", tmp_path / "root" / "train" / "link")
    os.symlink(tmp_path / "root" / "train", tmp_path / "elsewhere" / "back")
    assert "that the link lies in" in failure(tmp_path / "root")
