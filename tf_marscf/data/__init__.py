"""Image data sets: loading, preprocessing, augmentation and input pipelines.

Names are loaded when they are first used: those of configs need no TensorFlow.
"""

import importlib

_MODULES = {
    "AUGMENTATIONS": "augmentation",
    "DataUnavailableError": "tfds_images",
    "DataConfig": "data_config",
    "ImageDataset": "image_dataset",
    "WeightedImages": "pipeline",
    "augment_image": "augmentation",
    "collect_images": "image_dataset",
    "dataset_names": "data_config",
    "evaluation_pipeline": "pipeline",
    "load_configured_dataset": "data_config",
    "load_dataset": "data_config",
    "padded_evaluation_pipeline": "pipeline",
    "summary_lines": "summary",
    "training_pipeline": "pipeline",
}

__all__ = list(_MODULES)


def __getattr__(name):
    if name in _MODULES:
        return getattr(importlib.import_module(f"tf_marscf.data.{_MODULES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return __all__
