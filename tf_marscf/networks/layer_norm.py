"""Layer normalisation with a gradient written by hand."""

import keras
import tensorflow as tf


class LayerNorm(keras.layers.LayerNormalization):
    """Keras's layer normalisation over the last axis, with fewer passes through memory.

        x = scale * (maps - mean) / sqrt(variance + epsilon) + offset

    TensorFlow's own gradient of it takes about twice as many operations. Arguments and weights are
    those of `keras.layers.LayerNormalization`.
    """

    def call(self, maps):
        """[..., C] -> [..., C]."""
        dtype = maps.dtype
        maps, gamma, beta = (
            tf.cast(tensor, tf.float32) if dtype.size < 4 else tf.convert_to_tensor(tensor)
            for tensor in (maps, self.gamma, self.beta)
        )
        return tf.cast(_layer_norm(maps, gamma, beta, self.epsilon), dtype)


def _layer_norm(maps, scale, offset, epsilon):
    @tf.custom_gradient
    def layer_norm(maps, scale, offset):
        centred = maps - _mean(maps)
        inverse_deviation = tf.math.rsqrt(_mean(tf.square(centred)) + epsilon)
        normalized = centred * inverse_deviation

        def gradient(output_gradient):
            axes = list(range(maps.shape.rank - 1))
            products = output_gradient * normalized
            gradients = output_gradient * scale
            maps_gradient = inverse_deviation * (
                gradients - _mean(gradients) - normalized * _mean(gradients * normalized)
            )
            return (
                maps_gradient,
                tf.reduce_sum(products, axis=axes),
                tf.reduce_sum(output_gradient, axis=axes),
            )

        return normalized * scale + offset, gradient

    return layer_norm(maps, scale, offset)


def _mean(maps):
    return tf.reduce_mean(maps, axis=-1, keepdims=True)
