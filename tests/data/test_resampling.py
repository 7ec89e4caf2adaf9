"""Photographs of mixed sizes: cut, resampled by area, and stated in the config."""

import json
from fractions import Fraction

import numpy as np
import pytest
from PIL import ExifTags, Image

from tf_marscf.benchmarks.comparison_configs import DensityBenchmarkConfig
from tf_marscf.data import DataConfig, collect_images, load_dataset
from tf_marscf.data import image_folder as image_folder_module
from tf_marscf.data.resampling import Resampling, area_resampled, largest_part, middle
from tf_marscf.errors import InputError


def random_pixels(seed, *shape):
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def exact_means(image, size):
    """Means of fine squares, of which each old and each new pixel has a whole number; halves up."""
    (height, width), (rows, columns) = image.shape[:2], size
    fine = image.repeat(rows, axis=0).repeat(columns, axis=1).astype(np.int64)
    sums = fine.reshape(rows, height, columns, width, -1).sum(axis=(1, 3))
    half = Fraction(1, 2)
    means = [int(Fraction(int(value), height * width) + half) for value in sums.reshape(-1)]
    return np.reshape(means, (*size, image.shape[2]))


@pytest.mark.parametrize("num_channels", [1, 3])
@pytest.mark.parametrize(
    ("size", "new_size"),
    [((8, 8), (4, 4)), ((7, 5), (3, 2)), ((9, 16), (9, 5)), ((13, 11), (1, 1)), ((6, 10), (5, 9))],
)
def test_pixels_are_the_exact_means_of_what_they_cover(size, new_size, num_channels):
    image = random_pixels(0, *size, num_channels)
    seen = area_resampled(image, new_size)
    assert seen.dtype == np.uint8
    np.testing.assert_array_equal(seen, exact_means(image, new_size))


def test_nothing_changes_at_the_same_size_and_constant_images_stay():
    image = random_pixels(1, 6, 7, 3)
    np.testing.assert_array_equal(area_resampled(image, (6, 7)), image)
    white = np.full((97, 89, 1), 255, np.uint8)
    np.testing.assert_array_equal(area_resampled(white, (13, 17)), np.full((13, 17, 1), 255))


def test_halves_are_rounded_up_and_fine_stripes_become_grey():
    image = np.array([0, 1, 1, 2, 0, 3, 254, 255], np.uint8).reshape(1, 8, 1)
    assert area_resampled(image, (1, 4)).reshape(-1).tolist() == [1, 2, 2, 255]
    stripes = np.tile(np.array([0, 255], np.uint8), 60)[np.newaxis, :, np.newaxis]
    assert set(area_resampled(stripes, (1, 30)).reshape(-1)) == {128}


@pytest.mark.parametrize(
    ("size", "proportions", "expected"),
    [
        ((480, 640), (32, 32), (480, 480)),
        ((640, 480), (32, 32), (480, 480)),
        ((480, 640), (32, 64), (320, 640)),
        ((480, 640), (3, 4), (480, 640)),
        ((5, 7), (3, 2), (5, 3)),
        ((7, 5), (2, 3), (3, 5)),
        ((9, 1), (1, 8), (1, 1)),
    ],
)
def test_the_largest_part_with_some_proportions(size, proportions, expected):
    assert largest_part(size, proportions) == expected


def test_the_middle_is_kept():
    image = np.arange(35, dtype=np.uint8).reshape(5, 7, 1)
    np.testing.assert_array_equal(middle(image, (2, 4)), image[1:3, 1:5])
    np.testing.assert_array_equal(middle(image, (5, 7)), image)


def test_images_are_cut_and_then_resampled():
    image = random_pixels(2, 9, 12, 3)
    cut = image[1:7, 3:9]
    np.testing.assert_array_equal(Resampling((6, 6), (4, 3))(image), exact_means(cut, (4, 3)))
    np.testing.assert_array_equal(Resampling(crop=(6, 6))(image), cut)
    np.testing.assert_array_equal(Resampling(resize=(3, 3))(image), exact_means(image, (3, 3)))
    squares = Resampling("center", (3, 3))(image)
    np.testing.assert_array_equal(squares, exact_means(image[:, 1:10], (3, 3)))


