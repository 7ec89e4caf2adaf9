"""Composition of layers of the flow."""

import tensorflow as tf

from tf_marscf.bijectors.image_bijector import ImageBijector
from tf_marscf.stateless_seed import split_seed


class ImageChain(ImageBijector):
    """Image bijectors one after another, listed in the order in which `forward` runs them.

        forward = f_n(... f_2(f_1(x))),      log|det| = sum of theirs

    (`tfb.Chain([a, b])` runs b first; the reversal is hidden here, once.)

    Args:
        bijectors: `ImageBijector`s, first to last.
        validate_args: Python `bool`.
        parameters: locals of a subclass's constructor.
        name: Python `str`.

    Raises:
        ValueError: if `bijectors` is empty.
    """

    def __init__(self, bijectors, validate_args=False, parameters=None, name="image_chain"):
        parameters = dict(locals()) if parameters is None else parameters
        bijectors = list(bijectors)
        if not bijectors:
            raise ValueError("`bijectors` must not be empty; got [].")
        with tf.name_scope(name) as name:
            self.bijectors = bijectors
            super().__init__(
                bijectors[0].num_channels,
                dtype=bijectors[0].dtype,
                is_constant_jacobian=all(one.is_constant_jacobian for one in bijectors),
                parameters=parameters,
                validate_args=validate_args,
                name=name,
            )

    def _initialize(self, x, constant_channels):
        for bijector in self.bijectors:
            x = bijector._initialize(x, constant_channels.within(bijector.name))
        return x

    def _forward_and_log_det(self, x, dropout_seed=None):
        log_det = tf.zeros([], dtype=x.dtype)
        seeds = split_seed(dropout_seed, len(self.bijectors))
        for bijector, seed in zip(self.bijectors, seeds, strict=True):
            x, layer_log_det = bijector._forward_and_log_det(x, dropout_seed=seed)
            log_det += layer_log_det
        return x, log_det

    def forward_and_log_det_map(self, x):
        """As of every `ImageBijector`: the sum of the layers' maps.

        Where a later layer moves squares of pixels into channels, these pixels are added up.
        """
        log_det_map = tf.zeros(tf.shape(x)[:3], dtype=x.dtype)
        for bijector in self.bijectors:
            size = x.shape[1:3]
            x, layer_map = bijector.forward_and_log_det_map(x)
            log_det_map = layer_map + _sums_of_squares(log_det_map, size, x.shape[1:3])
        return x, log_det_map

    def _inverse_and_log_det(self, y, dropout_seed=None):
        log_det = tf.zeros([], dtype=y.dtype)
        seeds = split_seed(dropout_seed, len(self.bijectors))
        for bijector, seed in zip(reversed(self.bijectors), reversed(seeds), strict=True):
            y, layer_log_det = bijector._inverse_and_log_det(y, dropout_seed=seed)
            log_det += layer_log_det
        return y, log_det

    def _check_input(self, event_shape, argument):
        self.bijectors[0]._check_input(event_shape, argument)

    def _check_output(self, event_shape, argument):
        self.bijectors[-1]._check_output(event_shape, argument)

    def _forward_event_shape(self, input_shape):
        for bijector in self.bijectors:
            input_shape = bijector.forward_event_shape(input_shape)
        return input_shape

    def _inverse_event_shape(self, output_shape):
        for bijector in reversed(self.bijectors):
            output_shape = bijector.inverse_event_shape(output_shape)
        return output_shape

    def _forward_event_shape_tensor(self, input_shape):
        for bijector in self.bijectors:
            input_shape = bijector.forward_event_shape_tensor(input_shape)
        return input_shape

    def _inverse_event_shape_tensor(self, output_shape):
        for bijector in reversed(self.bijectors):
            output_shape = bijector.inverse_event_shape_tensor(output_shape)
        return output_shape


def _sums_of_squares(maps, size, smaller):
    """[N, *size] -> [N, *smaller]: sums over equal rectangles."""
    if size == smaller:
        return maps
    (height, width), (rows, columns) = size, smaller
    maps = tf.reshape(maps, [-1, rows, height // rows, columns, width // columns])
    return tf.reduce_sum(maps, axis=[2, 4])
