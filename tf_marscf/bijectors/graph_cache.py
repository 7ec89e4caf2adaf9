"""The bijector cache of TFP, where it is safe."""

import tensorflow as tf
from tensorflow_probability.python.internal import cache_util


class GraphCache(cache_util.BijectorCache):
    """Caches while a `tf.function` is traced, and nowhere else.

    In a trace the cache makes `forward` and `forward_log_det_jacobian` of the same tensor run a
    network once. In eager mode a layer's variables can change between two calls with the same
    tensor, and a cached answer would be stale; so would one from outside a `tf.GradientTape`.
    Calls with keyword arguments (a dropout seed) are not cached either.
    """

    def _is_safe(self, kwargs):
        return not tf.executing_eagerly() and not kwargs

    def _lookup(self, input, forward_name, inverse_name, **kwargs):
        if self._is_safe(kwargs):
            return super()._lookup(input, forward_name, inverse_name, **kwargs)
        return self._invoke(input, forward_name, kwargs, {})

    def _attributes(self, input, fn_name, **kwargs):
        if self._is_safe(kwargs):
            return super()._attributes(input, fn_name, **kwargs)
        return {}
