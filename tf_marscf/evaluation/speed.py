"""How long a training step, a density and a sample take."""

import statistics
import time

import keras
import tensorflow as tf

from tf_marscf.distributions import Dequantized
from tf_marscf.flow import MarScf
from tf_marscf.training.density_trainer import DensityTrainer

TASKS = ("train_step", "log_prob", "sample")
_PEAK_SHAPE = (64, 16, 16, 32)  # Maps of one ConvLSTM layer.
_PEAK_KERNEL = (3, 3, 32, 128)


def make_tasks(config, batch_size, seed=0):
    """Compiles the three tasks for a model with random weights and images.

    Args:
        config: a `MarScfConfig`.
        batch_size: images a call.
        seed: Python `int`.

    Returns:
        A dict from each of `TASKS` to a function without arguments that waits for its result.
    """
    model = MarScf.from_config(config, seed=seed)
    images_distribution = Dequantized(model)
    pixels = tf.cast(
        tf.random.stateless_uniform(
            [batch_size, *config.image_shape], [seed, 1], maxval=256, dtype=tf.int32
        ),
        tf.uint8,
    )
    images = images_distribution.dequantize(pixels, seed=seed)
    model.initialize(images)
    optimizer = keras.optimizers.Adamax(8e-4)
    optimizer.build(model.trainable_variables)
    trainer = DensityTrainer(images_distribution)
    trainer.compile(optimizer=optimizer, jit_compile=False)
    train_step = tf.function(lambda: trainer.train_step(pixels)["bits_per_dim"])
    log_prob = tf.function(lambda: model.log_prob(images))
    sample = tf.function(lambda: model.sample(batch_size, seed=seed))
    return {
        "train_step": lambda: train_step().numpy(),
        "log_prob": lambda: log_prob().numpy(),
        "sample": lambda: sample().numpy(),
    }


def measure(tasks, num_repeats):
    """Medians of interleaved repeats, after one call of each task to compile it.

    Args:
        tasks: dict from names to functions without arguments.
        num_repeats: calls of each task.

    Returns:
        A dict from names to seconds.
    """
    for task in tasks.values():
        task()
    seconds = {name: [] for name in tasks}
    for _ in range(num_repeats):
        for name, task in tasks.items():
            start = time.perf_counter()
            task()
            seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in seconds.items()}


def convolution_peak():
    """A task that is one 3x3 convolution, and its floating-point operations.

    Returns:
        `(task, operations)`.
    """
    maps = tf.random.stateless_normal(_PEAK_SHAPE, [0, 1])
    kernel = tf.random.stateless_normal(_PEAK_KERNEL, [0, 2])
    convolve = tf.function(lambda: tf.nn.conv2d(maps, kernel, strides=1, padding="SAME"))
    operations = 2 * maps.shape[:3].num_elements() * kernel.shape.num_elements()
    return lambda: convolve().numpy(), operations
