"""What all distributions over image-shaped events share."""

import tensorflow as tf
import tensorflow_probability as tfp

from tf_marscf.rebuilt_from_parameters import RebuiltFromParameters

EVENT_NDIMS = 3


def check_value(distribution, value, argument="value"):
    """Checks, before any conversion, that a value can be an image of a distribution.

    Args:
        distribution: a distribution with a static event shape [H, W, C].
        value: a tensor or anything that converts to one.
        argument: the name that errors give to it.

    Returns:
        The value as a tensor of the distribution's dtype, with its event shape known unless the
        rank is not.

    Raises:
        TypeError: if the value is a tensor of another dtype, or an array of another kind.
        ValueError: if its trailing shape is not the event shape.
    """
    dtype = tf.as_dtype(distribution.dtype)
    given = getattr(value, "dtype", None)
    if given is not None:
        given = tf.as_dtype(given)
        # NumPy computes in float64 unless told otherwise: such arrays are rounded, not refused.
        is_numpy_float = dtype.is_floating and given.is_floating and not tf.is_tensor(value)
        if given != dtype and not is_numpy_float:
            raise TypeError(
                f"`{argument}` of {distribution.name} must have dtype {dtype.name}; "
                f"got {given.name}."
            )
    value = tf.convert_to_tensor(value, dtype=dtype, name=argument)
    event_shape = distribution.event_shape
    if value.shape.rank is None:
        return value
    leading_shape = value.shape[:-EVENT_NDIMS]
    if value.shape.rank < EVENT_NDIMS or not value.shape[-EVENT_NDIMS:].is_compatible_with(
        event_shape
    ):
        raise ValueError(
            f"`{argument}` of {distribution.name} must have shape [..., height, width, channels] "
            f"with event shape {event_shape}; got {value.shape}."
        )
    return tf.ensure_shape(value, leading_shape.concatenate(event_shape))


@classmethod
def no_parameter_properties(cls, dtype, num_classes=None):
    """The `_parameter_properties` of a distribution without batch parameters.

    TFP warns unless each class with a constructor of its own has this in its own body.
    """
    return {}


class ImageDistribution(RebuiltFromParameters, tfp.distributions.Distribution):
    """Mixin of a distribution over [H, W, C] events with a scalar batch shape.

    It checks the values given to `log_prob` and `prob`: static facts always, finiteness at run
    time under `validate_args`.
    """

    _parameter_properties = no_parameter_properties

    def _call_log_prob(self, value, name, **kwargs):
        return super()._call_log_prob(check_value(self, value), name, **kwargs)

    def _call_prob(self, value, name, **kwargs):
        return super()._call_prob(check_value(self, value), name, **kwargs)

    def experimental_local_measure(self, value, backward_compat=False, **kwargs):
        """`(log_prob, tangent space)`, for `tfd.TransformedDistribution` around this one."""
        return self.log_prob(value, **kwargs), self._experimental_tangent_space(value)

    # Densities change with volumes.
    def _experimental_tangent_space(self, value):
        return tfp.experimental.tangent_spaces.FullSpace()

    def _batch_shape(self):
        return tf.TensorShape([])

    def _batch_shape_tensor(self):
        return tf.constant([], dtype=tf.int32)

    def _default_event_space_bijector(self):
        return tfp.bijectors.Identity(validate_args=self.validate_args)

    def _sample_control_dependencies(self, value, **kwargs):
        if not self.validate_args:
            return []
        return [
            tf.debugging.assert_all_finite(value, f"`value` of {self.name} must be finite; got")
        ]
