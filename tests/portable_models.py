"""Training directories without a training, and what runs their portable exports."""

import dataclasses
import pathlib
import subprocess
import sys

import numpy as np
import tensorflow as tf

from tests.small_models import randomize
from tests.small_trainers import MODEL_OPTIONS, random_pixels
from tf_marscf.config import DequantizationConfig, MarScfConfig
from tf_marscf.data import DataConfig
from tf_marscf.runs.run_config import PixelConfig, RunConfig
from tf_marscf.training.strategies import make_strategy
from tf_marscf.training.training_config import TrainingConfig
from tf_marscf.training.training_state import TrainingState

RUNNER = pathlib.Path(__file__).resolve().parents[1] / "examples" / "run_stablehlo.py"
BATCH_SIZE = 4
# Modules that a machine without TensorFlow does not have.
_MISSING = ("keras", "tensorflow", "tensorflow_probability", "tf_keras", "tf_marscf")


def run_config(training, dequantization=None, **model_options):
    """The `RunConfig` of 8x8 images with 17 grey levels."""
    return RunConfig(
        model=MarScfConfig(image_shape=(8, 8, 1), **(MODEL_OPTIONS | model_options)),
        pixels=PixelConfig(num_grey_levels=17),
        data=DataConfig(name="digits"),
        training=dataclasses.asdict(training),
        dequantization=dequantization or DequantizationConfig(),
    )


def training_state(config, directory):
    """A new `TrainingState`, as `bin/train.py` makes one: without XLA."""
    training = TrainingConfig(**config.training)
    num_images = 1297 // training.batch_size * training.batch_size * training.num_epochs
    size = training.batch_size
    return TrainingState(config, training, size, num_images, make_strategy("one"), directory)


def training_directory(directory, num_steps=2, dequantization=None, training=(), **model_options):
    """Writes the directory of a run after some steps, with random weights."""
    options = {
        "batch_size": BATCH_SIZE,
        "learning_rate": 1e-3,
        "warm_up_images": 30,
        "num_epochs": 2,
    }
    config = run_config(
        TrainingConfig(**(options | dict(training))), dequantization, **model_options
    )
    state = training_state(config, directory)
    state.initialize(tf.data.Dataset.from_tensors(random_pixels(BATCH_SIZE)).repeat(), seed=1)
    randomize(state.images_distribution, scale=0.05)
    values_of_steps(state, training_batches(config, num_steps, seed=5))
    state.progress.add_images(num_steps * BATCH_SIZE)
    state.step = num_steps
    config.save(directory)
    state.save_latest()
    return config


def training_batches(config, num_batches, seed=3):
    """A dict of arrays of images, and labels where the model has classes."""
    arrays = {"images": random_pixels(num_batches * BATCH_SIZE, seed=seed)}
    if config.model.num_classes is not None:
        labels = np.arange(len(arrays["images"])) % config.model.num_classes
        arrays["labels"] = labels.astype(np.int32)
    return arrays


def values_of_steps(state, arrays):
    """TensorFlow's own training steps, one a batch; the values of each."""
    step = tf.function(lambda *batch: state.trainer.train_step(batch), autograph=False)
    values = []
    for start in range(0, len(arrays["images"]), BATCH_SIZE):
        step(*(tf.constant(array[start : start + BATCH_SIZE]) for array in arrays.values()))
        values.append(state.trainer.step_values.numpy())
    return np.stack(values)


def run_without_tensorflow(program, *arguments):
    """Runs Python code that may import `run_stablehlo`, and cannot import TensorFlow."""
    start = (
        f"import sys\nfor name in {_MISSING!r}:\n    sys.modules[name] = None\n"
        f"sys.path.insert(0, {str(RUNNER.parent)!r})\n"
    )
    process = subprocess.run(
        [sys.executable, "-c", start + program, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    return process.stdout
