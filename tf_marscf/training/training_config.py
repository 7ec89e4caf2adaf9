"""The arguments of a training run, checked before TensorFlow starts."""

import dataclasses
import math
import numbers

from tf_marscf.config import MarScfConfig
from tf_marscf.errors import InputError
from tf_marscf.model_size import MAX_LEVELS
from tf_marscf.training.strategies import check_strategy

DECAYS = ("none", "cosine")
AUGMENTATIONS = ("none", "horizontal_flip", "cifar")
NETWORK_DTYPES = ("float32", "bfloat16")


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """The arguments of a training run besides model and data.

    Attributes:
        batch_size: images a step, over all devices.
        num_epochs: passes over the training images.
        evaluate_every: steps between evaluations on the validation images, or 0: after each pass.
            What is counted in epochs elsewhere is counted in these intervals.
        learning_rate: of Adamax, after the warm-up.
        warm_up_images: the learning rate grows linearly over this many images.
        decay: "none", or "cosine": from the end of the warm-up down to zero at the last image.
        clip_norm: greatest norm of the gradient of bits/dim; longer ones are shortened.
        num_accumulated_parts: a batch is worked off in this many parts, to save memory.
        average_decay: of the moving average of the weights, in (0, 1), or 0 for no average.
        early_stopping_epochs: training ends after this many epochs without a better validation
            bits/dim; 0 for never.
        augmentation: "none", "horizontal_flip" or "cifar".
        evaluation_batch_size: images a step when evaluating; default: `batch_size`.
        num_sample_images: samples in each picture.
        sample_every: epochs between pictures; 0 for one at the end only.
        checkpoint_every: steps between checkpoints; one is written after each epoch as well.
        log_every: steps between entries of the TensorBoard log.
        network_dtype: "float32", or "bfloat16": the networks compute in it; weights, log-dets and
            densities stay in float32.
        recompute_prior: whether gradients run the ConvLSTM again, instead of keeping its states.
        recompute_couplings: whether gradients run each block of MixLogCDF couplings again, instead
            of keeping what it computed.
        jit_compile: whether steps are compiled with XLA; for GPUs.
        strategy: "auto", "one", "mirrored" or "multi_worker".
        seed: of weights, data order, augmentation, dequantization and dropout.

    Raises:
        ValueError: if a value is out of range, naming it.
    """

    batch_size: int = 128
    num_epochs: int = 1000
    evaluate_every: int = 0
    learning_rate: float = 8e-4
    warm_up_images: int = 10_000
    decay: str = "none"
    clip_norm: float = 1.0
    num_accumulated_parts: int = 1
    average_decay: float = 0.0
    early_stopping_epochs: int = 0
    augmentation: str = "none"
    evaluation_batch_size: int = None
    num_sample_images: int = 64
    sample_every: int = 10
    checkpoint_every: int = 500
    log_every: int = 50
    network_dtype: str = "float32"
    recompute_prior: bool = False
    recompute_couplings: bool = True
    jit_compile: bool = False
    strategy: str = "auto"
    seed: int = 0

    def __post_init__(self):
        if self.evaluation_batch_size is None:
            object.__setattr__(self, "evaluation_batch_size", self.batch_size)
        for name, least in (
            ("batch_size", 1),
            ("num_epochs", 1),
            ("evaluate_every", 0),
            ("warm_up_images", 0),
            ("num_accumulated_parts", 1),
            ("early_stopping_epochs", 0),
            ("evaluation_batch_size", 1),
            ("num_sample_images", 1),
            ("sample_every", 0),
            ("checkpoint_every", 1),
            ("log_every", 1),
            ("seed", 0),
        ):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < least:
                raise InputError(f"`{name}` must be an integer >= {least}; got {value!r}.")
        if self.seed >= 2**31:
            raise InputError(f"`seed` must be below 2^31; got {self.seed!r}.")
        for name in ("learning_rate", "clip_norm"):
            value = getattr(self, name)
            if not isinstance(value, numbers.Real) or not 0.0 < value < math.inf:
                raise InputError(f"`{name}` must be a finite number > 0; got {value!r}.")
        if not isinstance(self.average_decay, numbers.Real) or not 0.0 <= self.average_decay < 1.0:
            raise InputError(f"`average_decay` must be in [0, 1); got {self.average_decay!r}.")
        for name in ("recompute_prior", "recompute_couplings", "jit_compile"):
            if not isinstance(getattr(self, name), bool):
                raise InputError(f"`{name}` must be True or False; got {getattr(self, name)!r}.")
        for name, choices in (
            ("decay", DECAYS),
            ("augmentation", AUGMENTATIONS),
            ("network_dtype", NETWORK_DTYPES),
        ):
            if getattr(self, name) not in choices:
                raise InputError(f"`{name}` must be one of {choices}; got {getattr(self, name)!r}.")
        if self.batch_size % self.num_accumulated_parts:
            raise InputError(
                "`batch_size` must be a multiple of `num_accumulated_parts`; got "
                f"batch_size={self.batch_size}, "
                f"num_accumulated_parts={self.num_accumulated_parts}."
            )
        check_strategy(self.strategy)

    def check_num_replicas(self, num_replicas):
        """Checks that batches can be shared among devices.

        Raises:
            ValueError: if a batch size is no multiple of what shares it.
        """
        for name, parts in (
            ("batch_size", num_replicas * self.num_accumulated_parts),
            ("evaluation_batch_size", num_replicas),
        ):
            if getattr(self, name) % parts:
                raise InputError(
                    f"`{name}` must be a multiple of {parts}, for {num_replicas} devices and "
                    f"num_accumulated_parts={self.num_accumulated_parts}; got "
                    f"{getattr(self, name)}."
                )


def check_model_options(options):
    """Checks the model's arguments before the data set, and so the image shape, is known.

    Args:
        options: arguments of `MarScfConfig` without `image_shape`.

    Raises:
        ValueError: if a value is out of range, naming it.
    """
    # No smaller image has so many levels; a number that is out of range is refused for itself.
    num_levels = options.get("num_levels", MarScfConfig.num_levels)
    is_known = isinstance(num_levels, numbers.Integral) and 1 <= num_levels <= MAX_LEVELS
    size = 2 ** int(num_levels) if is_known else 1
    MarScfConfig(image_shape=(size, size, 1), **options)
