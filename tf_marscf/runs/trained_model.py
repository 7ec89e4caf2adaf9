"""Saved weights of a training directory: the latest, and the best by validation."""

import hashlib
import json
import os

import numpy as np
import tensorflow as tf

from tf_marscf.distributions import Dequantized, VariationalDequantizer
from tf_marscf.errors import InputError, MissingInputError, warn
from tf_marscf.flow import MarScf
from tf_marscf.runs.checkpoint_store import CheckpointStore, DamagedCheckpointsError
from tf_marscf.runs.portable_weights import has_portable_weights, read_portable_weights

WHICH = ("best", "latest")
# How a model computes is no part of the digest. Earlier versions had it there: with these values,
# results of theirs still belong to their weights.
_DEFAULT_EXECUTION = {"network_dtype": None, "recompute_prior": False, "recompute_couplings": True}

# Fields of the architecture that earlier versions did not have, with what all models were then.
_LATER_FIELDS = {
    "prior_network": "conv_lstm",
    "prior_channels_per_step": 1,
    "prior_start": "random",
    "prior_family": "normal",
    "max_log_scale": None,
    "prior_max_log_scale": None,
    "num_classes": None,
    "residual_coefficient": 0.9,
    "residual_num_terms": 60,
    "residual_num_probes": 2,
}


def build_distribution(config, seed=None, execution=None):
    """A new `Dequantized` of a `MarScf`, as a `RunConfig` says.

    Args:
        config: the `RunConfig`.
        seed: Python `int` or None, seed of the initial weights.
        execution: an `ExecutionConfig`; default: that of the config.
    """
    execution = config.execution if execution is None else execution
    model = MarScf.from_config(config.model, seed=seed, execution=execution)
    dequantizer = VariationalDequantizer.from_config(
        config.dequantization,
        config.model.image_shape,
        config.pixels.num_grey_levels,
        model_seed=seed,
        dtype=config.model.dtype,
        network_dtype=execution.network_dtype,
    )
    return Dequantized(model, **config.pixels.to_dict(), dequantizer=dequantizer)


def checkpoint_objects(name, images_distribution):
    """What a checkpoint holds of a `Dequantized`: a dict from names, which begin with `name`."""
    objects = {name: images_distribution.distribution}
    if images_distribution.dequantizer is not None:
        objects[f"{name}_dequantizer"] = images_distribution.dequantizer
    return objects


def restore_model(config, directory, which="best", argument="train_dir"):
    """The model of a directory, as its `RunConfig` says, with its "best" or "latest" weights.

    Where the run keeps a moving average of the weights, "latest" is the average. Before the first
    evaluation there is no "best" by validation bits/dim, and "latest" stands in for it. A damaged
    checkpoint is passed over for the one before it. The standard error stream tells of both. A
    portable export has weights of one kind.

    Returns:
        A `Dequantized` distribution; its `distribution` is the `MarScf`.

    Raises:
        MissingInputError: if there is no such checkpoint.
        InputError: if `which` is unknown, or no checkpoint fits the config.
        RunError: if the system does not let read a checkpoint.
    """
    if which not in WHICH:
        raise InputError(f"`which` must be one of {WHICH}; got {which!r}.")
    if has_portable_weights(directory):
        images_distribution = build_distribution(config)
        read_portable_weights(directory, images_distribution.variables)
        return images_distribution
    if which == "best" and not CheckpointStore(directory, "best").paths():
        if CheckpointStore(directory, "latest").paths():
            warn(f"{os.fspath(directory)!r} has no checkpoint 'best' yet: 'latest' is used")
            which = "latest"
    images_distribution = build_distribution(config)

    def read(prefix):
        name = "average" if _has_average(prefix) else "model"
        objects = checkpoint_objects(name, images_distribution)
        restored = tf.train.Checkpoint(**objects).read(prefix)
        restored.assert_existing_objects_matched().expect_partial()

    try:
        found, refused = CheckpointStore(directory, which).restore(read)
    except DamagedCheckpointsError as error:
        raise InputError(
            f"`{argument}` {os.fspath(directory)!r} holds no checkpoint of the model that its "
            f"config describes: {error}"
        ) from error
    if found is None:
        raise MissingInputError(
            f"`{argument}` must hold a checkpoint {which!r}; {os.fspath(directory)!r} has none yet."
        )
    for path, reason in refused:
        warn(f"checkpoint {str(path)!r} is refused: {reason}")
    return images_distribution


def averaged_checkpoint(config, directory):
    """Which checkpoint to publish: of a run that keeps a moving average, one of the average.

    It is "best"; or "latest" if the run keeps an average and the best weights are not averaged
    ones, of which the standard error stream tells. A `RunError` if no best weights can be read.
    """
    if not (config.training or {}).get("average_decay"):
        return "best"
    is_average = []
    CheckpointStore(directory, "best").restore(
        lambda prefix: is_average.append(_has_average(prefix))
    )
    if is_average in ([], [True]):
        return "best"
    warn(
        f"the best weights of {os.fspath(directory)!r} are not averaged: "
        "the latest average of its weights is used"
    )
    return "latest"


def _has_average(prefix):
    return any(name.startswith("average/") for name, _ in tf.train.list_variables(prefix))


def weights_digest(images_distribution):
    """A fingerprint of a model: equal for equal weights, architecture and pixel scaling.

    Results that hold it can be told from those of other weights, such as of an earlier checkpoint
    in the same directory. It is 16 hexadecimal digits, the first of a SHA-256.
    """
    scaling = images_distribution.scaling
    architecture = images_distribution.distribution.config.to_dict()
    for name, published in _LATER_FIELDS.items():
        if architecture.get(name) == published:
            del architecture[name]
    facts = {
        "model": architecture | _DEFAULT_EXECUTION,
        "scaling": [scaling.num_grey_levels, scaling.published],
    }
    if images_distribution.dequantizer is not None:
        facts["dequantization"] = images_distribution.dequantizer.config.to_dict()
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode())
    for variable in images_distribution.variables:
        values = np.ascontiguousarray(variable.numpy())
        digest.update(f"{values.dtype} {values.shape};".encode())
        digest.update(values.tobytes())
    return digest.hexdigest()[:16]
