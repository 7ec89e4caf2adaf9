"""How long a training step, a density and a sample take."""

import resource
import statistics
import time

import tensorflow as tf

from tf_marscf.benchmarks.operation_count import convolution_operations, log_prob_operations
from tf_marscf.distributions import Dequantized
from tf_marscf.errors import InputError
from tf_marscf.flow import MarScf
from tf_marscf.kernels.batch_parts import in_batch_parts
from tf_marscf.kernels.devices import num_cores, num_intra_op_threads
from tf_marscf.training.density_trainer import DensityTrainer
from tf_marscf.training.fused_adamax import FusedAdamax

_MAX_SECONDS = 1e12  # Of a baseline. JSON has integers beyond all floats.
TASKS = ("train_step", "log_prob", "sample")
_PEAK_SHAPE = (256, 16, 16, 32)  # Maps of one ConvLSTM layer.
_PEAK_KERNEL = (3, 3, 32, 128)


def make_tasks(config, batch_size, seed=0, execution=None):
    """Compiles the three tasks for a model with random weights and images.

    Args:
        config: a `MarScfConfig`.
        batch_size: images a call.
        seed: Python `int`.
        execution: an `ExecutionConfig`, or None for the default.

    Returns:
        A dict from each of `TASKS` to a function without arguments that waits for its result.
    """
    model = MarScf.from_config(config, seed=seed, execution=execution)
    images_distribution = Dequantized(model)
    pixels = tf.cast(
        tf.random.stateless_uniform(
            [batch_size, *config.image_shape], [seed, 1], maxval=256, dtype=tf.int32
        ),
        tf.uint8,
    )
    images = images_distribution.dequantize(pixels, seed=seed)
    model.initialize(images)
    optimizer = FusedAdamax(8e-4)
    optimizer.build(model.trainable_variables)
    trainer = DensityTrainer(images_distribution)
    trainer.compile(optimizer=optimizer, jit_compile=False)
    train_step = tf.function(lambda: trainer.train_step(pixels)["bits_per_dim"], autograph=False)
    log_prob = tf.function(lambda: model.log_prob(images), autograph=False)
    sample = tf.function(lambda: model.sample(batch_size, seed=seed), autograph=False)
    return {
        "train_step": lambda: train_step().numpy(),
        "log_prob": lambda: log_prob().numpy(),
        "sample": lambda: sample().numpy(),
    }


def measure(tasks, num_repeats):
    """Seconds by name: medians of interleaved repeats, after one call of each to compile it."""
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
    """`(task, operations)`: one 3x3 convolution on all cores, and its floating-point operations.

    With one thread an operation, a part of the batch is convolved on each core.
    """
    maps = tf.random.stateless_normal(_PEAK_SHAPE, [0, 1])
    kernel = tf.random.stateless_normal(_PEAK_KERNEL, [0, 2])

    @tf.function(autograph=False)
    def convolve():
        # One number of each part is waited for: copying all would count as convolution.
        return in_batch_parts(
            lambda part: tf.nn.conv2d(part, kernel, strides=1, padding="SAME")[:1, 0, 0, 0], maps
        )

    return (
        lambda: convolve().numpy(),
        convolution_operations(_PEAK_SHAPE, _PEAK_KERNEL),
    )


def peak_memory():
    """Greatest resident memory of this process so far, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0


class SpeedBenchmark:
    """Times the three tasks, interleaved with one plain convolution.

    Args:
        config: a `MarScfConfig`.
        batch_size: images a call.
        num_repeats: timed calls of each task.
        baseline: dict from tasks to seconds, to compare with.
        execution: an `ExecutionConfig`, or None for the default.

    Raises:
        InputError: if a task or a number of the baseline is wrong.
    """

    def __init__(self, config, batch_size, num_repeats, baseline=None, execution=None):
        self._config = config
        self._execution = execution
        self._batch_size = batch_size
        self._num_repeats = num_repeats
        self._baseline = dict(baseline or {})
        for task, seconds in self._baseline.items():
            if task not in TASKS:
                raise InputError(f"`baseline` must have entries of {TASKS}; got {task!r}.")
            is_number = isinstance(seconds, (int, float)) and not isinstance(seconds, bool)
            if not is_number or not 0.0 < seconds <= _MAX_SECONDS:
                raise InputError(f"`baseline` must hold seconds > 0; got {task}: {seconds!r}.")

    def run(self, report=print):
        """Reports a table, line by line, and returns a dict from `TASKS` to seconds."""
        start_memory = peak_memory()
        peak_task, peak_operations = convolution_peak()
        tasks = make_tasks(self._config, self._batch_size, execution=self._execution)
        tasks["convolution"] = peak_task
        seconds = measure(tasks, self._num_repeats)
        report(f"{'task':<12}{'seconds':>10}{'baseline':>10}{'speed-up':>10}")
        for task in TASKS:
            row = f"{task:<12}{seconds[task]:>10.4f}"
            if task in self._baseline:
                ratio = self._baseline[task] / seconds[task]
                row += f"{self._baseline[task]:>10.4f}{ratio:>9.2f}x"
            report(row)
        peak_rate = peak_operations / seconds["convolution"]
        operations = log_prob_operations(self._config, self._batch_size)
        rate = operations / seconds["log_prob"]
        report(f"a 3x3 convolution: {peak_rate / 1e9:.0f} GFLOP/s")
        report(
            f"a density is {operations / 1e9:.1f} GFLOP as plain convolutions: {rate / 1e9:.0f} "
            f"GFLOP/s, {rate / peak_rate:.0%} of that convolution's rate"
        )
        report(f"threads: {num_intra_op_threads()} an operation, on {num_cores()} cores")
        report(f"memory: {start_memory:.0f} MiB before, {peak_memory():.0f} MiB at the peak")
        return {task: seconds[task] for task in TASKS}
