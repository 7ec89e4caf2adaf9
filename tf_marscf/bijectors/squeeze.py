"""Space to depth."""

import tensorflow as tf

from tf_marscf.bijectors.image_bijector import ImageBijector

_FACTOR = 2


class Squeeze(ImageBijector):
    """Moves each 2x2 square of pixels into channels (RealNVP, Section 3.6).

        y[i, j, 4 c + 2 a + b] = x[2 i + a, 2 j + b, c],      log|det| = 0

    The input channel is outermost, which is not the order of `tf.nn.space_to_depth`.

    Args:
        dtype: float dtype of the images.
        validate_args: Python `bool`.
        name: Python `str`.

    Raises:
        ValueError: if height or width is odd, or, in the inverse, the channels are no multiple of
            four.
    """

    def __init__(self, dtype=tf.float32, validate_args=False, name="squeeze"):
        parameters = dict(locals())
        with tf.name_scope(name) as name:
            super().__init__(
                None,
                dtype=dtype,
                is_constant_jacobian=True,
                parameters=parameters,
                validate_args=validate_args,
                name=name,
            )

    @property
    def _is_permutation(self):
        return True

    def _check_input(self, event_shape, argument):
        for axis, size in zip(("height", "width"), event_shape[:2], strict=False):
            if size is not None and size % _FACTOR:
                raise ValueError(
                    f"`{argument}` of {self.name} must have an even {axis}; got {axis} {size}."
                )

    def _check_output(self, event_shape, argument):
        channels = event_shape[-1] if len(event_shape) else None
        if channels is not None and channels % _FACTOR**2:
            raise ValueError(
                f"`{argument}` of {self.name} must have a multiple of 4 channels; got {channels}."
            )

    def _forward_and_log_det(self, x, dropout_seed=None):
        shape = tf.shape(x)
        height, width, channels = shape[1] // _FACTOR, shape[2] // _FACTOR, x.shape[3]
        y = tf.reshape(x, [-1, height, _FACTOR, width, _FACTOR, channels])
        y = tf.transpose(y, [0, 1, 3, 5, 2, 4])
        y = tf.reshape(y, [-1, height, width, channels * _FACTOR**2])
        y = tf.ensure_shape(y, [x.shape[0], *self._forward_event_shape(x.shape[1:])])
        return y, tf.zeros([], dtype=x.dtype)

    def _inverse_and_log_det(self, y, dropout_seed=None):
        shape = tf.shape(y)
        channels = y.shape[3] // _FACTOR**2
        x = tf.reshape(y, [-1, shape[1], shape[2], channels, _FACTOR, _FACTOR])
        x = tf.transpose(x, [0, 1, 4, 2, 5, 3])
        x = tf.reshape(x, [-1, shape[1] * _FACTOR, shape[2] * _FACTOR, channels])
        x = tf.ensure_shape(x, [y.shape[0], *self._inverse_event_shape(y.shape[1:])])
        return x, tf.zeros([], dtype=y.dtype)

    def _forward_event_shape(self, input_shape):
        self._check_input(input_shape, "input_shape")
        if input_shape.rank is None:
            return input_shape
        height, width, channels = input_shape[-3:]
        return tf.TensorShape(
            [_scaled(height, 1, _FACTOR), _scaled(width, 1, _FACTOR), _scaled(channels, 4, 1)]
        )

    def _inverse_event_shape(self, output_shape):
        self._check_output(output_shape, "output_shape")
        if output_shape.rank is None:
            return output_shape
        height, width, channels = output_shape[-3:]
        return tf.TensorShape(
            [_scaled(height, _FACTOR, 1), _scaled(width, _FACTOR, 1), _scaled(channels, 1, 4)]
        )

    def _forward_event_shape_tensor(self, input_shape):
        return input_shape * [1, 1, _FACTOR**2] // [_FACTOR, _FACTOR, 1]

    def _inverse_event_shape_tensor(self, output_shape):
        return output_shape * [_FACTOR, _FACTOR, 1] // [1, 1, _FACTOR**2]


def _scaled(size, multiplier, divisor):
    return None if size is None else size * multiplier // divisor
