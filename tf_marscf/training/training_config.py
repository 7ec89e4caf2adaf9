"""The arguments of a training run, checked before TensorFlow starts."""

import dataclasses

from tf_marscf.config import ExecutionConfig
from tf_marscf.config_fields import boolean, choice, config_from, integer, number
from tf_marscf.errors import InputError
from tf_marscf.training.strategies import STRATEGIES, check_strategy

OPTIMIZERS = ("adamax", "adam")

# The most of a tiny run: levels and couplings are those of the recipe.
_TINY_MODEL = {
    "num_steps": 1,
    "hidden_channels": 16,
    "prior_hidden_channels": 8,
    "prior_num_layers": 1,
    "num_blocks": 1,
    "num_components": 4,
}
_TINY_DEQUANTIZER = {"dequantizer_num_steps": 1, "dequantizer_hidden_channels": 16}
_TINY_TRAINING = {
    "batch_size": 16,
    "evaluation_batch_size": 16,
    "num_epochs": 2,
    "evaluate_every": 4,
    "warm_up_images": 64,
    "prior_start_images": 64,
    "num_accumulated_parts": 1,
    "num_sample_images": 9,
    "sample_every": 1,
    "log_every": 4,
    "checkpoint_every": 4,
}
_TINY_NUM_IMAGES = 64


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainingConfig(ExecutionConfig):
    """The arguments of a training run besides model and data.

    What it says of the execution holds while training; evaluations are in float32.
    """

    network_dtype: str = choice(
        "float32",
        ("float32", "bfloat16"),
        "The networks compute in it; weights, log-dets and densities stay in float32.",
    )
    batch_size: int = integer(128, "Images a step, over all devices.")
    num_epochs: int = integer(1000, "Passes over the training images.")
    evaluate_every: int = integer(
        0,
        "Steps between evaluations on the validation images, or 0: after each pass. What is "
        "counted in epochs elsewhere is counted in these intervals.",
        least=0,
    )
    optimizer: str = choice("adamax", OPTIMIZERS, "adamax is the published one.")
    learning_rate: float = number(8e-4, "Learning rate, after the warm-up.", above=0)
    warm_up_images: int = integer(
        10_000, "The learning rate grows linearly over this many images.", least=0
    )
    decay: str = choice(
        "none",
        ("none", "cosine"),
        "Of the learning rate. cosine: from the end of the warm-up down to zero at the last image.",
    )
    prior_start_images: int = integer(
        0,
        "For the first so many images mAR priors rest: they are Glow's prior, as which they start, "
        "and nothing else of them is computed or trained.",
        least=0,
    )
    clip_norm: float = number(
        1.0, "Greatest norm of the gradient of bits/dim; longer ones are shortened.", above=0
    )
    num_accumulated_parts: int = integer(
        1, "Parts of a batch that are computed one after another, to save memory."
    )
    average_decay: float = number(
        0.0,
        "Of the moving average of the weights, in (0, 1), or 0 for no average.",
        least=0,
        below=1,
    )
    early_stopping_epochs: int = integer(
        0,
        "Training ends after this many epochs without a better validation bits/dim; 0 for never.",
        least=0,
    )
    augmentation: str = choice(
        "none",
        ("none", "horizontal_flip", "cifar", "one_pixel_shift"),
        "Of the training images.",
    )
    evaluation_batch_size: int = integer(
        None, "Images a step when evaluating; default: batch_size."
    )
    num_sample_images: int = integer(64, "Samples in each picture.")
    sample_every: int = integer(
        10, "Epochs between pictures of samples; 0 for one at the end only.", least=0
    )
    checkpoint_every: int = integer(
        500, "Steps between checkpoints; one is written after each epoch as well."
    )
    log_every: int = integer(50, "Steps between entries of the TensorBoard log.")
    jit_compile: bool = boolean(False, "Compile steps with XLA; for GPUs.")
    strategy: str = choice(
        "auto", STRATEGIES, "The devices: mirrored is all GPUs, multi_worker those of TF_CONFIG."
    )
    seed: int = integer(
        0,
        "Seed of weights, data order, augmentation, dequantization and dropout.",
        least=0,
        num_bits=31,
    )

    def __post_init__(self):
        super().__post_init__()
        if self.evaluation_batch_size is None:
            self._set("evaluation_batch_size", self.batch_size)
        if self.batch_size % self.num_accumulated_parts:
            raise InputError(
                "`batch_size` must be a multiple of `num_accumulated_parts`; got "
                f"batch_size={self.batch_size}, "
                f"num_accumulated_parts={self.num_accumulated_parts}."
            )
        check_strategy(self.strategy)

    @property
    def execution(self):
        """The `ExecutionConfig` of the model that is trained."""
        network_dtype = None if self.network_dtype == "float32" else self.network_dtype
        return config_from(ExecutionConfig, vars(self) | {"network_dtype": network_dtype})

    def num_steps(self, num_train_images):
        """The steps of a run that is not stopped early."""
        return self.num_epochs * (num_train_images // self.batch_size)

    def check_num_replicas(self, num_replicas):
        """Checks that batch sizes are multiples of what shares them."""
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


def tiny_dequantization(config):
    """A smaller `DequantizationConfig` of the same kind."""
    smaller = {
        name: min(most, getattr(config, name))
        for name, most in _TINY_DEQUANTIZER.items()
        if getattr(config, name) is not None
    }
    return dataclasses.replace(config, **smaller)


def tiny(train_dir, data, model_options, training):
    """Smaller arguments of a `TrainingRun`: all that a recipe does, in about a minute on a CPU.

    The first images of each split, few steps of flow and channels, two short epochs, and a
    directory of its own: the real run would refuse to go on from a tiny one.
    """
    num_images = min(_TINY_NUM_IMAGES, data.max_images or _TINY_NUM_IMAGES)
    model_limits = {name: most for name, most in _TINY_MODEL.items() if name in model_options}
    smaller = {name: min(most, model_options[name]) for name, most in model_limits.items()}
    shorter = {name: min(most, getattr(training, name)) for name, most in _TINY_TRAINING.items()}
    return (
        f"{str(train_dir).rstrip('/')}_tiny",
        dataclasses.replace(data, max_images=num_images),
        model_options | smaller,
        dataclasses.replace(training, **shorter),
    )
