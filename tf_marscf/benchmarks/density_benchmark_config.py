"""The arguments of the density benchmark, checked without TensorFlow."""

import dataclasses

from tf_marscf.benchmarks.comparison_config import ComparisonConfig
from tf_marscf.errors import InputError
from tf_marscf.runs.run_config import DataConfig
from tf_marscf.training.training_config import TrainingConfig

_DEFAULT_TRAINING_STEPS = 500
_DENSITIES = ("mar", "gaussian", "tfb_glow")


@dataclasses.dataclass(frozen=True, kw_only=True)
class DensityBenchmarkConfig(ComparisonConfig):
    """What `run_density_benchmark` measures.

    The defaults are the recipe of `digits.flags`, without its decay of the learning rate.

    Attributes:
        dataset: name of a data set, as of `load_dataset`.
        data_dir: where it is.
        num_channels: 3 copies a grey image three times; None keeps the data set's own.
        max_images: only so many images of each split; None is all.
        num_levels: L, of all models.
        batch_size: images a step.
        learning_rate: of Adamax, after the warm-up.
        warm_up_images: images over which the learning rate grows.
        clip_norm: greatest norm of the gradient of bits/dim.
        num_training_steps: steps of each model.
        training_seconds: seconds of training of each model, evaluations not counted. Where both
            budgets are given, the first to be spent ends the training; where neither is, it is
            500 steps.
        evaluate_every: steps between evaluations on held-out images.
        num_evaluation_images: the first test images, which are held out; None is all.

    Raises:
        ValueError: if a value is out of range, naming it.
    """

    models: tuple = _DENSITIES
    num_levels: int = 2
    prior_hidden_channels: int = 16
    dataset: str = "digits"
    data_dir: str = None
    num_channels: int = None
    max_images: int = None
    batch_size: int = 64
    learning_rate: float = 4e-3
    warm_up_images: int = 2000
    clip_norm: float = 1.0
    num_training_steps: int = None
    training_seconds: float = None
    evaluate_every: int = 50
    num_evaluation_images: int = 1000

    def __post_init__(self):
        super().__post_init__()
        if not set(self.models) <= set(_DENSITIES):
            raise InputError(f"`models` must be of {_DENSITIES}; got {','.join(self.models)!r}.")
        self._check_integers(num_levels=1, evaluate_every=1)
        TrainingConfig(
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            warm_up_images=self.warm_up_images,
            clip_norm=self.clip_norm,
            seed=self.seed,
        )
        if self.num_training_steps is None and self.training_seconds is None:
            object.__setattr__(self, "num_training_steps", _DEFAULT_TRAINING_STEPS)
        if self.num_training_steps is not None:
            self._check_integers(num_training_steps=1)
        if self.training_seconds is not None:
            self._check_positive("training_seconds")
        if self.num_evaluation_images is not None:
            self._check_integers(num_evaluation_images=1)

    @property
    def data(self):
        """The `DataConfig` of the images."""
        return DataConfig(
            name=self.dataset,
            data_dir=self.data_dir,
            num_channels=self.num_channels,
            max_images=self.max_images,
            # Nothing is chosen here, so that all training images are trained on.
            num_validation_images=0,
        )
