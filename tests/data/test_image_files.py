"""Tests of single image files: what is read is what people see, or the file is refused."""

import io
import os
import random
import zlib

import numpy as np
import pytest
import tensorflow as tf
from PIL import ExifTags, Image, ImageOps, PngImagePlugin

from tf_marscf.data import image_folder as image_folder_module
from tf_marscf.data import load_dataset
from tf_marscf.data.image_file import image_size, read_image_file
from tf_marscf.errors import InputError


def random_image(*shape):
    return Image.fromarray(np.random.RandomState(0).randint(0, 256, shape).astype(np.uint8))


def encoded(image, kind, **options):
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def exif_of(orientation):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    return exif


def failure(path):
    with pytest.raises(InputError) as caught:
        read_image_file(path)
    message = str(caught.value)
    assert message.startswith(f"{path} must ") and "\n" not in message and len(message) < 300
    return message


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["png", "jpeg", "webp"])
@pytest.mark.parametrize("shape", [(8, 16), (8, 16, 3)])
def test_images_are_turned_the_right_way_up(store, orientation, kind, shape):
    path = store(encoded(random_image(*shape), kind, exif=exif_of(orientation)))
    pixels, seen = read_image_file(path)
    assert seen == orientation
    # WebP has no grey images.
    num_channels = 3 if len(shape) > 2 or kind == "webp" else 1
    assert pixels.shape == (*((8, 16) if orientation < 5 else (16, 8)), num_channels)
    assert image_size(path) == pixels.shape[:2]
    expected = np.asarray(ImageOps.exif_transpose(Image.open(path)))
    np.testing.assert_array_equal(pixels.squeeze(), expected)


@pytest.mark.parametrize("options", [{"quality": 100}, {"quality": 60, "progressive": True}])
def test_jpeg_files_are_decoded_as_everywhere(store, options):
    path = store(encoded(random_image(24, 40, 3), "jpeg", **options))
    np.testing.assert_array_equal(read_image_file(path)[0], np.asarray(Image.open(path)))


@pytest.mark.parametrize("max_array_bytes", [0, 2**20])
def test_images_of_a_folder_are_turned_whether_kept_or_read_when_needed(
    tmp_path, monkeypatch, max_array_bytes
):
    monkeypatch.setattr(image_folder_module, "MAX_ARRAY_BYTES", max_array_bytes)
    expected = {}
    for split in ("train", "test"):
        (tmp_path / split).mkdir()
        for orientation in (1, 2, 3, 4):
            image = random_image(4, 6, 3)
            path = tmp_path / split / f"{orientation}.png"
            path.write_bytes(encoded(image, "png", exif=exif_of(orientation)))
            expected[orientation] = np.asarray(ImageOps.exif_transpose(Image.open(path)))
        image = random_image(6, 4, 3)
        path = tmp_path / split / "6.png"
        path.write_bytes(encoded(image, "png", exif=exif_of(6)))
        expected[6] = np.asarray(ImageOps.exif_transpose(Image.open(path)))
    test = load_dataset("folder", tmp_path).test
    np.testing.assert_array_equal(list(test.as_numpy_iterator()), list(expected.values()))


@pytest.mark.parametrize("orientation", [0, 9, 300])
def test_orientations_without_a_meaning_are_passed_over(store, orientation):
    image = random_image(8, 16, 3)
    pixels, _ = read_image_file(store(encoded(image, "png", exif=exif_of(orientation))))
    np.testing.assert_array_equal(pixels, np.asarray(image))


@pytest.mark.parametrize("options", [{"lossless": True}, {"quality": 60}, {"quality": 100}])
@pytest.mark.parametrize("shape", [(24, 40), (25, 41, 3)])
def test_webp_files_are_decoded_as_everywhere(store, options, shape):
    path = store(encoded(random_image(*shape), "webp", **options))
    expected = np.asarray(Image.open(path).convert("RGB"))
    np.testing.assert_array_equal(read_image_file(path)[0], expected)
    if "lossless" in options:
        stored = random_image(*shape).convert("RGB")
        np.testing.assert_array_equal(expected, np.asarray(stored))


