"""The arguments of a training run, checked before TensorFlow starts."""

import dataclasses
import math
import numbers

from tf_marscf.config import MarScfConfig


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """The arguments of a training run besides model and data.

    Attributes:
        batch_size: images a step.
        num_epochs: passes over the training images.
        learning_rate: of Adamax, after the warm-up.
        warm_up_images: the learning rate grows linearly over this many images.
        decay: "none", or "cosine": from the end of the warm-up down to zero at the last step.
        clip_norm: greatest norm of the gradient of bits/dim; longer ones are shortened.
        augmentation: "none", "horizontal_flip" or "cifar".
        evaluation_batch_size: images a step when evaluating; default: `batch_size`.
        num_sample_images: samples in each picture.
        sample_every: epochs between pictures; 0 for one at the end only.
        seed: of weights, data order, augmentation, dequantization and dropout.

    Raises:
        ValueError: if a value is out of range, naming it.
    """

    batch_size: int = 128
    num_epochs: int = 1000
    learning_rate: float = 8e-4
    warm_up_images: int = 10_000
    decay: str = "none"
    clip_norm: float = 1.0
    augmentation: str = "none"
    evaluation_batch_size: int = None
    num_sample_images: int = 64
    sample_every: int = 10
    seed: int = 0

    def __post_init__(self):
        if self.evaluation_batch_size is None:
            object.__setattr__(self, "evaluation_batch_size", self.batch_size)
        for name, least in (
            ("batch_size", 1),
            ("num_epochs", 1),
            ("warm_up_images", 0),
            ("evaluation_batch_size", 1),
            ("num_sample_images", 1),
            ("sample_every", 0),
            ("seed", 0),
        ):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < least:
                raise ValueError(f"`{name}` must be an integer >= {least}; got {value!r}.")
        for name in ("learning_rate", "clip_norm"):
            value = getattr(self, name)
            if not isinstance(value, numbers.Real) or not 0.0 < value < math.inf:
                raise ValueError(f"`{name}` must be a finite number > 0; got {value!r}.")
        for name, choices in (
            ("decay", ("none", "cosine")),
            ("augmentation", ("none", "horizontal_flip", "cifar")),
        ):
            if getattr(self, name) not in choices:
                raise ValueError(f"`{name}` must be one of {choices}; got {getattr(self, name)!r}.")


def check_model_options(options):
    """Checks the model's arguments before the data set, and so the image shape, is known.

    Args:
        options: arguments of `MarScfConfig` without `image_shape`.

    Raises:
        ValueError: if a value is out of range, naming it.
    """
    size = 2 ** min(max(int(options.get("num_levels", 1)), 1), 20)
    MarScfConfig(image_shape=(size, size, 1), **options)
