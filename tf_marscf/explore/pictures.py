"""Images and maps as addresses that hold a PNG themselves, for the page."""

import base64

import matplotlib as mpl
import numpy as np

from tf_marscf.sampling.image_grid import encode_png, spread_grey_levels

_COLOURS = "viridis"
_NUM_LEGEND_COLOURS = 9


def image_addresses(images, num_grey_levels):
    """Data URIs of images, uint8 [N, H, W, 1 or 3] of grey levels."""
    return [_address(image) for image in spread_grey_levels(images, num_grey_levels)]


def map_address(values):
    """The data URI of a map, [H, W]: its least value dark blue, its greatest one yellow."""
    least, greatest = float(values.min()), float(values.max())
    scaled = (values - least) / (greatest - least) if greatest > least else np.zeros_like(values)
    return _address(mpl.colormaps[_COLOURS](scaled, bytes=True)[..., :3])


def legend_colours():
    """The colours of a map, from its least value to its greatest, as CSS has them."""
    positions = np.linspace(0.0, 1.0, _NUM_LEGEND_COLOURS)
    return [mpl.colors.to_hex(colour) for colour in mpl.colormaps[_COLOURS](positions)]


def _address(image):
    return f"data:image/png;base64,{base64.b64encode(encode_png(image)).decode()}"
