"""What makes a group of channels autoregressive, when one step gives all of their Normals."""

import keras
import tensorflow as tf


class GroupRegression(keras.layers.Layer):
    """Regresses each channel on those before it in its group, at each pixel.

        mean_j += sum_{k < j} A_jk l^k,     j and k in one group

    Added to means that do not depend on the group, it gives the group's Normal at a pixel any
    covariance: A and the log-scales are its modified Cholesky factor (Pourahmadi, 1999). A group
    has coefficients A of its own, zeros at the start.

    Args:
        num_groups: T.
        group_size: g, channels of a group, at least 2.
    """

    def __init__(self, num_groups, group_size, *, dtype=None, name=None):
        super().__init__(dtype=dtype, name=name)
        self._shape = (num_groups, group_size, group_size)

    def build(self, input_shape=None):
        """Creates the weights, [T, g, g]; entries with k >= j have no effect."""
        self.weight = self.add_weight(shape=self._shape, initializer="zeros", name="weight")
        self.built = True

    def coefficients(self):
        """A of each group, [T, g, g], strictly lower triangular."""
        weight = tf.convert_to_tensor(self.weight)
        return tf.linalg.set_diag(
            tf.linalg.band_part(weight, -1, 0), tf.zeros(self._shape[:2], weight.dtype)
        )

    def call(self, latents):
        """What is added to the means, [N, H, W, T * g] -> the same shape."""
        num_groups, group_size, _ = self._shape
        coefficients = self.coefficients()
        # One product with all groups, a matrix of blocks: many small ones take longer.
        blocks = tf.eye(num_groups, dtype=coefficients.dtype)[:, tf.newaxis, :, tf.newaxis]
        matrix = tf.reshape(blocks * coefficients[:, :, tf.newaxis], 2 * [num_groups * group_size])
        return tf.linalg.matvec(matrix, latents)
