"""The flow from one level on, as a distribution."""

import collections

import tensorflow as tf
import tensorflow_probability as tfp

from tf_marscf.distributions.by_reference_spec import ByReferenceMeta
from tf_marscf.distributions.image_distribution import (
    EVENT_NDIMS,
    ImageDistribution,
    check_value,
    no_parameter_properties,
)
from tf_marscf.distributions.sampling_arguments import temperature_by_level
from tf_marscf.distributions.split_prior import SplitPrior
from tf_marscf.stateless_seed import split_seed, stateless_seed

# Of one level: its `LatentPrior`, l_i, r_i (None at the last level), and log|det df_i/dr_(i-1)|.
_LevelTerms = collections.namedtuple("_LevelTerms", ["prior", "latents", "rest", "log_det"])


class FlowLevel(
    ImageDistribution, tfp.distributions.TransformedDistribution, metaclass=ByReferenceMeta
):
    """A level of the flow and all that follow it (mAR-SCF, Section 3).

    Level i maps its input by h_i = f_i(r_(i-1)), r_0 = x, and splits the channels in two halves,
    h_i = concat(r_i, l_i). Nothing is split off at the last level: l_L = h_L.

        log p(x) = sum_i log p(l_i | r_i) + sum_i log|det df_i/dr_(i-1)|      in nats

    To TFP it is log p(x) = log p(h) + log|det dh/dx|: the base distribution of a level is a
    `SplitPrior`, which holds the next `FlowLevel`, and that of the last is a `LatentPrior`. In
    TFP's convention, `bijector.forward` maps latents to images: it is `tfb.Invert(level_bijector)`.

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
        """f_i, the bijector from images to latents; `bijector` is its inverse."""
        return self._level_bijector

    @property
    def is_last(self):
        """Whether no level follows."""
        return not isinstance(self.distribution, SplitPrior)

    @property
    def latent_prior(self):
        """The `LatentPrior` of this level, p(l_i | r_i)."""
        return self.distribution if self.is_last else self.distribution.prior

    @property
    def levels(self):
        """This level and those after it: each has a `level_bijector` and a `latent_prior`."""
        levels = [self]
        while not levels[-1].is_last:
            levels.append(levels[-1].distribution.rest)
        return tuple(levels)

    def latents(self, images):
        """The latent maps of images.

        Args:
            images: [..., H, W, C].

        Returns:
            A tuple (l_1, ..., l_(L-1), h_L); element i is [..., H / 2^i, W / 2^i, C_i] with C_i of
            `MarScf.channels_per_level`.
        """
        return tuple(term.latents for term in self._forward_levels(images))

    def decode(self, latents):
        """The images of latent maps, the inverse of `latents`.

        Args:
            latents: a sequence of L maps, as from `latents`.

        Returns:
            Images [..., H, W, C].
        """
        return self._inverse_levels(latents, "latents")[0]

    def decode_noise(self, noise):
        """The images that draws of standard-normal noise stand for.

        `sample` is `decode_noise` of Normal(0, 1) noise.

        Args:
            noise: a sequence of L maps, shaped as those of `latents`.

        Returns:
            Images [..., H, W, C].
        """
        return self._inverse_levels(noise, "noise")[0]

    def decode_with_log_prob_parts(self, latents):
        """The images of latent maps and the terms of their `log_prob`, from one pass.

        What `decode` and then `log_prob_parts` give, without running the bijectors twice: the
        density as a function of the latents, and differentiable in them.

        Args:
            latents: a sequence of L maps, as from `latents`.

        Returns:
            `(images, log_priors, log_dets)`: images [..., H, W, C], and the two tuples of
            `log_prob_parts`, in nats.
        """
        images, terms = self._inverse_levels(latents, "latents")
        return images, *_log_prob_parts(terms)

    def log_prob_parts(self, images, dropout_seed=None, priors_rest=None):
        """The terms of `log_prob`, in nats.

        Args:
            images: [..., H, W, C].
            dropout_seed: [2] integer tensor that turns dropout on, or None.
            priors_rest: `bool` scalar tensor: where it is true, mAR priors are their Gaussian start
                alone, Glow's prior, and nothing else of them is computed. None: False.

        Returns:
            `(log_priors, log_dets)`: two tuples with one tensor a level, each of the leading shape
            of `images`; `log_prob` is the sum of all.
        """
        return _log_prob_parts(self._forward_levels(images, dropout_seed), priors_rest)

    def _log_prob(self, value, dropout_seed=None):
        images = tf.reshape(value, [-1, *self.event_shape])  # Its rank may be unknown.
        log_prob = _sum_of_parts(*self.log_prob_parts(images, dropout_seed))
        return tf.reshape(log_prob, tf.shape(value)[:-EVENT_NDIMS])

    def _call_sample_n(self, sample_shape, seed, temperature=1.0):
        return self.decode_noise(self._noise(sample_shape, seed, temperature))

    def _sample_and_log_prob(self, sample_shape, seed, temperature=1.0):
        noise = self._noise(sample_shape, seed, temperature)
        images, terms = self._inverse_levels(noise, "noise")
        return images, _sum_of_parts(*_log_prob_parts(terms))

    def _noise(self, sample_shape, seed, temperature):
        """The noise of a sample, a map a level, from the seeds that a `SplitPrior` would give."""
        *priors, last_prior = (level.latent_prior for level in self.levels)
        *temperatures, last_temperature = temperature_by_level(temperature, len(self.levels))
        seed, noise = stateless_seed(seed), []
        for prior, prior_temperature in zip(priors, temperatures, strict=True):
            seed, prior_seed = split_seed(seed, 2)
            noise.append(prior.noise(sample_shape, prior_seed, prior_temperature))
        return [*noise, last_prior.noise(sample_shape, seed, last_temperature)]

    def _forward_levels(self, images, dropout_seed=None):
        """The `_LevelTerms` of all levels, from the first to the last."""
        rest, terms = check_value(self, images, "images"), []
        for level in self.levels:
            level_seed, dropout_seed = split_seed(dropout_seed, 2)
            hidden, log_det = level.level_bijector.forward_and_log_det(rest, level_seed)
            rest, latents = (None, hidden) if level.is_last else tf.split(hidden, 2, axis=-1)
            terms.append(_LevelTerms(level.latent_prior, latents, rest, log_det))
        return terms

    def _inverse_levels(self, maps, argument):
        """From the last level to the first.

        Args:
            maps: one map a level.
            argument: what they are, "latents" or "noise".

        Returns:
            `(images, terms)`, the terms as of `_forward_levels`.
        """
        levels = self.levels
        if len(maps) != len(levels):
            raise ValueError(
                f"`{argument}` must hold one map a level, {len(levels)}; got {len(maps)}."
            )
        rest, terms = None, []
        for level, latents in zip(reversed(levels), reversed(maps), strict=True):
            prior = level.latent_prior
            latents = check_value(prior, latents, argument)
            if argument == "noise":
                latents = prior.latents_from_noise(latents, rest)
            hidden = latents if rest is None else tf.concat([rest, latents], axis=-1)
            output, inverse_log_det = level.level_bijector.inverse_and_log_det(hidden)
            terms.append(_LevelTerms(prior, latents, rest, -inverse_log_det))
            rest = output
        return rest, terms[::-1]


def _log_prob_parts(terms, priors_rest=None):
    """`(log_priors, log_dets)`: log p(l_i | r_i) and log|det df_i/dr_(i-1)| of each level."""
    options = {} if priors_rest is None else {"is_resting": priors_rest}
    log_priors = [
        term.prior.log_prob(term.latents, conditional_input=term.rest, **options) for term in terms
    ]
    return tuple(log_priors), tuple(term.log_det for term in terms)


def _sum_of_parts(log_priors, log_dets):
    """The log-density; added up from the last level to the first, as TFP would by recursion."""
    log_prob = 0.0
    for log_prior, log_det in zip(reversed(log_priors), reversed(log_dets), strict=True):
        log_prob = log_prob + log_prior + log_det
    return log_prob
