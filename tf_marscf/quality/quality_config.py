"""What the quality of samples is measured with, as data."""

import dataclasses

from tf_marscf.errors import InputError
from tf_marscf.quality.sample_quality import METRICS, check_metrics
from tf_marscf.sampling.sample_stream import check_sampling_arguments


@dataclasses.dataclass(frozen=True, kw_only=True)
class QualityConfig:
    """How the quality of samples is measured.

    Attributes:
        metrics: some of "fid", "kid" and "inception_score".
        num_images: samples that are drawn; default: as many as there are real images. (Published
            figures mostly have 50,000.)
        reference_split: the real images: "train", "validation" or "test".
        temperature: scale of the prior's noise.
        kid_block_size: images of either kind in a block of KID.
        num_splits: splits of the samples for the Inception score.
        batch_size: images at a time.
        inception_weights: file of the original Inception weights, or None for what PyTorch has in
            its cache, or else downloads.
        feature_extractor: a Keras model or SavedModel to use instead, or None.
        feature_layer: name of the layer of that Keras model that gives the features, or None.
        pixel_range: the values that that model wants for grey levels 0 and 255.

    Raises:
        ValueError: from the constructor, naming argument, rule and value seen.
    """

    metrics: tuple = METRICS
    num_images: int = None
    reference_split: str = "test"
    temperature: float = 1.0
    kid_block_size: int = 1000
    num_splits: int = 10
    batch_size: int = 64
    inception_weights: str = None
    feature_extractor: str = None
    feature_layer: str = None
    pixel_range: tuple = (0.0, 255.0)

    def __post_init__(self):
        object.__setattr__(self, "metrics", tuple(self.metrics))
        check_metrics(self.metrics)
        check_sampling_arguments(temperature=self.temperature, batch_size=self.batch_size)
        for name, value, minimum in (
            ("num_images", self.num_images, 2),
            ("kid_block_size", self.kid_block_size, 2),
            ("num_splits", self.num_splits, 1),
        ):
            if value is not None and (not isinstance(value, int) or value < minimum):
                raise InputError(f"`{name}` must be an integer >= {minimum}; got {value!r}.")
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
        """The `FeatureExtractor`: the original Inception, where no other is given.

        Raises:
            FileNotFoundError, ImportError, ValueError: if it cannot be had as asked for.
            RunError: if there are no Inception weights, and they cannot be downloaded.
        """
        if self.feature_extractor is None:
            from tf_marscf.quality.inception_feature_extractor import (
                InceptionFeatureExtractor,
            )

            return InceptionFeatureExtractor(self.inception_weights)
        from tf_marscf.quality.keras_feature_extractor import KerasFeatureExtractor

        return KerasFeatureExtractor(self.feature_extractor, self.feature_layer, self.pixel_range)
