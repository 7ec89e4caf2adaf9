"""Images cut and resampled to one size, exactly: equal pixels on every machine."""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class Resampling:
    """What `crop` and then `resize` of a `DataConfig` make of an image.

    Attributes:
        crop: `(height, width)` in pixels of what is kept, of the middle of the image; "center" for
            the largest part with the proportions of `resize`; None for all.
        resize: `(height, width)` that what is kept gets by area resampling; None for no change.
    """

    crop: object = None
    resize: tuple | None = None

    @property
    def size(self):
        """The `(height, width)` that all images get; None where each keeps its own."""
        return self.resize or self.crop

    def kept_size(self, size):
        """The `(height, width)` of what `crop` keeps of an image of some `(height, width)`."""
        if self.crop is None:
            return tuple(size)
        return largest_part(size, self.resize) if self.crop == "center" else self.crop

    def too_large(self, size):
        """Which field asks for more than an image of a `(height, width)` has, or None."""
        for name, available in (("crop", size), ("resize", self.kept_size(size))):
            wanted = getattr(self, name)
            if isinstance(wanted, tuple) and (wanted[0] > available[0] or wanted[1] > available[1]):
                return name
        return None

    def changes_proportions(self, size):
        """Whether `resize` stretches what is kept of an image, by more than a pixel's rounding."""
        kept = self.kept_size(size)
        return self.resize is not None and largest_part(kept, self.resize) != kept

    def __call__(self, image):
        """The image, uint8 `[height, width, channels]`, cut and resampled."""
        image = middle(image, self.kept_size(image.shape[:2]))
        return image if self.resize is None else area_resampled(image, self.resize)


def largest_part(size, proportions):
    """The largest `(height, width)` within a size that has the proportions of another.

    One of the two is that of `size`; the other is rounded to whole pixels, halves up.
    """
    (height, width), (rows, columns) = size, proportions
    if width * rows > height * columns:
        return height, max(1, (2 * height * columns + rows) // (2 * rows))
    return max(1, (2 * width * rows + columns) // (2 * columns)), width


def middle(image, size):
    """The middle of an image; of an odd number of lines the bottom or the right loses one more."""
    height, width = size
    top, left = (image.shape[0] - height) // 2, (image.shape[1] - width) // 2
    return image[top : top + height, left : left + width]


def area_resampled(image, size):
    """Reduces an image by the mean of what each new pixel covers of the old ones.

    Of h lines, new line i of H covers those from i h / H to (i + 1) h / H, the first and the last
    in part; so for columns. Weights are the parts that are covered: a box filter without aliasing.
    With weights in H-ths and W-ths of a line all sums are whole numbers, which float64 holds
    exactly. Means are rounded to the nearest grey level, halves up.

    Args:
        image: uint8 `[h, w, channels]`.
        size: `(H, W)`, at most `(h, w)`.

    Returns:
        uint8 `[H, W, channels]`.
    """
    num_covered = image.shape[0] * image.shape[1]
    # Memory: the rows of one new line are all that is converted at a time.
    rows = _weighted_sums(image, size[0])
    sums = _weighted_sums(rows.swapaxes(0, 1), size[1]).swapaxes(0, 1)
    # In H W-ths of a pixel a new one covers h w.
    return ((2 * sums.astype(np.int64) + num_covered) // (2 * num_covered)).astype(np.uint8)


def _weighted_sums(lines, num_new):
    """Sums over what each new line covers of the old ones, in parts of 1 / num_new; float64."""
    num_old = len(lines)
    sums = np.empty((num_new, *lines.shape[1:]))
    for index in range(num_new):
        start, end = index * num_old, (index + 1) * num_old
        first, last = start // num_new, -(-end // num_new)
        edges = np.arange(first, last + 1) * num_new
        weights = np.diff(edges.clip(start, end)).astype(np.float64)
        covered = lines[first:last].astype(np.float64)
        sums[index] = np.tensordot(weights, covered, axes=1)
    return sums