SIZES = {
    "train/0.png": (9, 12),
    "train/1.png": (8, 8),
    "train/2.png": (16, 10),
    "test/0.png": (8, 9),
}


@pytest.fixture(name="photographs")
def fixture_photographs(tmp_path):
    """Images of four sizes, by path; one lies on its side and is turned."""
    root, images = tmp_path / "photographs", {}
    for index, (path, size) in enumerate(SIZES.items()):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        images[path] = random_pixels(index, *size, 3)
        exif = Image.Exif()
        stored = images[path]
        if path == "train/2.png":
            exif[ExifTags.Base.Orientation] = 6
            stored = np.rot90(stored)
        Image.fromarray(np.ascontiguousarray(stored)).save(root / path, exif=exif)
    return root, images


def load(root, **options):
    return load_dataset("folder", root, num_validation_images=0, **options)


def pixels_of(dataset):
    return {
        split: collect_images(images, int(images.cardinality()))
        for split, images in dataset.splits().items()
    }


@pytest.mark.parametrize("max_array_bytes", [0, 2**20])
def test_photographs_of_a_folder(photographs, monkeypatch, max_array_bytes):
    monkeypatch.setattr(image_folder_module, "MAX_ARRAY_BYTES", max_array_bytes)
    root, images = photographs
    for options in ({"resize": 8}, {"crop": "center", "resize": (4, 8)}, {"crop": (8, 8)}):
        config = DataConfig(name="folder", **options)
        resampling = Resampling(config.crop, config.resize)
        seen = pixels_of(load(root, **options))
        assert seen["train"].shape == (3, *resampling.size, 3)
        for image, path in zip([*seen["train"], *seen["test"]], SIZES, strict=True):
            np.testing.assert_array_equal(image, resampling(images[path]))


@pytest.mark.parametrize("max_array_bytes", [0, 2**20])
def test_grey_photographs_among_coloured_ones(photographs, monkeypatch, max_array_bytes):
    monkeypatch.setattr(image_folder_module, "MAX_ARRAY_BYTES", max_array_bytes)
    root, _ = photographs
    grey = random_pixels(7, 9, 9, 1)
    Image.fromarray(grey[..., 0]).save(root / "test" / "0.png")
    with pytest.raises(InputError, match=r"\(8, 8, 3\); got \(8, 8, 1\). --num_channels=3 copies"):
        load(root, resize=8)
    seen = pixels_of(load(root, resize=8, num_channels=3))["test"][0]
    np.testing.assert_array_equal(seen, np.repeat(area_resampled(grey, (8, 8)), 3, axis=2))
    with pytest.raises(InputError, match="`num_channels` must be 3 for .*; got 1"):
        load(root, resize=8, num_channels=1)


def test_sizes_are_counted_where_nothing_makes_them_equal(photographs):
    root, _ = photographs
    with pytest.raises(InputError) as caught:
        load(root)
    assert str(caught.value) == (
        f"{root / 'train/1.png'} must have the shape (height, width, channels) of "
        f"{root / 'train/0.png'}, (9, 12, 3); got (8, 8, 3). The 4 images have 4 sizes, "
        "8x8 (1), 8x9 (1), 9x12 (1), 16x10 (1): --resize=HEIGHT,WIDTH gives them one, and "
        "--crop=center cuts them to its proportions."
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"resize": 9},
            "`resize` must be at most the height and width of each image, since none is enlarged; "
            "got 9x9 for {}/train/1.png of 8x8. 2 of 4 images are too small for it.",
        ),
        (
            {"crop": "center", "resize": (4, 12)},
            "got 4x12 for {}/train/1.png of 8x8, 3x8 of which are kept. 3 of 4 images are too",
        ),
        ({"crop": (9, 4)}, "`crop` must be at most the height and width of each image, since none"),
    ],
)
def test_no_image_is_enlarged(photographs, options, message):
    root, _ = photographs
    with pytest.raises(InputError) as caught:
        load(root, **options)
    assert message.format(root) in str(caught.value)


