"""Export of a trained model as TensorFlow Serving expects it."""

import os
import shutil
from pathlib import Path

import tensorflow as tf

from tf_marscf.errors import RunError
from tf_marscf.run_config import RunConfig
from tf_marscf.saving import EXPORTED_WEIGHTS, save
from tf_marscf.serving import warm_up_requests
from tf_marscf.serving.frozen_function import freeze
from tf_marscf.serving.served_model import MAX_NUM_SAMPLES, ServedModel
from tf_marscf.training.checkpoints import restore_model


def export_model(train_dir, output, version=None, which="best", max_num_samples=MAX_NUM_SAMPLES):
    """Writes `output/<version>/`, a SavedModel with the signatures of `ServedModel`.

    The graph holds operations of TensorFlow alone and no variables; beside it lie the weights, for
    `tf_marscf.load`. The directory appears whole or not at all, and an existing version is never
    overwritten. With the package tensorflow-serving-api (the extra `serving`), requests that warm a
    server up are written, too.

    Args:
        train_dir: a training directory, or one of imported weights.
        output: the model's directory, which holds its versions.
        version: an integer >= 1; default: the one after the newest.
        which: "best" or "latest" checkpoint.
        max_num_samples: greatest `num_samples` of a request.

    Returns:
        The path of the version.

    Raises:
        FileNotFoundError, ValueError: if the training directory has no such model, or an argument
            is out of range.
        RunError: if the version exists.
    """
    if max_num_samples < 1:
        raise ValueError(f"`max_num_samples` must be an integer >= 1; got {max_num_samples!r}.")
    path = _version_path(Path(output), version)
    images_distribution = restore_model(RunConfig.load(train_dir), train_dir, which)
    served = ServedModel(images_distribution, max_num_samples)
    module = tf.Module()
    signatures = {}
    for name, (function, specs) in served.signatures().items():
        signatures[name] = freeze(function, specs)
        setattr(module, name, signatures[name])
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        tf.saved_model.save(module, str(partial), signatures=signatures)
        save(images_distribution, partial / EXPORTED_WEIGHTS)
        if warm_up_requests.is_available():
            warm_up_requests.write_warm_up_requests(
                partial / "assets.extra" / warm_up_requests.FILE_NAME,
                {name: specs for name, (_, specs) in served.signatures().items()},
            )
        os.rename(partial, path)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return path


def _version_path(output, version):
    if output.exists() and not output.is_dir():
        raise ValueError(f"`output` must be a directory; {str(output)!r} is a file.")
    existing = [int(path.name) for path in output.glob("*") if path.name.isdigit()]
    if version is None:
        version = max(existing, default=0) + 1
    if version < 1:
        raise ValueError(f"`version` must be an integer >= 1; got {version!r}.")
    if version in existing:
        raise RunError(
            f"`output` {str(output)!r} has a version {version} already, which is not overwritten."
        )
    output.mkdir(parents=True, exist_ok=True)
    return output / str(version)
