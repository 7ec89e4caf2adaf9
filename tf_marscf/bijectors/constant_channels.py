"""What a batch must be to set ActNorm layers from it, and channels that it says nothing of."""

import tensorflow as tf

from tf_marscf.errors import InputError, warn

_MAX_NAMED = 3


def check_statistics(images, argument):
    """Checks that a batch has means and variances.

    Args:
        images: [..., H, W, C].
        argument: its name, for errors.

    Raises:
        InputError: if there is no image; outside of a `tf.function`, if a value is not finite, or
            so large that its square is not.
    """
    if images.shape.num_elements() == 0:
        raise InputError(f"`{argument}` must hold at least one image; got shape {images.shape}.")
    if tf.executing_eagerly() and not tf.reduce_all(tf.math.is_finite(tf.square(images))):
        raise InputError(
            f"`{argument}` must be finite, and their squares too; got values from "
            f"{tf.reduce_min(images)} to {tf.reduce_max(images)}."
        )


class ConstantChannels:
    """Notes of ActNorm layers with channels that are constant over a batch.

    Args:
        path: names of the layer and of what holds it, the outermost first.
        found: a list that all layers of a model share.
    """

    def __init__(self, path=(), found=None):
        self._path = path
        self._found = [] if found is None else found

    def within(self, name):
        """The notes of what has this name inside."""
        return ConstantChannels((*self._path, name), self._found)

    def add(self, is_constant):
        """Notes which channels of this layer are constant, `bool` [C]."""
        self._found.append((", ".join(self._path), is_constant))

    def warn(self):
        """Writes one warning that names the layers, if there are any; not in a `tf.function`."""
        if not tf.executing_eagerly():
            return
        layers = [
            f"{path} ({tf.math.count_nonzero(is_constant)} of {len(is_constant)} channels)"
            for path, is_constant in self._found
            if tf.reduce_any(is_constant)
        ]
        if not layers:
            return
        if len(layers) > _MAX_NAMED:
            layers = [*layers[:_MAX_NAMED], f"{len(layers) - _MAX_NAMED} more"]
        warn(
            "channels that are constant over all images of the initialisation keep ActNorm's "
            f"scale of 1: {'; '.join(layers)}. Initialise with more images that differ, or with "
            "noise on them (`Dequantized.dequantize`)"
        )
