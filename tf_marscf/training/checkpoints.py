"""Saved weights: those of the latest epoch, and the best by validation."""

import os

import tensorflow as tf

from tf_marscf.distributions import Dequantized
from tf_marscf.flow import MarScf

_DIRECTORY = "checkpoints"
WHICH = ("best", "latest")


def checkpoint_prefix(directory, which):
    """The path prefix of the newest checkpoint of a kind in a training directory, or None.

    Raises:
        ValueError: if `which` is neither "best" nor "latest".
    """
    if which not in WHICH:
        raise ValueError(f"`which` must be one of {WHICH}; got {which!r}.")
    return tf.train.latest_checkpoint(os.path.join(directory, _DIRECTORY, which))


def checkpoint_manager(directory, which, **objects):
    """A manager that keeps the newest checkpoint of a kind.

    Args:
        directory: the training directory.
        which: "best" or "latest".
        **objects: what to save, by name.

    Returns:
        A `tf.train.CheckpointManager`.
    """
    return tf.train.CheckpointManager(
        tf.train.Checkpoint(**objects),
        os.path.join(directory, _DIRECTORY, which),
        max_to_keep=1,
        checkpoint_name=which,
    )


def restore_model(config, directory, which="best"):
    """Builds the model of a training directory and loads its weights.

    Args:
        config: the directory's `RunConfig`.
        directory: the training directory.
        which: "best" (by validation bits/dim) or "latest".

    Returns:
        A `Dequantized` distribution; its `distribution` is the `MarScf`.

    Raises:
        FileNotFoundError: if there is no such checkpoint.
        ValueError: if the checkpoint does not fit the config.
    """
    prefix = checkpoint_prefix(directory, which)
    if prefix is None:
        raise FileNotFoundError(
            f"`train_dir` must hold a checkpoint {which!r}; {directory!r} has none yet."
        )
    model = MarScf.from_config(config.model)
    try:
        checkpoint = tf.train.Checkpoint(model=model)
        checkpoint.restore(prefix).assert_existing_objects_matched().expect_partial()
    except (AssertionError, ValueError, tf.errors.OpError) as error:
        raise ValueError(
            f"checkpoint {prefix!r} cannot be read as the model that the directory's config "
            f"describes: {error}"
        ) from error
    return Dequantized(
        model,
        num_grey_levels=config.pixels.num_grey_levels,
        published_scaling=config.pixels.published_scaling,
    )
