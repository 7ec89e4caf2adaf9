"""Base class of the priors of latent maps."""

import abc
import functools

import tensorflow as tf
import tensorflow_probability as tfp

from tf_marscf.distributions.image_distribution import (
    EVENT_NDIMS,
    ImageDistribution,
    check_value,
    no_parameter_properties,
)
from tf_marscf.distributions.sampling_arguments import checked_temperature
from tf_marscf.distributions.standard_family import STANDARD_FAMILIES
from tf_marscf.kernels.batch_parts import on_nonempty_batch
from tf_marscf.stateless_seed import stateless_normal


class LatentPrior(ImageDistribution, abc.ABC):
    """p(l | r): Normal for each element of a latent map l [H, W, C], given a map r [H, W, C_r].

        log p(l | r) = sum over elements of log Normal(l; mean, exp(log_scale))
        l = mean + exp(log_scale) * noise, noise ~ Normal(0, 1)

    Or logistic, with the same mean and standard deviation: noise is logistic then, of variance 1,
    and drawn as the function of normal noise that has that distribution (`StandardFamily`).

    A subclass says what mean and log_scale depend on. `log_prob` and `sample` take r as
    `conditional_input` (the name that `tfd.PixelCNN` uses); where its leading shape is B, one
    sample has shape [*B, H, W, C].

    Args:
        event_shape: (H, W, C) of l.
        num_conditional_channels: C_r, or 0 for a prior without r.
        family: "normal" or "logistic", of each element.
        dtype: float dtype.
        parameters: locals of the subclass's constructor.
        validate_args: Python `bool`: check at run time that values are finite.
        name: Python `str`.
    """

    _parameter_properties = no_parameter_properties

    def __init__(
        self,
        event_shape,
        num_conditional_channels,
        *,
        family="normal",
        dtype,
        parameters,
        validate_args,
        name,
    ):
        self._family = family
        self._latent_shape = tf.TensorShape(event_shape)
        self._num_conditional_channels = num_conditional_channels
        super().__init__(
            dtype=tf.as_dtype(dtype),
            reparameterization_type=tfp.distributions.FULLY_REPARAMETERIZED,
            validate_args=validate_args,
            allow_nan_stats=False,
            parameters=parameters,
            name=name,
        )

    @property
    def family(self):
        """The family of each element: "normal" or "logistic"."""
        return self._family

    @property
    def num_conditional_channels(self):
        """Channels of the conditional input; 0 for none."""
        return self._num_conditional_channels

    @abc.abstractmethod
    def _mean_and_log_scale(self, latents, conditional_input):
        """[N, H, W, C], [N, H, W, C_r] or None -> two tensors that broadcast to [N, H, W, C]."""

    @abc.abstractmethod
    def _latents_from_noise(self, noise, conditional_input):
        """[N, H, W, C], [N, H, W, C_r] or None -> [N, H, W, C]."""

    def latents_from_noise(self, noise, conditional_input=None):
        """The latents that a draw of standard-normal noise stands for.

        Args:
            noise: [..., H, W, C].
            conditional_input: [..., H, W, C_r] with the leading shape of `noise`, or None.

        Returns:
            The latents, shape of `noise`.
        """
        noise = STANDARD_FAMILIES[self._family].from_normal(check_value(self, noise, "noise"))
        latents = self._over_flat_batch(self._latents_from_noise, noise, conditional_input)
        return tf.ensure_shape(latents, noise.shape)

    def noise(self, sample_shape, seed, temperature=1.0):
        """Standard-normal noise times `temperature`, [*sample_shape, H, W, C]."""
        temperature = checked_temperature(temperature, self.dtype)
        shape = tf.concat([_as_vector(sample_shape), self._latent_shape], axis=0)
        return temperature * stateless_normal(shape, seed, self.dtype)

    def _over_flat_batch(self, function, maps, conditional_input):
        """Calls `function` with all leading axes folded into one."""
        conditional_input = self._checked_conditional_input(conditional_input)
        leading_shape = tf.shape(maps)[:-EVENT_NDIMS]
        maps = tf.reshape(maps, [-1, *self._latent_shape])
        if conditional_input is not None:
            conditional_shape = conditional_input.shape[-EVENT_NDIMS:]
            conditional_input = tf.broadcast_to(
                conditional_input, tf.concat([leading_shape, conditional_shape], axis=0)
            )
            conditional_input = tf.reshape(conditional_input, [-1, *conditional_shape])
        output = on_nonempty_batch(function, maps, conditional_input)
        return tf.reshape(output, tf.concat([leading_shape, tf.shape(output)[1:]], axis=0))

    def _checked_conditional_input(self, conditional_input):
        channels = self._num_conditional_channels
        if not channels:
            if conditional_input is not None:
                raise ValueError(
                    f"`conditional_input` of {self.name} must be None, because "
                    "num_conditional_channels is 0; got a value."
                )
            return None
        expected = self._latent_shape[:2].concatenate(channels)
        if conditional_input is None:
            raise ValueError(
                f"`conditional_input` of {self.name} must have event shape {expected}; got None."
            )
        conditional_input = tf.convert_to_tensor(conditional_input, dtype_hint=self.dtype)
        shape = conditional_input.shape
        if shape.rank is None or shape.rank < EVENT_NDIMS or shape[-EVENT_NDIMS:] != expected:
            raise ValueError(
                f"`conditional_input` of {self.name} must have event shape {expected}; got {shape}."
            )
        return conditional_input

    def _log_prob(self, value, conditional_input=None, **options):
        flat_log_prob = functools.partial(self._flat_log_prob, **options)
        return self._over_flat_batch(flat_log_prob, value, conditional_input)

    def log_prob_map(self, value, conditional_input=None):
        """Where `log_prob` comes from: the sum over the channels of each pixel, in nats.

        Args:
            value: l, [..., H, W, C].
            conditional_input: r, as of `log_prob`.

        Returns:
            [..., H, W], whose sum is `log_prob`.
        """

        def flat_map(latents, conditional_input):
            return tf.reduce_sum(self._log_density(latents, conditional_input), axis=3)

        return self._over_flat_batch(flat_map, check_value(self, value), conditional_input)

    def _flat_log_prob(self, latents, conditional_input, **options):
        log_density = self._log_density(latents, conditional_input, **options)
        return tf.reduce_sum(log_density, axis=[1, 2, 3])

    def _log_density(self, latents, conditional_input, **options):
        """Of each element, [N, H, W, C]."""
        mean, log_scale = self._mean_and_log_scale(latents, conditional_input, **options)
        standardized = (latents - mean) * tf.exp(-log_scale)
        family = STANDARD_FAMILIES[self._family]
        return family.exponent(standardized) - log_scale - family.log_normalizer

    # `_call_sample_n` and not `_sample_n`: a conditional input brings its own leading shape, which
    # the base class would refuse.
    def _call_sample_n(self, sample_shape, seed, conditional_input=None, temperature=1.0):
        conditional_input = self._checked_conditional_input(conditional_input)
        if conditional_input is not None:
            leading_shape = tf.shape(conditional_input)[:-EVENT_NDIMS]
            sample_shape = tf.concat([_as_vector(sample_shape), leading_shape], axis=0)
        noise = self.noise(sample_shape, seed, temperature)
        return self.latents_from_noise(noise, conditional_input)

    def _sample_and_log_prob(self, sample_shape, seed, conditional_input=None, temperature=1.0):
        latents = self._call_sample_n(sample_shape, seed, conditional_input, temperature)
        return latents, self._log_prob(latents, conditional_input)

    def _event_shape(self):
        return self._latent_shape

    def _event_shape_tensor(self):
        return tf.constant(self._latent_shape.as_list(), dtype=tf.int32)


def _as_vector(sample_shape):
    return tf.reshape(tf.cast(sample_shape, tf.int32), [-1])
