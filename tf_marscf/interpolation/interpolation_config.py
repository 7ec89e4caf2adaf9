"""What is interpolated, and how points are projected to high density, as data."""

import dataclasses
import math

from tf_marscf.config_fields import Config, choice, integer, number, path, sequence
from tf_marscf.errors import InputError
from tf_marscf.runs.run_config import RestoredRunConfig


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


@dataclasses.dataclass(frozen=True, kw_only=True)
class InterpolationConfig(RestoredRunConfig):
    """Which images of a data set are interpolated, and what is written of it."""

    split: str = choice("test", ("train", "validation", "test"), "Which images.")
    pairs: tuple = sequence(
        None, "Pairs of images, counted from 0, such as 3:7,12:40; default: drawn."
    )
    num_pairs: int = integer(4, "Pairs that are drawn.")
    seed: int = integer(0, "The same seed draws the same pairs.", least=0)
    num_points: int = integer(7, "Points between two images.")
    lambda_curve: tuple = sequence(
        (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0),
        "Values of lambda_1 = lambda_2 to compare: each takes as long as the projection itself. "
        "None: --lambda_curve=",
    )
    output_dir: str = path(None, "Where files go; default: TRAIN_DIR/interpolation.")

    def __post_init__(self):
        super().__post_init__()
        self._set("lambda_curve", checked_lambdas(self.lambda_curve, "lambda_curve"))
        if self.pairs is not None:
            self._set("pairs", parse_pairs(self.pairs))


def parse_pairs(pairs):
    """Pairs of numbers of images, from pairs or texts such as "3:7"; else `InputError`."""
    parsed = []
    for pair in pairs:
        numbers = pair.strip().split(":") if isinstance(pair, str) else [*map(str, pair)]
        if len(numbers) != 2 or not all(number.isdecimal() for number in numbers):
            raise InputError(
                "`pairs` must be numbers of images such as 3:7,12:40, counted from 0; "
                f"got {pair!r}."
            )
        parsed.append((int(numbers[0]), int(numbers[1])))
    return parsed


def checked_lambdas(lambdas, argument="lambdas"):
    """The values of a curve against lambda as floats; `InputError` unless finite and >= 0."""
    checked = []
    for value in lambdas:
        try:
            checked.append(float(value))
        except ValueError as error:
            raise InputError(f"`{argument}` must hold numbers; got {value!r}.") from error
        if not 0.0 <= checked[-1] < math.inf:
            raise InputError(f"`{argument}` must hold finite numbers >= 0; got {checked[-1]!r}.")
    return checked
