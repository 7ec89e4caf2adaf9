"""How long a training step, a density and a sample take, and which part of it is the prior's."""

import resource
import statistics

import tensorflow as tf

from tf_marscf.benchmarks.compiled_memory import compiled_memory
from tf_marscf.benchmarks.measurement import interleaved_seconds, waiting_task
from tf_marscf.benchmarks.operation_count import (
    convolution_operations,
    dequantization_operations,
    flow_operations,
    log_prob_operations,
    prior_operations,
)
from tf_marscf.benchmarks.speed_parts import PART_TASKS, part_tasks
from tf_marscf.config import DequantizationConfig
from tf_marscf.errors import InputError
from tf_marscf.kernels.batch_parts import in_batch_parts
from tf_marscf.kernels.choices import is_compiled
from tf_marscf.kernels.devices import num_cores, num_intra_op_threads
from tf_marscf.runs.run_config import PixelConfig, RunConfig
from tf_marscf.runs.trained_model import build_distribution
from tf_marscf.training.density_trainer import DensityTrainer
from tf_marscf.training.fused_optimizers import FusedAdamax

TASKS = ("train_step", "log_prob", "sample")
_OPERATIONS = ("flow_operations", "prior_operations")
_MAX_SECONDS = 1e12  # Of a baseline. JSON has integers beyond all floats.
_PEAK_SHAPE = (256, 16, 16, 32)  # Maps of one ConvLSTM layer.
_PEAK_KERNEL = (3, 3, 32, 128)


def measure_speed(
    config,
    batch_size,
    num_repeats,
    baseline=None,
    execution=None,
    report=print,
    dequantization=None,
    jit_compile="auto",
):
    """Times the tasks with random weights and images, interleaved with a plain convolution.

    Args:
        config: a `MarScfConfig`.
        batch_size: images a call.
        num_repeats: timed calls of each task.
        baseline: dict from tasks to seconds, to compare with.
        execution: an `ExecutionConfig`, or None for the default.
        report: called with each line of a table.
        dequantization: a `DequantizationConfig` for the training step, or None for uniform noise.
        jit_compile: as of `CompilationConfig`; the plain convolution is never compiled.

    Returns:
        A dict that JSON can hold: seconds, medians, by `TASKS` and `PART_TASKS`, and operations of
        a density an image, "flow_operations" and "prior_operations".

    Raises:
        InputError: if a task or a number of the baseline is wrong.
    """
    baseline = _checked_baseline(baseline or {})
    start_memory = _peak_memory()
    dequantization = dequantization or DequantizationConfig()
    with_xla = is_compiled(jit_compile)
    tasks, train_step = _model_tasks(config, batch_size, execution, dequantization, with_xla)
    tasks["convolution"] = _convolution_task()
    times = interleaved_seconds(tasks, num_repeats, description="timing")
    seconds = {task: statistics.median(values) for task, values in times.items()}
    report(f"{'task':<18}{'seconds':>10}{'baseline':>10}{'speed-up':>10}")
    for task in (*TASKS, *PART_TASKS):
        row = f"{task:<18}{seconds[task]:>10.4f}"
        if task in baseline:
            row += f"{baseline[task]:>10.4f}{baseline[task] / seconds[task]:>9.2f}x"
        report(row)
    peak_rate = convolution_operations(_PEAK_SHAPE, _PEAK_KERNEL) / seconds["convolution"]
    operations = log_prob_operations(config, batch_size)
    rate = operations / seconds["log_prob"]
    report(f"a 3x3 convolution: {peak_rate / 1e9:.0f} GFLOP/s")
    report(
        f"a density is {operations / 1e9:.1f} GFLOP as plain convolutions: {rate / 1e9:.0f} "
        f"GFLOP/s, {rate / peak_rate:.0%} of that convolution's rate"
    )
    of_image = {"flow_operations": flow_operations(config, 1)}
    of_image["prior_operations"] = prior_operations(config, 1)
    flow, prior = of_image.values()
    report(
        f"a density of one image: flow {flow / 1e9:.3g} GFLOP, prior {prior / 1e9:.3g} GFLOP, "
        f"{prior / (flow + prior):.0%} of the operations"
    )
    shares = [
        f"{seconds[f'prior_{task}'] / (seconds[f'prior_{task}'] + seconds[f'flow_{task}']):.0%} "
        f"of a {words}'s time"
        for task, words in (("log_prob", "density"), ("gradient", "gradient"))
    ]
    report(f"the prior, timed alone, against the flow alone: {', '.join(shares)}")
    operations = dequantization_operations(dequantization, config.image_shape, batch_size)
    if operations:
        report(f"a dequantizer's noise, in the training step only: {operations / 1e9:.1f} GFLOP")
    if with_xla:
        memory = compiled_memory(train_step)
        report(
            "compiled by XLA, which assigns a training step "
            f"{memory.arguments / 2**20:.0f} MiB of weights, optimizer and images, "
            f"{memory.temporaries / 2**20:.0f} MiB of temporaries and "
            f"{memory.outputs / 2**20:.0f} MiB of results"
        )
    report(f"threads: {num_intra_op_threads()} an operation, on {num_cores()} cores")
    report(f"memory: {start_memory:.0f} MiB before, {_peak_memory():.0f} MiB at the peak")
    return {task: seconds[task] for task in (*TASKS, *PART_TASKS)} | of_image