def test_what_becomes_of_the_files_is_noted_and_stretching_warned_of(photographs, capsys):
    root, _ = photographs
    assert load(root, resize=8).notes == (
        "files: 4 .png",
        "stored sizes (height x width): 8x8 (1), 8x9 (1), 9x12 (1), 16x10 (1)",
        "1 of 4 images are turned, as EXIF says",
        "resize=8x8 reduces 3 of 4 images, by area resampling",
    )
    assert capsys.readouterr().err == (
        "warning: --resize=8x8 changes the proportions of 3 of 4 images; with --crop=center it "
        "would cut them instead\n"
    )
    assert load(root, crop="center", resize=8).notes[-2:] == (
        "crop=center cuts parts off 3 of 4 images",
        "resize=8x8 reduces 2 of 4 images, by area resampling",
    )
    assert capsys.readouterr().err == ""


def test_the_config_states_how_images_are_resampled():
    config = DataConfig(name="folder", data_dir="photographs", crop=["center"], resize=["8", "16"])
    stated = {"crop": "center", "resize": [8, 16], "resampling": "area"}
    assert config.to_dict().items() >= stated.items()
    assert DataConfig(**json.loads(json.dumps(config.to_dict()))) == config
    assert DataConfig(name="folder", crop=148, resize=64).to_dict()["crop"] == [148, 148]


def test_configs_without_are_those_of_earlier_versions():
    assert DataConfig(name="digits").to_dict() == {
        "name": "digits",
        "data_dir": None,
        "num_channels": None,
        "num_bits": None,
        "num_validation_images": None,
        "max_images": None,
    }


def test_benchmarks_read_photographs_alike_and_find_earlier_results():
    assert not {"crop", "resize"} & DensityBenchmarkConfig().to_dict().keys()
    config = DensityBenchmarkConfig(dataset="folder", crop="center", resize=8)
    assert (config.data.crop, config.data.resize) == ("center", (8, 8))
    assert config.to_dict().items() >= {"crop": "center", "resize": [8, 8]}.items()


@pytest.mark.parametrize(
    "value", [0, -8, 8.0, True, "8", "center", [8, 8, 8], [], ["8", "x"], 2**16]
)
def test_wrong_sizes_are_refused(value):
    rule = "`resize` must be N or HEIGHT,WIDTH, integers in 1 ... 65535; got "
    with pytest.raises(InputError, match=rule):
        DataConfig(name="folder", resize=value)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"crop": "middle"}, "`crop` must be 'center' or N or HEIGHT,WIDTH, .*; got 'middle'"),
        ({"crop": ["center", "8"]}, "`crop` must be 'center' or N or .*; got 'center,8'"),
        ({"crop": "center"}, "`crop` must be N or HEIGHT,WIDTH without `resize`"),
        ({"crop": 8, "resize": (8, 9)}, r"`resize` must be at most `crop`, \(8, 8\), .*\(8, 9\)"),
        ({"resampling": "area"}, "`resampling` must be None without `resize`; got 'area'"),
        ({"resize": 8, "resampling": "cubic"}, "`resampling` must be one of"),
        ({"class_names": ["a", "a"]}, "`class_names` must be different strings"),
        ({"class_names": []}, "`class_names` must be a list of 1 or more"),
        ({"class_names": "ab"}, "`class_names` must be a list of 1 or more; got 'ab'"),
    ],
)
def test_fields_that_do_not_go_together_are_refused(fields, message):
    with pytest.raises(InputError, match=message):
        DataConfig(name="folder", **fields)


@pytest.mark.parametrize("name", ["digits", "npz", "idx", "cifar10"])
@pytest.mark.parametrize("fields", [{"resize": 8}, {"crop": (8, 8)}, {"class_names": ("a",)}])
def test_other_data_sets_have_no_files_to_resample(name, fields):
    with pytest.raises(InputError, match=f"must be None for dataset '{name}', where it has no"):
        DataConfig(name=name, **fields)
