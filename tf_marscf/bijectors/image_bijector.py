"""Base class of the layers of the flow."""

import abc

import tensorflow as tf
import tensorflow_probability as tfp
from tensorflow_probability.python.internal import cache_util

from tf_marscf.bijectors.constant_channels import ConstantChannels, check_statistics
from tf_marscf.kernels.batch_parts import in_batch_parts, on_nonempty_batch
from tf_marscf.rebuilt_from_parameters import RebuiltFromParameters
from tf_marscf.stateless_seed import first_row_of_replica, seed_of_rows

_EVENT_NDIMS = 3


class _GraphCache(cache_util.BijectorCache):
    """TFP's cache, while a `tf.function` is traced and nowhere else.

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


class ImageBijector(RebuiltFromParameters, tfp.bijectors.Bijector, abc.ABC):
    """A bijector of image-shaped events [H, W, C] with any leading shape.

    A subclass computes value and log-det together, on rank-4 tensors:

        _forward_and_log_det(x):  y = f(x),       log|det df/dx|
        _inverse_and_log_det(y):  x = f^-1(y),    log|det df^-1/dy|

    so that a coupling's network runs once for both. `forward` maps images towards latents. On CPUs
    these two see one part of a batch after another (`batch_parts.py`).

    Every method that takes an image also takes `dropout_seed`, a [2] integer tensor: it turns what
    is random while training on, dropout of the networks inside and estimates of residual blocks'
    log-dets, as functions of the seed. Without it nothing is random. The two methods above get it
    as `seed_of_rows`, so that the masks of the parts are those of the whole batch.

    Args:
        num_channels: C of the input, or None where any will do.
        dtype: a float dtype.
        is_constant_jacobian: whether the log-det is the same for all images.
        parameters: locals of the subclass's constructor.
        validate_args: Python `bool`, accepted as by all of TFP.
        name: Python `str`.
    """

    _cache = _GraphCache()

    def __init__(
        self, num_channels, *, dtype, is_constant_jacobian, parameters, validate_args, name
    ):
        dtype = tf.as_dtype(dtype)
        if not dtype.is_floating:
            raise TypeError(f"`dtype` must be a float dtype; got {dtype.name!r}.")
        self._num_channels = num_channels
        super().__init__(
            forward_min_event_ndims=_EVENT_NDIMS,
            inverse_min_event_ndims=_EVENT_NDIMS,
            is_constant_jacobian=is_constant_jacobian,
            dtype=dtype,
            validate_args=validate_args,
            parameters=parameters,
            name=name,
        )

    # Bijectors with weights of their own are equal only if they are the same object. TFP compares
    # constructor arguments, and would share cache entries between layers of the same size.
    def __eq__(self, other):
        return self is other

    def __hash__(self):
        return id(self)

    @classmethod
    def _parameter_properties(cls, dtype):
        return {}

    @property
    def num_channels(self):
        """Channels of the input; None where any will do."""
        return self._num_channels

    @property
    def _parts_interact(self):
        return False

    @abc.abstractmethod
    def _forward_and_log_det(self, x, dropout_seed=None):
        """[N, H, W, C] -> `(y, log_det)`, the log-det [N] or a scalar."""

    @abc.abstractmethod
    def _inverse_and_log_det(self, y, dropout_seed=None):
        """[N, H, W, C] -> `(x, log_det)`, the log-det [N] or a scalar."""

    def _initialize(self, x, constant_channels):
        """Sets the weights from a batch [N, H, W, C] and returns the output for it.

        `constant_channels` is a `ConstantChannels` under the name of this layer.
        """
        y, _ = self._forward_and_log_det(x)
        return y

    def initialize(self, x):
        """Sets data-dependent weights from a batch, and returns `forward(x)` of the result.

        ActNorm layers, also those inside coupling networks, are set so that their outputs have
        zero mean and unit variance a channel over this batch; layers in a chain one after another,
        each from what those before it make of the batch. Call it once, before training.

        Channels that are constant over the batch keep their scale, and a warning names them.

        Args:
            x: [..., H, W, C], one or more leading axes; at least one image, all finite.

        Returns:
            The output for `x`, with the same leading shape.
        """
        constant_channels = ConstantChannels((self.name,))
        y = self.initialize_and_note(x, constant_channels)
        constant_channels.warn()
        return y

    def initialize_and_note(self, x, constant_channels):
        """As `initialize`, with a `ConstantChannels` that notes them instead of the warning."""
        x = self._checked(x, "x", self._check_input)
        check_statistics(x, "x")
        flat, restore = _flatten_leading(x)
        return restore(self._initialize(flat, constant_channels))

    def forward_and_log_det(self, x, dropout_seed=None):
        """`(y, log|det dy/dx|)`, each network evaluated once.

        Args:
            x: [..., H, W, C].
            dropout_seed: [2] integer tensor that turns dropout on, or None.

        Returns:
            `y` with the leading shape of `x`, and the log-det of that leading shape, in nats.
        """
        x = self._checked(x, "x", self._check_input)
        return self._value_and_log_det(self._forward_and_log_det, x, dropout_seed)

    def inverse_and_log_det(self, y, dropout_seed=None):
        """`(x, log|det dx/dy|)`, the inverse of `forward_and_log_det`."""
        y = self._checked(y, "y", self._check_output)
        return self._value_and_log_det(self._inverse_and_log_det, y, dropout_seed)

    def _value_and_log_det(self, function, value, dropout_seed):
        """One of the two functions of rank-4 tensors, for any leading shape."""

        def of_batch(maps):
            if dropout_seed is None:
                return in_batch_parts(of_part, maps)
            num_images = tf.shape(maps)[0]
            rows = first_row_of_replica(num_images) + tf.range(num_images)
            return in_batch_parts(of_part, maps, rows)

        def of_part(maps, rows=None):
            seed = None if rows is None else seed_of_rows(dropout_seed, rows[0])
            output, log_det = function(maps, dropout_seed=seed)
            return output, tf.broadcast_to(log_det, tf.shape(maps)[:1])

        flat, restore = _flatten_leading(value)
        output, log_det = on_nonempty_batch(of_batch, flat)
        log_det = tf.reshape(log_det, tf.shape(value)[:-_EVENT_NDIMS])
        return restore(output), tf.ensure_shape(log_det, value.shape[:-_EVENT_NDIMS])

    def forward_and_log_det_map(self, x):
        """`(y, map)`: y of x [N, H, W, C], and where its log-det comes from, in nats.

        The map [N, H', W'] has a number for each pixel of y. Their sum is the log-det; what of it
        is of no pixel, or cannot be told apart, is the same in all of them.
        """
        y, log_det = self._forward_and_log_det(x)
        shares = tf.broadcast_to(log_det, tf.shape(y)[:1]) / num_pixels(y)
        return y, tf.broadcast_to(shares[:, tf.newaxis, tf.newaxis], tf.shape(y)[:3])

    def _forward(self, x, **kwargs):
        y, log_det = self.forward_and_log_det(x, **kwargs)
        self._cache.forward_attributes(x, **kwargs)["ildj"] = -log_det
        return y

    def _inverse(self, y, **kwargs):
        x, log_det = self.inverse_and_log_det(y, **kwargs)
        self._cache.inverse_attributes(y, **kwargs)["ildj"] = log_det
        return x

    def _forward_log_det_jacobian(self, x, **kwargs):
        return self.forward_and_log_det(x, **kwargs)[1]

    def _inverse_log_det_jacobian(self, y, **kwargs):
        return self.inverse_and_log_det(y, **kwargs)[1]

    def _experimental_compute_density_correction(self, x, tangent_space, **kwargs):
        kwargs.pop("backward_compat", None)
        return tangent_space.transform_dimension_preserving(x, self, **kwargs)

    def _checked(self, value, argument, check_shape):
        value = tf.convert_to_tensor(value, dtype_hint=self.dtype, name=argument)
        if value.dtype != self.dtype:
            raise TypeError(
                f"`{argument}` of {self.name} must have dtype {self.dtype.name}; "
                f"got {value.dtype.name}."
            )
        if value.shape.rank is not None and value.shape.rank < _EVENT_NDIMS:
            raise ValueError(
                f"`{argument}` of {self.name} must have shape [..., height, width, channels]; "
                f"got {value.shape}."
            )
        check_shape(value.shape[-_EVENT_NDIMS:], argument)
        return value

    def _check_channels(self, event_shape, argument, num_channels):
        channels = tf.TensorShape(event_shape)[-1] if tf.TensorShape(event_shape).rank else None
        if None not in (channels, num_channels) and channels != num_channels:
            raise ValueError(
                f"`{argument}` of {self.name} must have {num_channels} channels; "
                f"got shape [..., {', '.join(str(size) for size in event_shape)}]."
            )

    def _check_input(self, event_shape, argument):
        self._check_channels(event_shape, argument, self._num_channels)

    def _check_output(self, event_shape, argument):
        self._check_channels(event_shape, argument, self._num_channels)

    def _forward_event_shape(self, input_shape):
        self._check_input(input_shape, "input_shape")
        return input_shape

    def _inverse_event_shape(self, output_shape):
        self._check_output(output_shape, "output_shape")
        return output_shape


def _flatten_leading(value):
    """Folds all leading axes into one; returns the rank-4 tensor and the function that unfolds."""
    if value.shape.rank == _EVENT_NDIMS + 1:
        return value, lambda output: output
    flat = tf.reshape(value, tf.concat([[-1], tf.shape(value)[-_EVENT_NDIMS:]], axis=0))
    if value.shape.rank is not None:
        leading_shape = value.shape[:-_EVENT_NDIMS]
        flat = tf.ensure_shape(flat, [leading_shape.num_elements(), *value.shape[-_EVENT_NDIMS:]])

    def restore(output):
        shape = tf.concat([tf.shape(value)[:-_EVENT_NDIMS], tf.shape(output)[1:]], axis=0)
        restored = tf.reshape(output, shape)
        if value.shape.rank is not None:
            restored = tf.ensure_shape(
                restored, value.shape[:-_EVENT_NDIMS].concatenate(output.shape[1:])
            )
        return restored

    return flat, restore


def check_even_channels(num_channels, owner):
    """Raises if the channels cannot be split into two halves."""
    if num_channels < 2 or num_channels % 2:
        raise ValueError(
            f"`num_channels` of {owner} must be an even integer >= 2; got {num_channels!r}."
        )


def num_pixels(maps):
    """H * W of [N, H, W, C], in the maps' dtype."""
    height, width = maps.shape[1:3]
    if height is not None and width is not None:
        return tf.constant(height * width, dtype=maps.dtype)
    return tf.cast(tf.reduce_prod(tf.shape(maps)[1:3]), maps.dtype)


def sum_over_event(values):
    """[N, H, W, C] -> [N]."""
    return tf.reduce_sum(values, axis=[1, 2, 3])
