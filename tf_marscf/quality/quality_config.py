"""What the quality of samples is measured with, as data."""

import dataclasses

from tf_marscf.config_fields import (
    Config,
    choice,
    integer,
    number_by_level,
    path,
    sequence,
    some_of,
    string,
)
from tf_marscf.errors import InputError

METRICS = ("fid", "kid", "inception_score")


@dataclasses.dataclass(frozen=True, kw_only=True)
class QualityConfig(Config):
    """How the quality of samples is measured."""

    metrics: tuple = some_of(METRICS, METRICS, "Measures of the quality of samples.")
    num_images: int = integer(
        None,
        "Samples that are drawn; default: as many as there are real images. (Published figures "
        "mostly have 50,000.)",
        least=2,
        flag="num_generated",
    )
    reference_split: str = choice(
        "test",
        ("train", "validation", "test"),
        "The real images that samples are compared with.",
    )
    temperature: float = number_by_level(
        1.0,
        "Scale of the prior's noise, for the metrics: a number, or one a level, that of level 1 "
        "first.",
        least=0,
        rule="finite and >= 0",
    )
    kid_block_size: int = integer(1000, "Images of either kind in a block of KID.", least=2)
    num_splits: int = integer(10, "Splits of the samples for the Inception score.", flag=False)
    batch_size: int = integer(64, "Images at a time.", flag=False)
    inception_weights: str = path(
        None,
        "File of the original Inception weights, for figures that compare with published ones; "
        "default: what PyTorch has in its cache, or else downloads.",
    )
    feature_extractor: str = path(
        None,
        "A .keras file or SavedModel to use instead of Inception. A SavedModel is a program, which "
        "can read and write files: take one only from whom you trust.",
    )
    feature_layer: str = string(
        None, "Layer of that Keras model that gives the features; default: the output."
    )
    pixel_range: tuple = sequence(
        (0.0, 255.0), "Values that that model wants for grey levels 0 and 255."
    )

    def __post_init__(self):
        super().__post_init__()
        if self.feature_extractor is None and self.feature_layer is not None:
            raise InputError(
                "`feature_layer` must be None without `feature_extractor`; got "
                f"{self.feature_layer!r}."
            )
        if self.feature_extractor is not None and self.inception_weights is not None:
            raise InputError(
                "only one of `inception_weights` and `feature_extractor` may be given; got both."
            )

    def make_extractor(self):
        """The `FeatureExtractor`: the original Inception, where no other is given."""
        if self.feature_extractor is None:
            from tf_marscf.quality.inception_feature_extractor import InceptionFeatureExtractor

            return InceptionFeatureExtractor(self.inception_weights)
        from tf_marscf.quality.keras_feature_extractor import KerasFeatureExtractor

        return KerasFeatureExtractor(self.feature_extractor, self.feature_layer, self.pixel_range)
