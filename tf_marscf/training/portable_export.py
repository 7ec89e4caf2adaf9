"""Export of a model and its training step for machines that have JAX and no TensorFlow."""

import dataclasses
import os

import tensorflow as tf

from tf_marscf import rules
from tf_marscf.config_fields import config_from, field_defaults
from tf_marscf.data import load_configured_dataset
from tf_marscf.errors import warn
from tf_marscf.files.atomic_file import unfinished_directory
from tf_marscf.files.paths import local_path
from tf_marscf.progress import watched
from tf_marscf.runs.run_config import RunConfig
from tf_marscf.runs.trained_model import averaged_checkpoint, restore_model
from tf_marscf.serving.check_portable import check_portable, require_jax
from tf_marscf.serving.model_versions import checked_output, publish
from tf_marscf.serving.portable_folder import PortableFolder
from tf_marscf.serving.portable_signatures import PortableSignatures
from tf_marscf.training.strategies import make_strategy
from tf_marscf.training.training_config import TrainingConfig
from tf_marscf.training.training_state import TrainingState

TRAIN_STEP = "train_step"
_BATCH_SIZE = 64  # Of a model without a training.


def export_portable(
    train_dir,
    output,
    batch_size=None,
    version=None,
    which=None,
    has_train_step=True,
    progress=False,
    report_check=None,
):
    """Writes `output/<version>/`, a `PortableFolder` with the signatures of `ServedModel`.

    They take whole batches. Beside them lies `train_step`, the step of the training with which its
    command would go on from the latest checkpoint: optimizer, schedule, average, noise and dropout
    of its (seed, step) and its own batch size. Images come as the data set has them: order and
    augmentation are not part of a step.

    With the "latest" weights, what training steps change is what the signatures compute with; the
    "best" ones stay as they are.

    Args:
        train_dir: a training directory, or one of imported weights, which has no training step.
        output: the model's directory, which holds its versions.
        version: as of `export_model`.
        which: as of `export_model`.
        batch_size: images of a request; default: as in training.
        has_train_step: whether a training step is written, with the state of the optimizer.
        progress: whether to show how far it is, on the standard error stream.
        report_check: as of `export_model`; JAX runs the signatures.

    Returns:
        The path of the version.

    Raises:
        MissingInputError, InputError: if the training directory has no such model, or an argument
            is out of range.
        DataUnavailableError: if the learning rate decays, and the data set that says when the
            training ends cannot be had.
        MissingPackageError: if signatures are to be checked, and JAX cannot be imported.
        RunError: if the version exists, or failed a check.
        OSError: if it cannot be written.
    """
    if batch_size is not None:
        rules.integer(1, num_bits=31)(batch_size, "`batch_size`")
    if report_check is not None:
        require_jax()
    output, train_dir = checked_output(output, version), local_path("train_dir", train_dir)
    config = RunConfig.load(train_dir)
    which = averaged_checkpoint(config, train_dir) if which is None else which
    images_distribution = restore_model(config, train_dir, which)
    if batch_size is None:
        batch_size = (config.training or {}).get("batch_size", _BATCH_SIZE)
    state = restored_state(config, train_dir) if has_train_step else None
    stands_for, facts = [], {}
    if state is not None and which == "latest":
        trained = state.distributions[state.evaluated]
        stands_for = zip(images_distribution.variables, trained.variables, strict=True)
    with unfinished_directory(output / "export") as directory:
        partial = directory / directory.name
        partial.mkdir()
        folder = PortableFolder(partial, stands_for)
        programs = PortableSignatures(images_distribution).signatures(batch_size)
        if state is not None:
            programs |= {TRAIN_STEP: train_step_program(state)}
            facts = {"step_values": state.trainer.value_names}
        for name, program in watched(
            programs.items(), len(programs), "exporting", "programs", progress
        ):
            folder.add(name, *program)
        folder.write(config, images_distribution, batch_size, **facts)
        if report_check is not None:
            check_portable(partial, images_distribution, report_check)
        return publish(partial, output, version)


def restored_state(config, train_dir):
    """The `TrainingState` after the latest checkpoint; None, and a warning, if there is none."""
    if config.training is None:
        warn(f"{os.fspath(train_dir)!r} holds weights and no training: no {TRAIN_STEP} is written")
        return None
    training = config_from(TrainingConfig, field_defaults(TrainingConfig) | config.training)
    num_images = training.batch_size
    if training.decay != "none":
        dataset = load_configured_dataset(config.data)
        num_images *= training.num_steps(dataset.num_train_images)
    state = portable_state(config, training, num_images, train_dir)
    path, damaged = state.read_latest()
    for name, reason in damaged:
        warn(f"checkpoint {str(name)!r} is refused: {reason}")
    if path is None:
        warn(f"{os.fspath(train_dir)!r} has no checkpoint 'latest': no {TRAIN_STEP} is written")
        return None
    return state


def portable_state(config, training, num_images, train_dir):
    """A new `TrainingState` whose step XLA compiles for one device."""
    training = dataclasses.replace(training, strategy="one", jit_compile=True)
    return TrainingState(
        config, training, training.batch_size, num_images, make_strategy("one"), train_dir
    )


def train_step_program(state):
    """`(function, specs, variables)` of one step of a `TrainingState`, for `PortableFolder.add`.

    Its output `step_values` is a float64 vector: bits/dim and the trainer's other `value_names`.
    """
    trainer, batch_size = state.trainer, state.training.batch_size
    images_distribution = trainer.images_distribution
    shape = [batch_size, *images_distribution.event_shape]
    specs = {"images": tf.TensorSpec(shape, tf.uint8)}
    if images_distribution.num_classes is not None:
        specs["labels"] = tf.TensorSpec([batch_size], tf.int32)

    def step(images, labels=None):
        trainer.train_step(images if labels is None else (images, labels))
        return {"step_values": trainer.step_values.read_value()}

    return step, specs, [getattr(one, "value", one) for one in trainer.optimizer.variables]
