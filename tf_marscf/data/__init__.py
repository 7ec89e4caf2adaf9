"""Image data sets: loading, preprocessing, augmentation and input pipelines."""

from tf_marscf.data.augmentation import AUGMENTATIONS, augment_image
from tf_marscf.data.data_unavailable_error import DataUnavailableError
from tf_marscf.data.dataset_options import DatasetOptions
from tf_marscf.data.image_dataset import ImageDataset, collect_images
from tf_marscf.data.pipeline import (
    WeightedImages,
    evaluation_pipeline,
    padded_evaluation_pipeline,
    training_pipeline,
)
from tf_marscf.data.registry import (
    check_configured_dataset,
    dataset_names,
    load_configured_dataset,
    load_dataset,
)

__all__ = [
    "AUGMENTATIONS",
    "DataUnavailableError",
    "DatasetOptions",
    "ImageDataset",
    "WeightedImages",
    "augment_image",
    "check_configured_dataset",
    "collect_images",
    "dataset_names",
    "evaluation_pipeline",
    "load_configured_dataset",
    "load_dataset",
    "padded_evaluation_pipeline",
    "training_pipeline",
]
