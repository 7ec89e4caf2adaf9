"""The one place that maps grey levels to the flow's input and back."""

import math

import tensorflow as tf


class PixelScaling:
    """Maps grey levels k = 0 ... n - 1 and noise u in [0, 1) to continuous values.

        default:    x = (k + u) / n - 0.5
        published:  x = k / (n - 1) - 0.5 + u / n

    The default fills [-0.5, 0.5) without gaps. The published one leaves a gap of 1 / (n (n - 1))
    between neighbours; weights of the published code must be scored with it. In both, one grey
    level has width 1 / n, so that a pixel's probability is a density times 1 / n.

    Args:
        num_grey_levels: n, 2 ... 256.
        published: whether to use the published scaling.

    Raises:
        ValueError: if `num_grey_levels` is out of range.
    """

    def __init__(self, num_grey_levels=256, published=False):
        if not 2 <= num_grey_levels <= 256:
            raise ValueError(
                f"`num_grey_levels` must be between 2 and 256; got {num_grey_levels!r}."
            )
        self.num_grey_levels = int(num_grey_levels)
        self.published = bool(published)

    @property
    def _divisor(self):
        return self.num_grey_levels - 1 if self.published else self.num_grey_levels

    def continuous(self, pixels, noise):
        """Grey levels and noise in [0, 1), of one shape -> continuous values, dtype of the noise.

        One more leading axes of the noise broadcast.
        """
        levels = tf.cast(pixels, noise.dtype)
        return levels / self._divisor + noise / self.num_grey_levels - 0.5

    def grey_levels(self, values):
        """Continuous values -> uint8 grey levels: the level whose interval holds the value.

        Values outside of all intervals go to the nearest end.
        """
        levels = tf.floor((values + 0.5) * self._divisor)
        return tf.cast(tf.clip_by_value(levels, 0.0, self.num_grey_levels - 1.0), tf.uint8)

    def log_volume(self, num_dimensions):
        """Log of the volume of one grey level in `num_dimensions` dimensions, in nats."""
        return -num_dimensions * math.log(self.num_grey_levels)
