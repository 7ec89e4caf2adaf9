"""What a model with classes says of images whose class it is not told."""

import dataclasses
import math

import numpy as np
from scipy.special import logsumexp

from tf_marscf.distributions.bits_per_dim import bits_per_dim
from tf_marscf.rules import check_entries, integer, number, optional

_RULES = {
    "num_classes": integer(1),
    "accuracy": number(0.0),
    "accuracy_standard_error": optional(number(0.0)),
    "bits_per_dim": number(),
    "standard_error": optional(number(0.0)),
}


@dataclasses.dataclass(frozen=True)
class Classification:
    """By Bayes' rule, all classes being equally probable before an image k is seen.

        P(k) = 1/N sum_y P(k | y),     P(y | k) = P(k | y) / (N P(k)),     y* = argmax_y P(y | k)

    Attributes:
        num_classes: N.
        accuracy: the part of the images whose label is y*, and `accuracy_standard_error`.
        bits_per_dim: of log P(k), a mean over images, and its `standard_error`.

    Standard errors are None for a single image.
    """

    num_classes: int
    accuracy: float
    accuracy_standard_error: float | None
    bits_per_dim: float
    standard_error: float | None

    @classmethod
    def of(cls, scores, num_dimensions):
        """Of the `ImageScores` of a model with classes, and images of `num_dimensions` values."""
        is_right = np.float64(predicted_labels(scores) == scores.labels)
        bits = bits_per_dim(log_probs_without_label(scores), num_dimensions)
        num_classes = scores.class_log_probs.shape[1]
        return cls(num_classes, *_mean_and_error(is_right), *_mean_and_error(bits))

    def to_dict(self):
        """A dict that JSON can hold."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, content):
        """The inverse of `to_dict`; `InputError` if an entry is missing or wrong."""
        check_entries(content, _RULES)
        return cls(*(content[name] for name in _RULES))

    def line(self):
        """What a command prints."""
        accuracy, bits = f"{self.accuracy:.4f}", f"{self.bits_per_dim:.4f}"
        if self.standard_error is not None:
            accuracy += f" +- {self.accuracy_standard_error:.4f}"
            bits += f" +- {self.standard_error:.4f}"
        return f"accuracy of {self.num_classes} classes {accuracy}; bits/dim without labels {bits}"


def log_probs_without_label(scores):
    """The log P(k) of each image, in nats [N]."""
    return logsumexp(scores.class_log_probs, axis=1) - math.log(scores.class_log_probs.shape[1])


def predicted_labels(scores):
    """The most probable class of each image [N]."""
    return np.argmax(scores.class_log_probs, axis=1)


def score_rows(scores, num_dimensions):
    """Rows of a table, dicts, one an image: its bits/dim and, of a model with classes, classes.

    `bits_per_dim_without_label` ranks images by how improbable they are, whatever their class.
    """
    rows = [
        {"image": index, "bits_per_dim": bits} for index, bits in enumerate(scores.bits_per_dim)
    ]
    if scores.labels is None:
        return rows
    log_probs, predicted = log_probs_without_label(scores), predicted_labels(scores)
    bits = bits_per_dim(log_probs, num_dimensions)
    log_posteriors = scores.class_log_probs.max(axis=1) - log_probs
    probabilities = np.exp(log_posteriors) / scores.class_log_probs.shape[1]
    columns = {
        "label": scores.labels,
        "predicted_label": predicted,
        "probability": probabilities,
        "bits_per_dim_without_label": bits,
    }
    return [
        row | {name: values[index] for name, values in columns.items()}
        for index, row in enumerate(rows)
    ]


def _mean_and_error(values):
    if len(values) < 2:
        return float(values.mean()), None
    return float(values.mean()), float(values.std(ddof=1)) / math.sqrt(len(values))
