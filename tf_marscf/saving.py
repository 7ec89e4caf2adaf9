"""A distribution as a directory, and back: `tf_marscf.save` and `tf_marscf.load`."""

import os
from pathlib import Path

import tensorflow as tf

from tf_marscf.config import DequantizationConfig
from tf_marscf.errors import InputError, RunError
from tf_marscf.files.atomic_file import atomic_directory
from tf_marscf.files.paths import local_path
from tf_marscf.runs.checkpoint_store import CheckpointStore
from tf_marscf.runs.model_directory import model_directory
from tf_marscf.runs.run_config import FILE_NAME, PixelConfig, RunConfig
from tf_marscf.runs.trained_model import checkpoint_objects, restore_model


def save(images_distribution, directory):
    """Writes a distribution as a directory that `load`, and all commands, read.

    Args:
        images_distribution: a `Dequantized` around a `MarScf`.
        directory: a new directory, or an empty one; it appears whole or not at all.

    Raises:
        InputError, RunError: if the directory is neither.
        OSError: if it cannot be written to.
    """
    directory = new_directory("directory", directory)
    model, scaling = images_distribution.distribution, images_distribution.scaling
    dequantizer = images_distribution.dequantizer
    objects = checkpoint_objects("model", images_distribution)
    with atomic_directory(directory) as partial:
        CheckpointStore(partial, "best").save(tf.train.Checkpoint(**objects), step=0)
        RunConfig(
            model=model.config,
            execution=model.execution,
            pixels=PixelConfig(
                num_grey_levels=scaling.num_grey_levels, published_scaling=scaling.published
            ),
            dequantization=DequantizationConfig() if dequantizer is None else dequantizer.config,
        ).save(partial)


def new_directory(argument, path):
    """Checks that a directory is new or empty, and returns its `Path`."""
    directory = Path(local_path(argument, path))
    rule = f"`{argument}` must be a new directory; {str(directory)!r}"
    if directory.exists() and not directory.is_dir():
        raise InputError(f"{rule} is a file.")
    if (directory / FILE_NAME).exists():
        raise RunError(f"{rule} holds a model already.")
    if directory.exists() and any(directory.iterdir()):
        raise RunError(f"{rule} is there, and not empty.")
    return directory


def load(path, which="best"):
    """Reads a distribution, weights bit for bit.

    Args:
        path: a training directory, a directory of imported weights or one that `save` wrote; an
            export of either format, or one version of it.
        which: "best" or "latest" checkpoint of a training directory.

    Returns:
        A `Dequantized` distribution; its `distribution` is the `MarScf`.

    Raises:
        MissingInputError: if there is no such directory.
        InputError: if the directory is none of these, or is damaged.
    """
    directory = model_directory(path)
    return restore_model(RunConfig.load(directory), os.fspath(directory), which)
