"""What all distributions over image-shaped events share."""

import tensorflow as tf
import tensorflow_probability as tfp

from tf_marscf.distributions.sampling_arguments import checked_sample_shape
from tf_marscf.rebuilt_from_parameters import RebuiltFromParameters
from tf_marscf.stateless_seed import checked_seed

EVENT_NDIMS = 3
_FAR = 1e3  # Images lie in [-0.5, 0.5], latents around 0 with variance 1.


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


def _without_overflow(log_prob, value):
    """-inf where a density is NaN because of values that are far from any image.

    Other NaNs stay: those of values that are NaN, or of weights.
    """
    if not value.dtype.is_floating:
        return log_prob
    axes = [-3, -2, -1]
    is_far = tf.reduce_any(tf.abs(value) > _FAR, axes)
    is_overflow = is_far & tf.math.is_nan(log_prob) & ~tf.reduce_any(tf.math.is_nan(value), axes)
    # A sum, so that no infinite constant worries `tf.debugging.enable_check_numerics`.
    lowest = tf.where(is_overflow, log_prob.dtype.min, tf.zeros([], log_prob.dtype))
    return tf.where(is_overflow, lowest, log_prob) + lowest


@classmethod
def no_parameter_properties(cls, dtype, num_classes=None):
    """The `_parameter_properties` of a distribution without batch parameters.

    TFP warns unless each class with a constructor of its own has this in its own body.
    """
    return {}


class ImageDistribution(RebuiltFromParameters, tfp.distributions.Distribution):
    """Mixin of a distribution over [H, W, C] events with a scalar batch shape.

    It checks the values given to `log_prob` and `prob`: static facts always, finiteness at run
    time under `validate_args`. Far from all images, where networks overflow, densities are 0.
    Sample shapes are checked, too.
    """

    _parameter_properties = no_parameter_properties

    def _call_log_prob(self, value, name, **kwargs):
        value = check_value(self, value)
        return _without_overflow(super()._call_log_prob(value, name, **kwargs), value)

    def _call_prob(self, value, name, **kwargs):
        return tf.exp(self._call_log_prob(value, name, **kwargs))

    def sample(self, sample_shape=(), seed=None, name="sample", **kwargs):
        """Samples; as of TFP.

        Args:
            sample_shape: an integer >= 0, or a sequence of some.
            seed: None for fresh entropy, an integer in [-2^63, 2^63), a [2] integer tensor, or a
                function that returns one of these. Equal seeds give equal samples; negative ones
                are seeds like others.
            name: Python `str`.
            **kwargs: `temperature`, a number >= 0 that scales the prior's noise, or of a flow one a
                level, level 1 first; of a distribution with classes, `label`; of a `LatentPrior`,
                `conditional_input`.

        Returns:
            A tensor [*sample_shape, H, W, C].

        Raises:
            InputError: if an argument is not as above.
        """
        shape = checked_sample_shape(sample_shape)
        return super().sample(shape, checked_seed(seed), name, **kwargs)

    def experimental_sample_and_log_prob(
        self, sample_shape=(), seed=None, name="sample_and_log_prob", **kwargs
    ):
        """`(samples, log_prob)`; arguments as of `sample`."""
        shape = checked_sample_shape(sample_shape)
        return super().experimental_sample_and_log_prob(shape, checked_seed(seed), name, **kwargs)

    def experimental_local_measure(self, value, backward_compat=False, **kwargs):
        """`(log_prob, tangent space)`, for a `tfd.TransformedDistribution` of this one."""
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
