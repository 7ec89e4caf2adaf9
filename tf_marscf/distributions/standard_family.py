"""Families of distributions on the line, each with mean 0 and variance 1."""

import dataclasses
import math
from collections.abc import Callable

import tensorflow as tf
import tensorflow_probability as tfp

_LOGISTIC_SCALE = math.sqrt(3.0) / math.pi  # That of variance 1.


@dataclasses.dataclass(frozen=True)
class StandardFamily:
    """`log p(x) = exponent(x) - log_normalizer`, in nats.

    Attributes:
        exponent: of x, elementwise.
        log_normalizer: a constant.
        from_normal: the increasing function that gives standard-normal noise this distribution.
    """

    exponent: Callable
    log_normalizer: float
    from_normal: Callable


def _logistic_exponent(x):
    x = x / _LOGISTIC_SCALE
    return -x - 2.0 * tf.math.softplus(-x)


def _logistic_from_normal(noise):
    """`scale * logit(Phi(noise))`, from logarithms of both tails: Phi alone rounds to 1."""
    normal = tfp.distributions.Normal(tf.zeros([], noise.dtype), tf.ones([], noise.dtype))
    return _LOGISTIC_SCALE * (normal.log_cdf(noise) - normal.log_survival_function(noise))


STANDARD_FAMILIES = {
    "normal": StandardFamily(
        exponent=lambda x: -0.5 * tf.square(x),
        log_normalizer=0.5 * math.log(2.0 * math.pi),
        from_normal=lambda noise: noise,
    ),
    "logistic": StandardFamily(
        exponent=_logistic_exponent,
        log_normalizer=math.log(_LOGISTIC_SCALE),
        from_normal=_logistic_from_normal,
    ),
}