def _checked_baseline(baseline):
    """The seconds in a baseline, which may be of a version that did not time all tasks."""
    seconds = {name: value for name, value in baseline.items() if name not in _OPERATIONS}
    for task, value in seconds.items():
        if task not in (*TASKS, *PART_TASKS):
            raise InputError(
                f"`baseline` must have entries of {(*TASKS, *PART_TASKS)}; got {task!r}."
            )
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not is_number or not 0.0 < value <= _MAX_SECONDS:
            raise InputError(f"`baseline` must hold seconds > 0; got {task}: {value!r}.")
    return seconds


def _model_tasks(config, batch_size, execution, dequantization, with_xla):
    """A dict from each of `TASKS` and `PART_TASKS` to a `waiting_task`, and a training step."""
    run = RunConfig(model=config, pixels=PixelConfig(), dequantization=dequantization)
    images_distribution = build_distribution(run, seed=0, execution=execution)
    model = images_distribution.distribution
    pixels = tf.cast(
        tf.random.stateless_uniform(
            [batch_size, *config.image_shape], [0, 1], maxval=256, dtype=tf.int32
        ),
        tf.uint8,
    )
    images_distribution.initialize(pixels, seed=0)
    images = images_distribution.dequantize(pixels, seed=0)
    optimizer = FusedAdamax(8e-4)
    optimizer.build(images_distribution.trainable_variables)
    trainer = DensityTrainer(images_distribution)
    trainer.compile(optimizer=optimizer, jit_compile=with_xla)
    examples, of_class = pixels, {}
    if config.num_classes is not None:
        of_class = {"label": tf.range(batch_size) % config.num_classes}
        examples = (pixels, of_class["label"])

    def train_step():
        return trainer.train_step(examples)["bits_per_dim"]

    return {
        "train_step": waiting_task(train_step),
        "log_prob": waiting_task(lambda: model.log_prob(images, **of_class), with_xla),
        "sample": waiting_task(lambda: model.sample(batch_size, seed=0, **of_class), with_xla),
        **part_tasks(model, images, with_xla, **of_class),
    }, train_step


def _convolution_task():
    """One 3x3 convolution on all cores: with one thread an operation, parts of the batch."""
    maps = tf.random.stateless_normal(_PEAK_SHAPE, [0, 1])
    kernel = tf.random.stateless_normal(_PEAK_KERNEL, [0, 2])

    def convolve(part):
        # One number of each part is waited for: copying all would count as convolution.
        return tf.nn.conv2d(part, kernel, strides=1, padding="SAME")[:1, 0, 0, 0]

    return waiting_task(lambda: in_batch_parts(convolve, maps))


def _peak_memory():
    """Greatest resident memory of this process so far, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0
