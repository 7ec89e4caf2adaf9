"""Saved weights of a training directory: the latest, and the best by validation."""

import os
import sys

import tensorflow as tf

from tf_marscf.distributions import Dequantized
from tf_marscf.errors import RunError
from tf_marscf.flow import MarScf
from tf_marscf.training.checkpoint_store import CheckpointStore

WHICH = ("best", "latest")


def restore_model(config, directory, which="best"):
    """Builds the model of a training directory and loads its weights.

    A checkpoint that cannot be read is named on the standard error stream, and the one before it is
    used.

    Args:
        config: the directory's `RunConfig`.
        directory: the training directory.
        which: "best" (by validation bits/dim) or "latest".

    Returns:
        A `Dequantized` distribution; its `distribution` is the `MarScf`.

    Raises:
        FileNotFoundError: if there is no such checkpoint.
        ValueError: if `which` is unknown, or no checkpoint fits the config.
    """
    if which not in WHICH:
        raise ValueError(f"`which` must be one of {WHICH}; got {which!r}.")
    model = MarScf.from_config(config.model)

    def read(prefix):
        restored = tf.train.Checkpoint(model=model).read(prefix)
        restored.assert_existing_objects_matched().expect_partial()

    def refuse(path, reason):
        print(f"warning: checkpoint {str(path)!r} is refused: {reason}", file=sys.stderr)

    try:
        found = CheckpointStore(directory, which).restore(read, refuse)
    except RunError as error:
        raise ValueError(
            f"`train_dir` {os.fspath(directory)!r} holds no checkpoint of the model that its "
            f"config describes: {error}"
        ) from error
    if found is None:
        raise FileNotFoundError(
            f"`train_dir` must hold a checkpoint {which!r}; {os.fspath(directory)!r} has none yet."
        )
    return Dequantized(
        model,
        num_grey_levels=config.pixels.num_grey_levels,
        published_scaling=config.pixels.published_scaling,
    )
