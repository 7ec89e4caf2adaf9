"""Images of the client: read from files, and drawn as one picture."""

import math
import os

from client_servers import InputError

_MIN_PICTURE_HEIGHT = 64  # Smaller images are enlarged, by a whole factor.
_PADDING = 2


def read_images(paths, num_grey_levels):
    """Pairs of what to call an image and its array, uint8 [H, W, C]."""
    if any(path.endswith(".npz") for path in paths):
        if len(paths) > 1:
            raise InputError(f"an .npz file must be given alone; got {len(paths)} files")
        images = read_npz(paths[0])
        return [(f"{paths[0]}[{index}]", image) for index, image in enumerate(images)]
    return [(path, read_image(path, num_grey_levels)) for path in paths]


def read_npz(path):
    """The array `images` of an .npz file."""
    import zipfile
    import zlib

    import numpy as np

    try:
        with np.load(path, allow_pickle=False) as file:
            images = file["images"]
    except KeyError as error:
        raise InputError(f"{path} must hold an array `images`; it has none") from error
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise InputError(f"{path} must be an .npz file: {error}") from error
    if images.dtype != np.uint8 or images.ndim != 4 or not len(images):
        raise InputError(
            f"`images` of {path} must be uint8 [N, H, W, C], N >= 1; got {images.dtype} "
            f"{list(images.shape)}"
        )
    return images


def read_image(path, num_grey_levels):
    """The grey levels of an image file, turned the right way up."""
    import numpy as np
    from PIL import Image, ImageOps

    try:
        with Image.open(path) as image:
            mode, num_frames = image.mode, getattr(image, "n_frames", 1)
            pixels = np.asarray(ImageOps.exif_transpose(image))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise InputError(f"{path} must be an image file: {error}") from error
    if mode not in ("L", "RGB") or num_frames > 1:
        raise InputError(
            f"{path} must be one image of 8-bit grey levels or RGB; its mode is {mode}, and it has "
            f"{num_frames} frames"
        )
    levels = (pixels.astype(np.int32) * num_grey_levels // 256).astype(np.uint8)
    return levels[..., np.newaxis] if mode == "L" else levels


def draw_picture(images, num_grey_levels):
    """A PNG file's content: images, uint8 [N, H, W, 1 or 3], side by side at full brightness."""
    import io

    import numpy as np
    from PIL import Image

    if images.shape[-1] not in (1, 3):
        raise InputError(f"images of {images.shape[-1]} channels cannot be drawn")
    if images.max() >= num_grey_levels:
        raise InputError(
            f"--num_grey_levels must be that of the model; got {num_grey_levels}, and a sample has "
            f"grey level {images.max()}"
        )
    scale = max(1, _MIN_PICTURE_HEIGHT // images.shape[1])
    bright = np.rint(images * (255.0 / (num_grey_levels - 1))).astype(np.uint8)
    bright = bright.repeat(scale, axis=1).repeat(scale, axis=2)
    num_columns = math.ceil(math.sqrt(len(images)))
    num_rows = math.ceil(len(images) / num_columns)
    height, width = (size + _PADDING for size in bright.shape[1:3])
    grid = np.full(
        [num_rows * height + _PADDING, num_columns * width + _PADDING, images.shape[-1]],
        255, np.uint8,
    )  # fmt: skip
    for index, image in enumerate(bright):
        top = index // num_columns * height + _PADDING
        left = index % num_columns * width + _PADDING
        grid[top : top + len(image), left : left + image.shape[1]] = image
    buffer = io.BytesIO()
    Image.fromarray(grid.squeeze(-1) if grid.shape[-1] == 1 else grid).save(buffer, "PNG")
    return buffer.getvalue()


def write_whole(path, content):
    """Writes a file, whole or not at all."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        partial.write_bytes(content)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
