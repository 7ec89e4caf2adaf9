"""The arguments of the density benchmark, checked without TensorFlow."""

import dataclasses

from tf_marscf.benchmarks.comparison_config import ComparisonConfig
from tf_marscf.config import MarScfConfig
from tf_marscf.config_fields import integer, number, same_field, some_of
from tf_marscf.data.data_config import DataConfig
from tf_marscf.training.training_config import TrainingConfig

_DEFAULT_TRAINING_STEPS = 500
_DENSITIES = ("mar", "gaussian", "tfb_glow")


@dataclasses.dataclass(frozen=True, kw_only=True)
class DensityBenchmarkConfig(ComparisonConfig):
    """What `run_density_benchmark` measures.

    The defaults are the recipe of `digits.flags`, without its decay of the learning rate. Where
    steps and seconds are given, the first to be spent ends the training of a model.
    """

    models: tuple = some_of(_DENSITIES, _DENSITIES, "Models to compare, mar among them.", rule="of")
    num_levels: int = same_field(MarScfConfig, "num_levels", 2)
    prior_hidden_channels: int = same_field(MarScfConfig, "prior_hidden_channels", 16)
    dataset: str = same_field(DataConfig, "name", "digits")
    data_dir: str = same_field(DataConfig, "data_dir")
    num_channels: int = same_field(DataConfig, "num_channels")
    max_images: int = same_field(DataConfig, "max_images")
    batch_size: int = same_field(TrainingConfig, "batch_size", 64)
    learning_rate: float = same_field(TrainingConfig, "learning_rate", 4e-3)
    warm_up_images: int = same_field(TrainingConfig, "warm_up_images", 2000)
    clip_norm: float = same_field(TrainingConfig, "clip_norm")
    seed: int = same_field(TrainingConfig, "seed")
    num_training_steps: int = integer(
        None, "Steps of each model; default: 500, or by training_seconds."
    )
    training_seconds: float = number(
        None, "Seconds of training of each model, evaluations not counted.", above=0
    )
    evaluate_every: int = integer(50, "Steps between evaluations on held-out images.")
    num_evaluation_images: int = integer(
        1000, "The first so many test images, which are held out, are scored."
    )

    def __post_init__(self):
        super().__post_init__()
        if self.num_training_steps is None and self.training_seconds is None:
            self._set("num_training_steps", _DEFAULT_TRAINING_STEPS)

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