def animated(*frames, kind="png"):
    first, *others = frames
    return encoded(first, kind, save_all=True, append_images=others)


@pytest.mark.parametrize(
    "content, message",
    [
        (encoded(random_image(8, 8, 4), "png"), "alpha is not supported; got 4 channels"),
        (encoded(random_image(8, 8, 2), "png"), "alpha is not supported; got 2 channels"),
        (encoded(random_image(8, 8), "png", transparency=7), "got transparent colours"),
        (encoded(random_image(8, 8, 3), "png", transparency=(1, 2, 3)), "transparent colours"),
        (
            encoded(random_image(8, 8, 3).convert("P"), "png", transparency=b"\0\x80"),
            "got transparent colours",
        ),
        (animated(random_image(8, 8, 4), Image.new("RGBA", (8, 8))), "got 4 channels"),
        (animated(random_image(8, 8, 3), Image.new("RGB", (8, 8))), "an animation of 2 frames"),
        (encoded(random_image(8, 8, 4), "webp", lossless=True), "not supported; got 4 channels"),
        (encoded(random_image(8, 8, 4), "webp"), "alpha is not supported; got 4 channels"),
        (
            animated(random_image(8, 8, 3), Image.new("RGB", (8, 8)), kind="webp"),
            "an animation of 2 frames",
        ),
        (encoded(random_image(8, 8, 4).convert("CMYK"), "jpeg"), "of RGB colours; got CMYK"),
        (encoded(random_image(8, 8).convert("I;16"), "png"), "got a PNG file of 16 bits"),
        (encoded(random_image(8, 8, 3), "tiff"), "must be a PNG, JPEG, WebP or BMP image"),
    ],
)
def test_what_would_be_decoded_to_something_else_is_refused(store, content, message):
    assert message in failure(store(content))


def test_a_webp_file_marked_as_an_animation_is_not_decoded(store, monkeypatch):
    """It could end the process: TensorFlow writes beyond its buffer."""
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    content = animated(*frames, kind="webp")
    assert content[8:16] == b"WEBPVP8X" and content[20] & 2
    first = content.index(b"ANMF")
    size = 8 + int.from_bytes(content[first + 4 : first + 8], "little")
    content = content[: first + size]
    single = content[:4] + (len(content) - 8).to_bytes(4, "little") + content[8:]
    monkeypatch.setattr(tf.io, "decode_image", None)
    assert "got an animation of 1 frame." in failure(store(single))
    content = bytearray(encoded(random_image(8, 8, 3), "webp", exif=exif_of(6)))
    content[20] |= 2
    failure(store(bytes(content)))


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB"])
@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_grey_levels_and_palettes_of_all_depths_are_read(store, mode, bits):
    image = random_image(8, 8, 3).convert(mode)
    options = {"bits": bits} if mode == "P" else {}
    if mode == "P":
        image = image.quantize(2**bits)
    content = encoded(image, "png", **options)
    pixels, _ = read_image_file(store(content))
    expected = image.convert("L" if mode == "1" else "RGB" if mode == "P" else mode)
    np.testing.assert_array_equal(pixels.squeeze(), np.asarray(expected))


def test_bmp_files_of_few_grey_levels_are_read(store):
    pixels = np.random.RandomState(0).randint(0, 16, (8, 8)).astype(np.uint8)
    image = Image.fromarray(pixels)
    image.putpalette([level for level in range(16) for _ in range(3)])
    seen, _ = read_image_file(store(encoded(image, "bmp")))
    np.testing.assert_array_equal(seen.squeeze(), pixels)


def with_size(content, width, height):
    """A PNG file whose header states another size, with the right checksum."""
    header = b"IHDR" + width.to_bytes(4, "big") + height.to_bytes(4, "big") + content[24:29]
    return content[:12] + header + zlib.crc32(header).to_bytes(4, "big") + content[33:]


def test_images_larger_than_any_are_refused_before_they_are_decoded(store):
    content = encoded(random_image(8, 8, 3), "png")
    assert "at most 1,024 channels" in failure(store(with_size(content, 10**4, 10**4)))
    assert "must be a smaller image" in failure(store(with_size(content, 10**5, 10**5)))
    assert "damaged or cut off" in failure(store(with_size(content, 9, 9)))


