"""Invertible 1x1 convolution in PLU form."""

import numpy as np
import scipy.linalg
import tensorflow as tf

from tf_marscf.bijectors.image_bijector import ImageBijector, num_pixels
from tf_marscf.kernels.tensor_float_32 import exact_matmul


class InvertibleConv1x1(ImageBijector):
    """A learned linear map of the channels, the same at every pixel (Glow, Section 3.2).

        W = P (tril(L, -1) + I) (triu(U, 1) + diag(sign_s * exp(log_s)))
        y = W x,      log|det| = H * W * sum(log_s)

    P, a permutation, and sign_s are fixed. W starts as a random rotation. `FlowStep` computes it
    together with the ActNorm before.

    Args:
        num_channels: C.
        seed: Python `int` or None, seed of the initial rotation.
        dtype: float dtype.
        validate_args: Python `bool`.
        name: Python `str`.
    """

    def __init__(
        self,
        num_channels,
        seed=None,
        dtype=tf.float32,
        validate_args=False,
        name="invertible_conv1x1",
    ):
        parameters = dict(locals())
        with tf.name_scope(name) as name:
            normal = np.random.default_rng(seed).standard_normal((num_channels, num_channels))
            permutation, lower, upper = scipy.linalg.lu(np.linalg.qr(normal)[0])
            diagonal = np.diag(upper)
            self.permutation = self._variable(permutation, dtype, "permutation", trainable=False)
            self.sign_s = self._variable(np.sign(diagonal), dtype, "sign_s", trainable=False)
            self.lower = self._variable(np.tril(lower, -1), dtype, "lower")
            self.upper = self._variable(np.triu(upper, 1), dtype, "upper")
            self.log_s = self._variable(np.log(np.abs(diagonal)), dtype, "log_s")
            super().__init__(
                num_channels,
                dtype=dtype,
                is_constant_jacobian=True,
                parameters=parameters,
                validate_args=validate_args,
                name=name,
            )

    @staticmethod
    def _variable(value, dtype, name, trainable=True):
        return tf.Variable(tf.constant(value, dtype), name=name, trainable=trainable)

    def _triangular_factors(self, dtype):
        """The unit lower and the upper triangular factor, [C, C] each."""
        lower = tf.linalg.set_diag(
            tf.linalg.band_part(tf.cast(self.lower, dtype), -1, 0),
            tf.ones([self.num_channels], dtype),
        )
        upper = tf.linalg.set_diag(
            tf.linalg.band_part(tf.cast(self.upper, dtype), 0, -1),
            tf.cast(self.sign_s, dtype) * tf.exp(tf.cast(self.log_s, dtype)),
        )
        return lower, upper

    def matrix(self):
        """W, [C, C]."""
        lower, upper = self._triangular_factors(self.dtype)
        return exact_matmul(tf.convert_to_tensor(self.permutation), exact_matmul(lower, upper))

    def inverse_matrix(self):
        """W^-1, [C, C], solved in float64."""
        lower, upper = self._triangular_factors(tf.float64)
        # P is orthogonal, so L^-1 P^T is the solution of L Z = P^T.
        inverse = tf.linalg.triangular_solve(
            lower, tf.transpose(tf.cast(self.permutation, tf.float64)), lower=True
        )
        return tf.cast(tf.linalg.triangular_solve(upper, inverse, lower=False), self.dtype)

    def _forward_and_log_det(self, x, dropout_seed=None):
        return multiply_channels(self.matrix(), x), num_pixels(x) * tf.reduce_sum(self.log_s)

    def _inverse_and_log_det(self, y, dropout_seed=None):
        return multiply_channels(self.inverse_matrix(), y), -num_pixels(y) * tf.reduce_sum(
            self.log_s
        )


def multiply_channels(matrix, maps, bias=None):
    """Multiplies every pixel of [N, H, W, C] by [C, C], and adds [C]."""
    channels = maps.shape[3]
    pixels = exact_matmul(tf.reshape(maps, [-1, channels]), matrix, transpose_b=True)
    if bias is not None:
        pixels = tf.nn.bias_add(pixels, bias)
    return tf.ensure_shape(tf.reshape(pixels, tf.shape(maps)), maps.shape)
