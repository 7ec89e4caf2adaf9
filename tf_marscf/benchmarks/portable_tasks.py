"""The tasks of a new model as a portable folder, to be timed on machines without TensorFlow."""

import dataclasses

import numpy as np
import tensorflow as tf

from tf_marscf.config import MarScfConfig
from tf_marscf.data import load_configured_dataset
from tf_marscf.files.atomic_file import atomic_directory
from tf_marscf.runs.run_config import PixelConfig, RunConfig
from tf_marscf.saving import new_directory
from tf_marscf.serving.portable_folder import PortableFolder
from tf_marscf.training.portable_export import TRAIN_STEP, portable_state, train_step_program
from tf_marscf.training.training_loop import training_batches

_BITS_SEED = (0, 7)


def write_portable_tasks(
    output_dir, model_options, image_shape, training, dequantization, data=None, random_above=None
):
    """Writes the programs `train_step`, `log_prob`, `sample` and `bits_per_dim` of a new model.

    All are of whole batches. Where the training keeps an average of the weights, the last three are
    the average's.

    Args:
        output_dir: a new directory.
        model_options: dict, arguments of `MarScfConfig` but for `image_shape`.
        image_shape: [height, width, channels] where there are no data.
        training: a `TrainingConfig`.
        dequantization: a `DequantizationConfig`.
        data: a `DataConfig` of the images that set ActNorm; None for noise.
        random_above: as of `PortableFolder.write`.

    Returns:
        The path of the directory.

    Raises:
        InputError, RunError: if the directory is not new, or the data do not fit.
        DataUnavailableError: if there are no such data.
    """
    output_dir = new_directory("output_dir", output_dir)
    dataset = None if data is None else load_configured_dataset(data)
    pixels = PixelConfig()
    if dataset is not None:
        image_shape = dataset.image_shape
        pixels = PixelConfig(num_grey_levels=dataset.num_grey_levels)
    config = RunConfig(
        model=MarScfConfig(image_shape=image_shape, **model_options),
        pixels=pixels,
        data=data,
        training=dataclasses.asdict(training),
        dequantization=dequantization,
    )
    with atomic_directory(output_dir) as directory:
        state = portable_state(config, training, training.batch_size, directory)
        batches = _noise(state, image_shape) if data is None else training_batches(dataset, state)
        state.initialize(batches, training.seed)
        scored = state.distributions[state.evaluated]
        folder = PortableFolder(directory)
        folder.add(TRAIN_STEP, *train_step_program(state))
        for name, (function, specs) in _density_tasks(scored, training.batch_size).items():
            folder.add(name, function, specs)
        folder.write(
            config,
            scored,
            training.batch_size,
            random_above,
            step_values=state.trainer.value_names,
        )
    return output_dir


def _noise(state, image_shape):
    """One batch of noise, again and again."""
    generator = np.random.default_rng(state.training.seed)
    size = [state.training.batch_size, *image_shape]
    num_grey_levels = state.images_distribution.num_grey_levels
    return tf.data.Dataset.from_tensors(
        generator.integers(num_grey_levels, size=size).astype(np.uint8)
    ).repeat()


def _density_tasks(images_distribution, batch_size):
    """A dict from names to `(function, specs)`."""
    model = images_distribution.distribution
    shape = [batch_size, *images_distribution.event_shape]
    labels = {}
    if images_distribution.num_classes is not None:
        labels = {"labels": tf.TensorSpec([batch_size], tf.int32)}

    def of_class(labels):
        return {} if labels is None else {"label": labels}

    def log_prob(values, labels=None):
        return {"log_prob": model.log_prob(values, **of_class(labels))}

    def sample(seed, labels=None):
        return {"values": model.sample(batch_size, seed=seed, **of_class(labels))}

    def bits_per_dim(images, labels=None):
        seed = tf.constant(_BITS_SEED)
        bits = images_distribution.bits_per_dim(images, seed=seed, **of_class(labels))
        return {"bits_per_dim": bits}

    inputs = {
        log_prob: {"values": tf.TensorSpec(shape, model.dtype)},
        sample: {"seed": tf.TensorSpec([2], tf.int32)},
        bits_per_dim: {"images": tf.TensorSpec(shape, tf.uint8)},
    }
    return {task.__name__: (task, specs | labels) for task, specs in inputs.items()}
