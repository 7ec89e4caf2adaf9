"""The arguments of a comparison of systems, checked without TensorFlow."""

import dataclasses

from tf_marscf.benchmarks.comparison_configs import DensityBenchmarkConfig
from tf_marscf.benchmarks.model_kinds import MODEL_KINDS
from tf_marscf.config_fields import boolean, integer, number, same_field, some_of
from tf_marscf.quality.quality_config import QualityConfig


@dataclasses.dataclass(frozen=True, kw_only=True)
class SystemComparisonConfig(DensityBenchmarkConfig):
    """What `SystemComparison` trains and measures.

    Where steps and seconds are given, the first to be spent ends the training of a model.
    """

    models: tuple = some_of(
        tuple(MODEL_KINDS), tuple(MODEL_KINDS), "Models to compare, mar among them."
    )
    average_decay: float = number(
        0.0,
        "Decay of a moving average of the weights, which scores and samples in their place; 0 for "
        "the weights.",
        least=0,
        below=1,
    )
    num_samples: int = integer(
        256,
        "Samples of each model for KID and FID. FID is biased by their number, so that only equal "
        "numbers compare; KID is not.",
        least=2,
    )
    equal_samples: bool = boolean(
        True,
        "Score as many samples of each model as the model with the fewest has, where "
        "max_sampling_seconds cut it.",
    )
    measured_batch_size: int = integer(
        32, "Images of a batch whose seconds are taken, of samples and of densities."
    )
    max_sampling_seconds: float = number(
        300.0,
        "Seconds that the samples of one model may take: it ends after the batch that spends them, "
        "and the table says so. At least one batch is drawn.",
        above=0,
    )
    kid_block_size: int = same_field(QualityConfig, "kid_block_size", 64)
    classifier_steps: int = integer(
        600,
        "Training steps, of 64 images, of the classifier whose features KID and FID take where no "
        "other network is given and the images have labels.",
    )
    inception_weights: str = same_field(QualityConfig, "inception_weights")
    feature_extractor: str = same_field(QualityConfig, "feature_extractor")
    feature_layer: str = same_field(QualityConfig, "feature_layer")
    pixel_range: tuple = same_field(QualityConfig, "pixel_range")

    def __post_init__(self):
        super().__post_init__()
        self.quality()  # Which checks what was given together.

    def quality(self, **options):
        """The `QualityConfig` of the scores, with further options."""
        return QualityConfig(
            metrics=("fid", "kid"),
            inception_weights=self.inception_weights,
            feature_extractor=self.feature_extractor,
            feature_layer=self.feature_layer,
            pixel_range=self.pixel_range,
            **{"kid_block_size": self.kid_block_size} | options,
        )

    @property
    def has_extractor(self):
        """Whether a network for KID and FID is given."""
        return self.inception_weights is not None or self.feature_extractor is not None

    def to_dict(self):
        """As of every config, without the paths of somebody's files."""
        values = super().to_dict()
        for name in ("inception_weights", "feature_extractor"):
            del values[name]
        return values