def test_a_file_without_a_header_has_no_size(tmp_path, store):
    assert image_size(store(b"some text")) is None
    assert image_size(tmp_path / "none.png") is None
    assert image_size(store(with_size(encoded(random_image(8, 8, 3), "png"), 10**5, 10**5))) is None


def test_files_larger_than_any_image_are_refused(store):
    path = store(encoded(random_image(8, 8, 3), "png"))
    os.truncate(path, 2**30)
    assert "an image file of at most 536,870,912 bytes" in failure(path)


def test_what_is_no_regular_file_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "0.png")
    assert "got a FIFO" in failure(tmp_path / "0.png")


def marked_png():
    text = PngImagePlugin.PngInfo()
    text.add_text("comment", "some text")
    return encoded(random_image(8, 16, 3), "png", exif=exif_of(6), pnginfo=text)


def test_flipped_bits_of_png_files_do_not_become_other_images(store):
    content = marked_png()
    expected, _ = read_image_file(store(content))
    generator = random.Random(0)
    for _ in range(300):
        changed = bytearray(content)
        changed[generator.randrange(len(changed))] ^= 1 << generator.randrange(8)
        try:
            pixels, _ = read_image_file(store(bytes(changed)))
        except InputError as error:
            assert "\n" not in str(error)
        else:
            np.testing.assert_array_equal(pixels, expected)


@pytest.mark.parametrize("kind", ["png", "jpeg", "bmp", "webp"])
def test_cut_off_files_are_refused(store, kind):
    options = {"exif": exif_of(6)} if kind == "webp" else {}
    content = encoded(random_image(32, 32, 3), kind, **options)
    # An end of a JPEG file that says no more than that it is one may be missing.
    for length in range(0, len(content) - 2, len(content) // 40 + 1):
        failure(store(content[:length]))


@pytest.mark.parametrize("kind", ["jpeg", "bmp", "webp"])
def test_damaged_files_without_checksums_never_end_in_another_error(store, kind):
    content = encoded(random_image(16, 16, 3), kind)
    generator = random.Random(0)
    for _ in range(150):
        changed = bytearray(content)
        for _ in range(generator.randint(1, 3)):
            changed[generator.randrange(len(changed))] ^= 1 << generator.randrange(8)
        try:
            read_image_file(store(bytes(changed)))
        except InputError as error:
            assert "\n" not in str(error)


def test_files_that_are_not_read_are_counted_by_kind(tmp_path, capsys):
    for split in ("train", "test"):
        (tmp_path / split).mkdir()
        random_image(4, 6, 3).save(tmp_path / split / "0.png")
    load_dataset("folder", tmp_path)
    assert "not read" not in capsys.readouterr().err
    names = ["a.gif", "b.GIF", "c.tiff", "d.jxl", "README", ".hidden.png"]
    for name in names:
        (tmp_path / "train" / name).write_bytes(b"")
    (tmp_path / "test" / ".cache").mkdir()
    load_dataset("folder", tmp_path)
    counts = "2 .gif, 2 hidden, 1 .tiff, 1 .jxl, 1 without suffix"
    lines = [line for line in capsys.readouterr().err.splitlines() if "not read" in line]
    assert len(lines) == 1
    prefix = f"warning: in {tmp_path}, not read as images: "
    assert lines[0].startswith(prefix)
    assert sorted(lines[0].removeprefix(prefix).split(", ")) == sorted(counts.split(", "))


def test_a_folder_of_other_images_says_what_it_holds(tmp_path):
    for index in range(3):
        random_image(4, 4, 3).save(tmp_path / f"{index}.tiff")
    with pytest.raises(InputError, match="which holds none, but 3 .tiff"):
        load_dataset("folder", tmp_path)


def test_decoders_that_disagree_are_no_image(store, monkeypatch):
    path = store(encoded(random_image(8, 8, 3), "png"))
    monkeypatch.setattr(tf.io, "decode_image", lambda *_, **__: tf.zeros([4, 4, 3], tf.uint8))
    assert "damaged or cut off" in failure(path)
