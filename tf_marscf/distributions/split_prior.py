"""The distribution of a latent map that is split in two."""

import tensorflow as tf
import tensorflow_probability as tfp

from tf_marscf.distributions.image_distribution import ImageDistribution, no_parameter_properties
from tf_marscf.distributions.sampling_arguments import temperature_by_level
from tf_marscf.stateless_seed import split_seed, stateless_seed


class SplitPrior(ImageDistribution):
    """`log p(h) = log p(r) + log p(l | r)`, h = concat(r, l) along the channels.

    r, the first half of the channels, goes on to the next level; l, the second half, is scored
    given r (mAR-SCF, Section 3.1, Eq. 4).

    It is what the base distribution of a `FlowLevel` is to TFP. The level itself does not ask it:
    training needs the terms one by one, and `latents` needs no prior.

    `temperature` and, where both parts have classes, `label` go to both.

    Args:
        rest: the distribution of r, event shape [H, W, C / 2]: the next level of the flow.
        prior: a `LatentPrior` of l given r, event shape [H, W, C / 2], or one with classes.
        validate_args: Python `bool`: check at run time that values are finite.
        name: Python `str`.
    """

    _parameter_properties = no_parameter_properties

    def __init__(self, rest, prior, validate_args=False, name="SplitPrior"):
        parameters = dict(locals())
        with tf.name_scope(name) as name:
            self._rest = rest
            self._prior = prior
            super().__init__(
                dtype=rest.dtype,
                reparameterization_type=tfp.distributions.FULLY_REPARAMETERIZED,
                validate_args=validate_args,
                allow_nan_stats=False,
                parameters=parameters,
                name=name,
            )

    @property
    def rest(self):
        """The distribution of r."""
        return self._rest

    @property
    def prior(self):
        """The distribution of l given r."""
        return self._prior

    def _log_prob(self, value, **kwargs):
        rest, latents = tf.split(value, 2, axis=-1)
        of_prior = {name: kwargs[name] for name in ("label",) if name in kwargs}
        prior_log_prob = self._prior.log_prob(latents, conditional_input=rest, **of_prior)
        return self._rest.log_prob(rest, **kwargs) + prior_log_prob

    def _call_sample_n(self, sample_shape, seed, temperature=1.0, **of_class):
        rest_seed, prior_seed = split_seed(stateless_seed(seed), 2)
        prior_temperature, rest_temperature = self._temperatures(temperature)
        rest = self._rest.sample(
            sample_shape, seed=rest_seed, temperature=rest_temperature, **of_class
        )
        latents = self._prior.sample(
            seed=prior_seed, conditional_input=rest, temperature=prior_temperature, **of_class
        )
        return tf.concat([rest, latents], axis=-1)

    def _sample_and_log_prob(self, sample_shape, seed, temperature=1.0, **of_class):
        rest_seed, prior_seed = split_seed(stateless_seed(seed), 2)
        prior_temperature, rest_temperature = self._temperatures(temperature)
        rest, rest_log_prob = self._rest.experimental_sample_and_log_prob(
            sample_shape, seed=rest_seed, temperature=rest_temperature, **of_class
        )
        latents, prior_log_prob = self._prior.experimental_sample_and_log_prob(
            seed=prior_seed, conditional_input=rest, temperature=prior_temperature, **of_class
        )
        return tf.concat([rest, latents], axis=-1), rest_log_prob + prior_log_prob

    def _temperatures(self, temperature):
        """Those of l and of r, which may be one a level, from one for both or one a level."""
        num_rest_levels = len(getattr(self._rest, "levels", [self._rest]))
        prior_temperature, *others = temperature_by_level(temperature, 1 + num_rest_levels)
        return prior_temperature, others[0] if num_rest_levels == 1 else others

    def _event_shape(self):
        *size, channels = self._rest.event_shape
        return tf.TensorShape([*size, 2 * channels])

    def _event_shape_tensor(self):
        return self._rest.event_shape_tensor() * [1, 1, 2]
