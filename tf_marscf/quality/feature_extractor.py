"""What sample quality is measured with: features and class probabilities of images."""

import abc
import contextlib
import dataclasses

import numpy as np
from scipy.special import softmax

from tf_marscf.errors import InputError, RunError
from tf_marscf.quality.inception_score import is_probabilities


@dataclasses.dataclass(frozen=True)
class ImageFeatures:
    """What an extractor says of images; it may not have both."""

    features: np.ndarray | None  # Float [n, D], for FID and KID.
    probabilities: np.ndarray | None  # Of classes, float64 [n, K], for the Inception score.


class FeatureExtractor(abc.ABC):
    """A function from uint8 images to `ImageFeatures`; `name` is what results call it."""

    name: str

    @abc.abstractmethod
    def __call__(self, images):
        """The `ImageFeatures` of images, uint8 [n, H, W, 1 or 3] of values 0 to 255, n >= 1.

        `RunError` if an output is not finite, `InputError` if the images do not fit.
        """

    @abc.abstractmethod
    def describe_input(self, image_shape):
        """What becomes of images [H, W, C], such as "repeated to 3 channels"; or `InputError`."""


def as_features(outputs, name):
    """A layer's output as features [n, D]: maps [n, h, w, D] are averaged over h and w."""
    outputs = np.asarray(outputs)
    if outputs.ndim == 4:
        outputs = outputs.mean(axis=(1, 2), dtype=np.float64)
    if outputs.ndim != 2:
        raise InputError(
            f"`feature_extractor` must give [n, D] or [n, h, w, D]; {name} gives rank "
            f"{outputs.ndim}."
        )
    _check_finite(outputs, name)
    return outputs


def as_probabilities(outputs, name):
    """Class probabilities, or logits, as probabilities in float64.

    Rows that are >= 0 with sum 1 are probabilities; others are logits, and go through a softmax.
    """
    outputs = np.asarray(outputs, np.float64)
    if outputs.ndim != 2 or outputs.shape[1] < 2:
        raise InputError(
            "`feature_extractor` must give class probabilities or logits [n, K], K >= 2, for the "
            f"Inception score; {name} gives {outputs.shape}."
        )
    _check_finite(outputs, name)
    return outputs if is_probabilities(outputs) else softmax(outputs, axis=1)


def _check_finite(outputs, name):
    num_wrong = int(np.sum(~np.isfinite(outputs)))
    if num_wrong:
        raise RunError(f"{name} gives {num_wrong} values that are not finite.")


@contextlib.contextmanager
def reading(path, rule, describe):
    """Turns what a loader raises for a damaged file, which may be anything, into an `InputError`.

    It says the rule, and what `describe` makes of the error. It is a `RunError` if memory does not
    suffice; errors of the system, which have a number, pass.
    """
    try:
        yield
    except MemoryError as error:
        raise RunError(f"{path!r} takes more memory than there is.") from error
    except Exception as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise InputError(f"{rule}: {describe(error)}") from error
