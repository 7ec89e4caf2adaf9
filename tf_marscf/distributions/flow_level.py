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
from tf_marscf.distributions.labels import checked_label
from tf_marscf.distributions.sampling_arguments import temperature_by_level
from tf_marscf.distributions.split_prior import SplitPrior
from tf_marscf.errors import InputError
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

    Where the priors have classes (`ClassConditionalPrior`), all densities are given a class y, the
    `label`: log p(x | y). The flow, and so the latents of an image, are those of all classes.

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
    def num_classes(self):
        """Classes of the priors; None for none."""
        return getattr(self.latent_prior, "num_classes", None)

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

    def decode_noise(self, noise, label=None):
        """The images that draws of standard-normal noise stand for.

        `sample` is `decode_noise` of Normal(0, 1) noise.

        Args:
            noise: a sequence of L maps, shaped as those of `latents`.
            label: the images' classes, as of `checked_label`.

        Returns:
            Images [..., H, W, C].
        """
        return self._inverse_levels(noise, "noise", label)[0]

    def decode_with_log_prob_parts(self, latents, label=None):
        """The images of latent maps and the terms of their `log_prob`, from one pass.

        What `decode` and then `log_prob_parts` give, without running the bijectors twice: the
        density as a function of the latents, and differentiable in them.

        Args:
            latents: a sequence of L maps, as from `latents`.
            label: the images' classes, as of `checked_label`.

        Returns:
            `(images, log_priors, log_dets)`: images [..., H, W, C], and the two tuples of
            `log_prob_parts`, in nats.
        """
        images, terms = self._inverse_levels(latents, "latents")
        return images, *self._log_prob_parts(terms, label)

    def log_prob_parts(self, images, dropout_seed=None, priors_rest=None, label=None):
        """The terms of `log_prob`, in nats.

        Args:
            images: [..., H, W, C].
            dropout_seed: [2] integer tensor that turns on what is random while training, dropout
                and estimates of residual blocks' log-dets, or None.
            priors_rest: `bool` scalar tensor: where it is true, mAR priors are their Gaussian start
                alone, Glow's prior, and nothing else of them is computed. None: False.
            label: the images' classes, as of `checked_label`.

        Returns:
            `(log_priors, log_dets)`: two tuples with one tensor a level, each of the leading shape
            of `images`; `log_prob` is the sum of all.
        """
        terms = self._forward_levels(images, dropout_seed)
        return self._log_prob_parts(terms, label, priors_rest)

    def class_log_probs(self, images):
        """The log p(x | y) of all classes y, in nats.

        By Bayes' rule, with P(y) of the classes, log p(x) = log sum_y P(y) p(x | y) and
        P(y | x) = P(y) p(x | y) / p(x).

        Args:
            images: [..., H, W, C].

        Returns:
            [..., num_classes].

        Raises:
            InputError: if the model has no classes.
        """
        log_priors, log_dets = self.class_log_prob_parts(images)
        return _sum_of_parts(log_priors, [part[..., tf.newaxis] for part in log_dets])

    def class_log_prob_parts(self, images):
        """The terms of `class_log_probs`; the flow runs once, and each prior once a class.

        Returns:
            `(log_priors, log_dets)`: tuples with one tensor a level, [..., num_classes] and [...].
        """
        if self.num_classes is None:
            raise InputError(
                f"`num_classes` of {self.name} must be given for densities of classes; got None."
            )
        terms = self._forward_levels(images)
        leading_shape = terms[0].latents.shape[:-EVENT_NDIMS]
        log_priors = tf.map_fn(
            lambda label: self._log_prob_parts(terms, label)[0],
            tf.range(self.num_classes),
            fn_output_signature=(tf.TensorSpec(leading_shape, self.dtype),) * len(terms),
            parallel_iterations=1,
        )
        axes = [*range(1, leading_shape.rank + 1), 0]
        log_priors = tuple(tf.transpose(part, axes) for part in log_priors)
        return log_priors, tuple(term.log_det for term in terms)

    def _log_prob(self, value, dropout_seed=None, label=None):
        images = tf.reshape(value, [-1, *self.event_shape])  # Its rank may be unknown.
        label = self._checked_label(label, value)
        if label is not None and label.shape.rank != 0:
            label = tf.reshape(label, [-1])
        log_prob = _sum_of_parts(*self.log_prob_parts(images, dropout_seed, label=label))
        return tf.reshape(log_prob, tf.shape(value)[:-EVENT_NDIMS])

    def _checked_label(self, label, maps):
        """As of `checked_label`, for images or latent maps."""
        return checked_label(label, self.num_classes, self.name, maps.shape[:-EVENT_NDIMS])

    def _log_prob_parts(self, terms, label, priors_rest=None):
        """`(log_priors, log_dets)`: log p(l_i | r_i) and log|det df_i/dr_(i-1)| of each level."""
        options = _label_argument(self._checked_label(label, terms[0].latents))
        if priors_rest is not None:
            options["is_resting"] = priors_rest
        log_priors = [
            term.prior.log_prob(term.latents, conditional_input=term.rest, **options)
            for term in terms
        ]
        return tuple(log_priors), tuple(term.log_det for term in terms)

    def _call_sample_n(self, sample_shape, seed, temperature=1.0, label=None):
        return self.decode_noise(self._noise(sample_shape, seed, temperature), label)

    def _sample_and_log_prob(self, sample_shape, seed, temperature=1.0, label=None):
        noise = self._noise(sample_shape, seed, temperature)
        label = self._checked_label(label, noise[0])
        images, terms = self._inverse_levels(noise, "noise", label)
        return images, _sum_of_parts(*self._log_prob_parts(terms, label))

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

    def _inverse_levels(self, maps, argument, label=None):
        """From the last level to the first.

        Args:
            maps: one map a level.
            argument: what they are, "latents" or "noise".
            label: the classes, for noise.

        Returns:
            `(images, terms)`, the terms as of `_forward_levels`.
        """
        levels = self.levels
        if len(maps) != len(levels):
            raise ValueError(
                f"`{argument}` must hold one map a level, {len(levels)}; got {len(maps)}."
            )
        maps = [
            check_value(level.latent_prior, values, argument)
            for level, values in zip(reversed(levels), reversed(maps), strict=True)
        ][::-1]
        of_class = {}
        if argument == "noise":
            of_class = _label_argument(self._checked_label(label, maps[0]))
        rest, terms = None, []
        for level, latents in zip(reversed(levels), reversed(maps), strict=True):
            prior = level.latent_prior
            if argument == "noise":
                latents = prior.latents_from_noise(latents, rest, **of_class)
            hidden = latents if rest is None else tf.concat([rest, latents], axis=-1)
            output, inverse_log_det = level.level_bijector.inverse_and_log_det(hidden)
            terms.append(_LevelTerms(prior, latents, rest, -inverse_log_det))
            rest = output
        return rest, terms[::-1]


def _label_argument(label):
    """What a prior is given: priors without classes take no label."""
    return {} if label is None else {"label": label}


def _sum_of_parts(log_priors, log_dets):
    """The log-density; added up from the last level to the first, as TFP would by recursion."""
    log_prob = 0.0
    for log_prior, log_det in zip(reversed(log_priors), reversed(log_dets), strict=True):
        log_prob = log_prob + log_prior + log_det
    return log_prob
