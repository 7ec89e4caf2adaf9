"""A prior of latent maps for each of several classes."""

import tensorflow as tf
import tensorflow_probability as tfp

from tf_marscf.distributions.image_distribution import (
    ImageDistribution,
    check_value,
    no_parameter_properties,
)
from tf_marscf.distributions.labels import checked_label, rows_of_class


class ClassConditionalPrior(ImageDistribution):
    """p(l | r, y), y a class: an affine function of a class, element by element, of another prior.

        l = shift_y + exp(log_scale_y) * l',                l' ~ p'(l' | r)
        log p(l | r, y) = log p'((l - shift_y) * exp(-log_scale_y) | r) - sum log_scale_y

    Shift and log-scale of a class, of each element, start at zero: all classes have the prior p'.
    (The code of Glow, Kingma and Dhariwal 2018, adds such weights of each channel to mean and
    log-scale of its last level's prior.)

    `log_prob` and `sample` take y as `label`: int32 or int64, in range, of the leading shape of l,
    or a scalar. It is checked as of `checked_label`. Further arguments of `log_prob` go to p'.

    Args:
        prior: p', a `LatentPrior` or whatever has its methods.
        num_classes: Python `int`.
        validate_args: Python `bool`: check at run time that values are finite.
        name: Python `str`.
    """

    _parameter_properties = no_parameter_properties

    def __init__(self, prior, num_classes, validate_args=False, name="ClassConditionalPrior"):
        parameters = dict(locals())
        with tf.name_scope(name) as name:
            self._prior = prior
            self._num_classes = num_classes
            zeros = tf.zeros([num_classes, *prior.event_shape], prior.dtype)
            self.shift = tf.Variable(zeros, name="shift")
            self.log_scale = tf.Variable(zeros, name="log_scale")
            super().__init__(
                dtype=prior.dtype,
                reparameterization_type=tfp.distributions.FULLY_REPARAMETERIZED,
                validate_args=validate_args,
                allow_nan_stats=False,
                parameters=parameters,
                name=name,
            )

    @property
    def prior(self):
        """p', the prior without classes."""
        return self._prior

    @property
    def num_classes(self):
        """Number of classes."""
        return self._num_classes

    @property
    def num_conditional_channels(self):
        """Channels of the conditional input; 0 for none."""
        return self._prior.num_conditional_channels

    @property
    def num_sampling_steps(self):
        """Sequential steps of one sample."""
        return self._prior.num_sampling_steps

    def noise(self, sample_shape, seed, temperature=1.0):
        """The noise of p'."""
        return self._prior.noise(sample_shape, seed, temperature)

    def latents_from_noise(self, noise, conditional_input=None, label=None):
        """The latents that a draw of noise stands for, as of `LatentPrior`, in classes `label`."""
        return self._in_class(self._prior.latents_from_noise(noise, conditional_input), label)

    def _in_class(self, standardized, label):
        """shift_y + exp(log_scale_y) * l'."""
        shift, log_scale = self._of_class(label, standardized.shape[:-3])
        return tf.ensure_shape(shift + tf.exp(log_scale) * standardized, standardized.shape)

    def _out_of_class(self, latents, label):
        """l', the inverse of `_in_class`, and log_scale_y."""
        shift, log_scale = self._of_class(label, latents.shape[:-3])
        return (latents - shift) * tf.exp(-log_scale), log_scale

    def _of_class(self, label, leading_shape):
        """shift_y and log_scale_y, [*label_shape, H, W, C]."""
        label = checked_label(label, self._num_classes, self.name, leading_shape)
        return rows_of_class(self.shift, label), rows_of_class(self.log_scale, label)

    def log_prob_map(self, value, conditional_input=None, label=None):
        """Where `log_prob` comes from, as of `LatentPrior`, in classes `label`."""
        standardized, log_scale = self._out_of_class(check_value(self, value), label)
        log_prob_map = self._prior.log_prob_map(standardized, conditional_input)
        return log_prob_map - tf.reduce_sum(log_scale, axis=-1)

    def _log_prob(self, value, conditional_input=None, label=None, **kwargs):
        standardized, log_scale = self._out_of_class(value, label)
        log_density = self._prior.log_prob(
            standardized, conditional_input=conditional_input, **kwargs
        )
        return log_density - tf.reduce_sum(log_scale, axis=[-3, -2, -1])

    def _call_sample_n(
        self, sample_shape, seed, conditional_input=None, label=None, temperature=1.0
    ):
        standardized = self._prior.sample(
            sample_shape, seed=seed, conditional_input=conditional_input, temperature=temperature
        )
        return self._in_class(standardized, label)

    def _sample_and_log_prob(
        self, sample_shape, seed, conditional_input=None, label=None, temperature=1.0
    ):
        latents = self._call_sample_n(sample_shape, seed, conditional_input, label, temperature)
        return latents, self._log_prob(latents, conditional_input, label)

    def _event_shape(self):
        return self._prior.event_shape

    def _event_shape_tensor(self):
        return self._prior.event_shape_tensor()
