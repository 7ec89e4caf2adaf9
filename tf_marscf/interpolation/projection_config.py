"""The arguments of a projection to high density."""

import dataclasses
import math

from tf_marscf.errors import InputError

DISTANCES = ("root_mean_square", "mean_square")


@dataclasses.dataclass(frozen=True, kw_only=True)
class ProjectionConfig:
    """How points are projected to high density; see `LatentProjection`.

    The defaults are those of the paper; it has lambda_1 about lambda_2, in [0.2, 0.5].

    Attributes:
        lambda_1: weight of the prior's log-density, above 0.
        lambda_2: weight of the distance to the nearer image, at least 0.
        learning_rate: of Adamax.
        num_iterations: of Adamax.
        distance: "root_mean_square" or "mean_square".

    Raises:
        ValueError: if a value is out of range.
    """

    lambda_1: float = 0.5
    lambda_2: float = 0.5
    learning_rate: float = 5e-2
    num_iterations: int = 100
    distance: str = "root_mean_square"

    def __post_init__(self):
        """Checks the values."""
        self._check(self.lambda_1 > 0.0, "lambda_1", "a finite number > 0")
        self._check(self.lambda_2 >= 0.0, "lambda_2", "a finite number >= 0")
        self._check(self.learning_rate > 0.0, "learning_rate", "a finite number > 0")
        count = self.num_iterations
        is_integer = isinstance(count, int) and not isinstance(count, bool)
        self._check(is_integer and count >= 1, "num_iterations", "an integer >= 1")
        self._check(self.distance in DISTANCES, "distance", f"one of {DISTANCES}")

    def _check(self, holds, name, rule):
        value = getattr(self, name)
        if not holds or (isinstance(value, float) and not math.isfinite(value)):
            raise InputError(f"`{name}` must be {rule}; got {value!r}.")


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
