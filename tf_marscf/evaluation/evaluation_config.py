"""What of a model is evaluated, as data; TensorFlow is not needed to check it."""

import dataclasses

from tf_marscf.config_fields import choice, integer, path
from tf_marscf.runs.run_config import RestoredRunConfig


@dataclasses.dataclass(frozen=True, kw_only=True)
class EvaluationConfig(RestoredRunConfig):
    """Bits/dim of a split's images; what quality is measured with is a `QualityConfig`."""

    split: str = choice(
        "test", ("train", "validation", "test"), "The images whose bits/dim is measured."
    )
    batch_size: int = integer(None, "Images at a time; default: as in training.")
    num_samples: int = integer(1, "Draws of noise an image; more give a tighter bound.")
    seed: int = integer(0, "Seed of the noise, and of the samples.", least=0)
    json: str = path(
        None,
        "JSON file to write; default: TRAIN_DIR/evaluation_SPLIT.json, for another data set than "
        "that of training TRAIN_DIR/evaluation_DATASET_SPLIT.json.",
    )
    scores: str = path(
        None, "CSV file to write, with a row an image: its bits/dim and, with classes, its class."
    )
