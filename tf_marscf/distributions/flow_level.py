"""One level of the flow, as a distribution."""

import tensorflow as tf
import tensorflow_probability as tfp

from tf_marscf.distributions.by_reference_spec import ByReferenceMeta
from tf_marscf.distributions.image_distribution import (
    EVENT_NDIMS,
    ImageDistribution,
    no_parameter_properties,
)
from tf_marscf.stateless_seed import split_seed


class FlowLevel(
    ImageDistribution, tfp.distributions.TransformedDistribution, metaclass=ByReferenceMeta
):
    """`log p(x) = log p(h) + log|det dh/dx|`, h = level_bijector(x).

    The density of the model is a recursion of these: the base distribution of a level but the last
    is a `SplitPrior` around the next `FlowLevel`; that of the last is a `LatentPrior`.

    In TFP's convention, `bijector.forward` maps latents to images: it is
    `tfb.Invert(level_bijector)`.

    Args:
        distribution: the distribution of h.
        level_bijector: an `ImageBijector` from images to h.
        validate_args: Python `bool`: check at run time that values are finite.
        parameters: locals of a subclass's constructor.
        name: Python `str`.
    """

    _parameter_properties = no_parameter_properties

    def __init__(
        self,
        distribution,
        level_bijector,
        validate_args=False,
        parameters=None,
        name="FlowLevel",
    ):
        parameters = dict(locals()) if parameters is None else parameters
        self._level_bijector = level_bijector
        super().__init__(
            distribution=distribution,
            bijector=tfp.bijectors.Invert(level_bijector),
            validate_args=validate_args,
            parameters=parameters,
            name=name,
        )

    @property
    def level_bijector(self):
        """The bijector from images to latents; `bijector` is its inverse."""
        return self._level_bijector

    # The base class goes through the bijector's cache, which rests in eager mode; here value and
    # log-det always come from one pass.
    def _log_prob(self, value, dropout_seed=None):
        leading_shape = tf.shape(value)[:-EVENT_NDIMS]
        value = tf.reshape(value, [-1, *self.event_shape])
        level_seed, rest_seed = split_seed(dropout_seed, 2)
        latents, log_det = self._level_bijector.forward_and_log_det(value, level_seed)
        # The priors have no dropout: the seed goes on to further levels only.
        kwargs = {} if self.is_last else {"dropout_seed": rest_seed}
        log_prob = self.distribution.log_prob(latents, **kwargs) + log_det
        return tf.reshape(log_prob, leading_shape)

    @property
    def is_last(self):
        """Whether no level follows."""
        return not hasattr(self.distribution, "rest")

    @property
    def latent_prior(self):
        """The `LatentPrior` of this level."""
        return self.distribution if self.is_last else self.distribution.prior

    def _call_sample_n(self, sample_shape, seed, temperature=1.0):
        latents = self.distribution.sample(sample_shape, seed=seed, temperature=temperature)
        return self._level_bijector.inverse_and_log_det(latents)[0]

    def _sample_and_log_prob(self, sample_shape, seed, temperature=1.0):
        latents, log_prob = self.distribution.experimental_sample_and_log_prob(
            sample_shape, seed=seed, temperature=temperature
        )
        images, log_det = self._level_bijector.inverse_and_log_det(latents)
        return images, log_prob - log_det
