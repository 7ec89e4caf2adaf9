"""The arguments of benchmarks that compare models, checked without TensorFlow."""

import dataclasses

from tf_marscf.benchmarks.model_kinds import DEFAULT_KINDS, MODEL_KINDS
from tf_marscf.config import MarScfConfig, check_model_options
from tf_marscf.config_fields import Config, integer, number, same_field, sequence, some_of
from tf_marscf.data.data_config import DataConfig
from tf_marscf.errors import InputError
from tf_marscf.training.training_config import TrainingConfig

_DEFAULT_TRAINING_STEPS = 500


@dataclasses.dataclass(frozen=True, kw_only=True)
class BenchmarkedModelConfig(Config):
    """The model options of a benchmark: those of `MarScf` that have flags."""

    num_steps: int = same_field(MarScfConfig, "num_steps", 4)
    hidden_channels: int = same_field(MarScfConfig, "hidden_channels", 64)
    prior_channels_per_step: int = same_field(MarScfConfig, "prior_channels_per_step")
    prior_start: str = same_field(MarScfConfig, "prior_start")
    prior_family: str = same_field(MarScfConfig, "prior_family")
    prior_hidden_channels: int = same_field(MarScfConfig, "prior_hidden_channels")
    prior_num_layers: int = same_field(MarScfConfig, "prior_num_layers")
    num_blocks: int = same_field(MarScfConfig, "num_blocks")
    num_components: int = same_field(MarScfConfig, "num_components")
    num_heads: int = same_field(MarScfConfig, "num_heads")
    dropout_rate: float = same_field(MarScfConfig, "dropout_rate")
    residual_coefficient: float = same_field(MarScfConfig, "residual_coefficient")
    residual_num_terms: int = same_field(MarScfConfig, "residual_num_terms")
    residual_num_probes: int = same_field(MarScfConfig, "residual_num_probes")
    max_log_scale: float = same_field(MarScfConfig, "max_log_scale")
    prior_max_log_scale: float = same_field(MarScfConfig, "prior_max_log_scale")

    @property
    def model_options(self):
        """Arguments of `MarScfConfig` but for the image shape and the number of levels."""
        names = {field.name for field in dataclasses.fields(MarScfConfig)} - {"num_levels"}
        return {name: value for name, value in vars(self).items() if name in names}

    def mar_scf_config(self, image_shape, num_levels, **options):
        """The `MarScfConfig` with the model options, or others in their place."""
        return MarScfConfig(
            image_shape=image_shape, num_levels=num_levels, **self.model_options | options
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class ComparisonConfig(BenchmarkedModelConfig):
    """What all benchmarks that compare this project's models with others share.

    The model options are the architecture of the model "mar". The other models get about as many
    parameters.
    """

    models: tuple = some_of(DEFAULT_KINDS, tuple(MODEL_KINDS), "Models to compare, mar among them.")
    coupling: str = same_field(MarScfConfig, "coupling")
    prior_network: str = same_field(MarScfConfig, "prior_network")
    seed: int = integer(0, "Seed of weights, data order and noise.", least=0)

    def __post_init__(self):
        super().__post_init__()
        if "mar" not in self.models or len(set(self.models)) < len(self.models):
            raise InputError(
                "`models` must be different names, 'mar' among them; "
                f"got {','.join(self.models)!r}."
            )
        check_model_options({"num_levels": vars(self).get("num_levels", 1), **self.model_options})


@dataclasses.dataclass(frozen=True, kw_only=True)
class SamplingBenchmarkConfig(ComparisonConfig):
    """What `SamplingBenchmark` measures.

    As in the paper, larger images get more levels: an N x N image has L = log2(N / smallest_map)
    of them, so that the last latent map has height and width `smallest_map`. 4 gives the published
    models, L = 3 for 32 x 32 and L = 4 for 64 x 64.
    """

    sizes: tuple = sequence(
        (8, 16, 32, 64),
        "Heights N of the N x N images, each smallest_map times a power of two above 1.",
    )
    image_channels: int = integer(3, "Channels of the images.")
    smallest_map: int = integer(4, "Height of the last latent map: L = log2(N / smallest_map).")
    batch_size: int = integer(8, "Samples a batch; 8 in the paper.")
    num_repeats: int = integer(
        10, "Timed batches of each model and size, interleaved; at least 2.", least=2
    )
    max_seconds: float = number(
        120.0,
        "Seconds that the timed batches of one model may take at one size, and those of each of "
        "its parts: a slow model gets fewer repeats, and is skipped at a size, and at larger ones, "
        "where two batches are expected to take longer.",
        above=0,
    )

    def __post_init__(self):
        super().__post_init__()
        rule = "`sizes` must be smallest_map times powers of two above 1, each once"
        seen = ",".join(map(str, self.sizes))
        try:
            sizes = tuple(sorted(int(size) for size in self.sizes))
        except ValueError:
            raise InputError(f"{rule}; got {seen!r}.") from None
        is_right = all(size == self.smallest_map * 2 ** self.num_levels(size) for size in sizes)
        if not sizes or len(set(sizes)) < len(sizes) or not is_right:
            raise InputError(f"{rule}; got {seen!r}, smallest_map={self.smallest_map}.")
        self._set("sizes", sizes)

    def num_levels(self, size):
        """L of the models for N x N images."""
        return max((size // self.smallest_map).bit_length() - 1, 1)


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainedModelsConfig(BenchmarkedModelConfig):
    """What benchmarks that train models share.

    The defaults are the recipe of `digits.flags`, without its decay of the learning rate.
    """

    num_levels: int = same_field(MarScfConfig, "num_levels", 2)
    prior_kernel_sizes: tuple = same_field(MarScfConfig, "prior_kernel_sizes")
    prior_dilations: tuple = same_field(MarScfConfig, "prior_dilations")
    dataset: str = same_field(DataConfig, "name", "digits")
    data_dir: str = same_field(DataConfig, "data_dir")
    num_channels: int = same_field(DataConfig, "num_channels")
    num_bits: int = same_field(DataConfig, "num_bits")
    crop: tuple = same_field(DataConfig, "crop")
    resize: tuple = same_field(DataConfig, "resize")
    max_images: int = same_field(DataConfig, "max_images")
    batch_size: int = same_field(TrainingConfig, "batch_size", 64)
    optimizer: str = same_field(TrainingConfig, "optimizer")
    learning_rate: float = same_field(TrainingConfig, "learning_rate", 4e-3)
    warm_up_images: int = same_field(TrainingConfig, "warm_up_images", 2000)
    clip_norm: float = same_field(TrainingConfig, "clip_norm")
    augmentation: str = same_field(TrainingConfig, "augmentation")
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

    def to_dict(self):
        """As of every config, without `data_dir`, which says where somebody's files are.

        `crop` and `resize` are there where they are given, so that earlier results are still found.
        """
        values = super().to_dict()
        del values["data_dir"]
        for name in ("crop", "resize"):
            if values[name] is None:
                del values[name]
        return values

    @property
    def data(self):
        """The `DataConfig` of the images; nothing is chosen with a validation split here."""
        return DataConfig(
            name=self.dataset,
            data_dir=self.data_dir,
            num_channels=self.num_channels,
            num_bits=self.num_bits,
            crop=self.crop,
            resize=self.resize,
            max_images=self.max_images,
            num_validation_images=0,
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class DensityBenchmarkConfig(ComparisonConfig, TrainedModelsConfig):
    """What `DensityBenchmark` measures.

    The defaults are the recipe of `digits.flags`, without its decay of the learning rate. Where
    steps and seconds are given, the first to be spent ends the training of a model.
    """

    prior_hidden_channels: int = same_field(MarScfConfig, "prior_hidden_channels", 16)
    seed: int = same_field(TrainingConfig, "seed")
