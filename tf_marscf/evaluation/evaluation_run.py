"""Scores a training directory's model on a data set."""

from tf_marscf.data import evaluation_pipeline
from tf_marscf.evaluation.bits_per_dim import evaluate_bits_per_dim
from tf_marscf.evaluation.evaluated_dataset import load_evaluated_dataset
from tf_marscf.run_config import RunConfig
from tf_marscf.training.checkpoints import restore_model

_DEFAULT_BATCH_SIZE = 100


class EvaluationRun:
    """Bits/dim of the model in a training directory.

    Args:
        train_dir: the training directory.
        which: "best" or "latest" checkpoint.
        dataset: name of a data set; default: the one that the model was trained on.
        data_dir: where it is; default: as in training.

    Raises:
        DataUnavailableError: if the data cannot be had.
        FileNotFoundError: if the directory or checkpoint is missing.
        ValueError: if an argument is wrong, or the data do not fit the model.
    """

    def __init__(self, train_dir, which="best", dataset=None, data_dir=None):
        config = RunConfig.load(train_dir)
        training = config.training or {}
        self._default_batch_size = training.get("evaluation_batch_size", _DEFAULT_BATCH_SIZE)
        self._dataset = load_evaluated_dataset(config, dataset, data_dir)
        self._images_distribution = restore_model(config, train_dir, which)

    def run(self, split="test", batch_size=None, num_samples=1, seed=0):
        """Scores every image of a split.

        Args:
            split: "train", "validation" or "test".
            batch_size: images at a time; default: as in training, and so with its noise.
            num_samples: draws of dequantization noise an image.
            seed: of the noise.

        Returns:
            A `BitsPerDim`.

        Raises:
            RunError: if an image's bits/dim is not finite.
            ValueError: if the data set has no such split.
        """
        batch_size = batch_size or self._default_batch_size
        splits = self._dataset.splits()
        if split not in splits:
            raise ValueError(f"`split` must be one of {tuple(splits)}; got {split!r}.")
        return evaluate_bits_per_dim(
            self._images_distribution,
            evaluation_pipeline(splits[split], batch_size),
            num_samples=num_samples,
            seed=seed,
        )
