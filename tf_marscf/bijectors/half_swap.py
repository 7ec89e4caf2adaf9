"""Swap of the two halves of the channels."""

import tensorflow as tf

from tf_marscf.bijectors.image_bijector import ImageBijector, check_even_channels


class HalfSwap(ImageBijector):
    """Exchanges the first and the second half of the channels; its own inverse.

        y = concat(x_2, x_1),      log|det| = 0

    Args:
        num_channels: C, even.
        dtype: float dtype.
        validate_args: Python `bool`.
        name: Python `str`.

    Raises:
        ValueError: if `num_channels` is odd.
    """

    def __init__(self, num_channels, dtype=tf.float32, validate_args=False, name="half_swap"):
        parameters = dict(locals())
        check_even_channels(num_channels, name)
        with tf.name_scope(name) as name:
            super().__init__(
                num_channels,
                dtype=dtype,
                is_constant_jacobian=True,
                parameters=parameters,
                validate_args=validate_args,
                name=name,
            )

    @property
    def _is_permutation(self):
        return True

    def _forward_and_log_det(self, x, dropout_seed=None):
        swapped = tf.concat(tf.split(x, 2, axis=-1)[::-1], axis=-1)
        return swapped, tf.zeros([], dtype=x.dtype)

    def _inverse_and_log_det(self, y, dropout_seed=None):
        return self._forward_and_log_det(y)
