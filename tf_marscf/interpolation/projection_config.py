"""The arguments of a projection to high density."""

import dataclasses
import math

from tf_marscf.config_fields import Config, choice, integer, number
from tf_marscf.errors import InputError


@dataclasses.dataclass(frozen=True, kw_only=True)
class ProjectionConfig(Config):
    """How points are projected to high density; see `LatentProjection`.

    The defaults are those of the paper; it has lambda_1 about lambda_2, in [0.2, 0.5].
    """

    lambda_1: float = number(0.5, "Weight of the prior's log-density in Eq. 11.", above=0)
    lambda_2: float = number(0.5, "Weight of the distance to the nearer image in Eq. 11.", least=0)
    learning_rate: float = number(5e-2, "Learning rate of Adamax.", above=0)
    num_iterations: int = integer(100, "Iterations of Adamax.")
    distance: str = choice(
        "root_mean_square", ("root_mean_square", "mean_square"), "The distance of Eq. 11."
    )


def parse_lambdas(texts):
    """Reads the values of a curve against lambda.

    Args:
        texts: such as ["0", "0.3"].

    Returns:
        A list of Python floats.

    Raises:
        ValueError: if a text is no finite number >= 0.
    """
    lambdas = []
    for text in texts:
        try:
            lambdas.append(float(text))
        except ValueError as error:
            raise InputError(f"`lambda_curve` must hold numbers; got {text!r}.") from error
    check_lambdas(lambdas, "lambda_curve")
    return lambdas


def check_lambdas(lambdas, argument="lambdas"):
    """Checks the values of a curve against lambda.

    Args:
        lambdas: numbers.
        argument: the name that errors give to them.

    Raises:
        ValueError: if one is negative or not finite.
    """
    for value in lambdas:
        if not (value >= 0.0 and math.isfinite(value)):
            raise InputError(f"`{argument}` must hold finite numbers >= 0; got {value!r}.")
