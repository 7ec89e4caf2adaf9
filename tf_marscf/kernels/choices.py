"""Which kernel runs where: every choice between fast ways that depends on the device.

The other modules of this folder ask here; their callers do not. What a choice goes by is one of the
`DeviceCosts` below. `bin/benchmark.py kernels` measures all candidates on the machine at hand.

All candidates compute the same. What may not be chosen, such as Fourier products in half precision,
is no candidate.
"""

import contextlib
import contextvars
import dataclasses
import types
from typing import NamedTuple

from tf_marscf.kernels import devices

# TensorFlow is imported where it is needed: commands ask for threads before it may start.

# Each choice, and what there is to choose from.
CANDIDATES = {
    "step_convolution": ("direct", "spectral"),
    "single_step_convolution": ("direct", "spectral", "compact"),
    "channel_convolutions": ("image", "dense", "gathered"),
    "loop": ("compiled", "plain"),
    "batch": ("whole", "parts"),
    "layers": ("looped", "single"),
}


@dataclasses.dataclass(frozen=True)
class DeviceCosts:
    """What the choices go by, on one kind of device.

    Attributes:
        spectral: the time of an operation of a spectral convolution, in the time of one of a direct
            convolution, both counted as sums of products.
        max_direct_maps: the most maps for which single steps are convolved directly, where XLA has
            a fast convolution: in float32, of maps as large as the kernel.
        max_compact_maps: the most maps for which spectral kernels of single steps are compact.
        max_dense_pixels: the most pixels of maps for which convolutions between a group of channels
            and the ConvLSTM are products with dense matrices.
        compiles_graphs: whether XLA compiles what trains, scores and samples, if nobody says.
        compiles_loops: whether XLA compiles the loops of samples.
        splits_batches: whether operations of one thread run side by side, each on its part.
        min_looped_layers: the fewest layers that are a loop in a graph.
    """

    spectral: float
    max_direct_maps: int
    max_compact_maps: int
    max_dense_pixels: int
    compiles_graphs: bool
    compiles_loops: bool
    splits_batches: bool
    min_looped_layers: int


# Measured on two cores: docs/experiments.md, "Speed on two CPU cores". More were not at hand.
CPU = DeviceCosts(
    # An operation of many small matrix products takes longer than one of a large convolution.
    spectral=1.5,
    # A spectral kernel has a matrix a frequency: to prepare and to read it takes longer than all
    # products of one map. Compact steps took 1.2 to 2.1 times as long as direct ones; those of four
    # 8x8 maps 0.7 times. Of a kernel larger than the maps, direct steps took ten times as long.
    max_direct_maps=1,
    # So few maps take less time to multiply than their kernel takes to read: steps of 4 maps became
    # faster by a third, those of 32 slower by a fifth.
    max_compact_maps=8,
    # 8x8 maps. A dense matrix grows with the square of the pixels: not measured beyond.
    max_dense_pixels=64,
    # XLA is no match for TensorFlow's convolutions and their gradients there.
    compiles_graphs=False,
    # A sample in 0.121 instead of 0.155 seconds: TensorFlow's threads meet after each operation.
    compiles_loops=True,
    # A sample in 0.096 instead of 0.162 seconds, with one thread an operation.
    splits_batches=True,
    # A loop of ten layers is as fast, and a tenth of the nodes. Of two it would save little.
    min_looped_layers=3,
)

# Counted, not measured: no GPU was at hand. An operation takes some microseconds to launch whatever
# its size. In three of them an H100 (67 TFLOP/s of float32 and 3.35 TB/s by its data sheet) adds up
# 10^8 products: half of a step of a layer with 5x5 kernels, on 8x8 maps of 16 images. So few
# operations win.
GPU = DeviceCosts(
    # cuDNN may filter by Winograd's algorithms, with 36 of 100 products of a 5x5 kernel and 16 of
    # 36 of a 3x3 one: 2.8 times as fast as counted. What remains is 5x5 kernels on small maps: 4.4
    # times less work on 8x8 ones. That a spectral convolution is three launches is not counted.
    spectral=2.8,
    # Not counted: what is chosen for all steps is, for single ones.
    max_direct_maps=0,
    # Compact kernels are rearranged before and after their product, two launches more, and save
    # half of a kernel to read: 3.4 MB of 8x8 maps and 5x5 kernels, one microsecond.
    max_compact_maps=0,
    # A matrix has 3 C entries for each pair of pixels: 6 MB of 128 pixels with C = 32, two
    # microseconds to read, less than what gathering neighbours would take to launch.
    max_dense_pixels=128,
    # XLA fuses what is element-wise, and launches less.
    compiles_graphs=True,
    # As for graphs: TensorFlow would launch each operation of each step.
    compiles_loops=True,
    # TensorFlow runs the operations of one GPU one after another.
    splits_batches=False,
    # As on CPUs: it saves time to trace and to compile.
    min_looped_layers=3,
)

# More cores than a model's independent operations would keep busy, such as those of the layers of a
# ConvLSTM. A guess: it was measured on two cores.
MAX_CORES_FOR_ONE_THREAD = 4


def device_costs():
    """The `DeviceCosts` of the device at hand: of a GPU where TensorFlow sees one."""
    return GPU if devices.has_gpu() else CPU


def default_intra_op_threads():
    """The threads of an operation where nobody says how many; 0: TensorFlow's choice, all cores.

    Beside a GPU, too: the CPU reads the data there.
    """
    return 1 if devices.num_cores() <= MAX_CORES_FOR_ONE_THREAD else 0


def step_convolution(direct, spectral, dtype):
    """How a ConvLSTM convolves all steps: "direct" or "spectral", whichever takes less time.

    Args:
        direct: products that a direct convolution adds up for one map.
        spectral: those of a spectral convolution.
        dtype: of the maps.
    """
    is_spectral = not _is_coarse(dtype) and device_costs().spectral * spectral < direct
    possible = ("direct",) if _is_coarse(dtype) else ("direct", "spectral")
    return _chosen("step_convolution", possible, "spectral" if is_spectral else "direct")


def single_step_convolution(of_all_steps, num_maps, dtype, kernel_fits):
    """How it convolves single steps, of a sample: "direct", "spectral" or "compact".

    Args:
        of_all_steps: the choice for all steps.
        num_maps: of a step, one a phase of an image; or None: not known while a graph is traced.
        dtype: of the maps.
        kernel_fits: whether the kernel is no larger than the maps. XLA computes others, as those in
            float64, by plain loops.
    """
    import tensorflow as tf

    costs, choice = device_costs(), of_all_steps
    if num_maps and of_all_steps == "spectral":
        is_fast = kernel_fits and tf.as_dtype(dtype) == tf.float32
        if is_fast and num_maps <= costs.max_direct_maps:
            choice = "direct"
        elif num_maps <= costs.max_compact_maps:
            choice = "compact"
    possible = ["direct"]
    if of_all_steps == "spectral" or not _is_coarse(dtype):
        possible += ["spectral", "compact"]
    return _chosen("single_step_convolution", possible, choice)


def channel_convolutions(num_pixels, num_phases, is_direct):
    """How the channels of a step are convolved, in the layout of the ConvLSTM's maps.

    Args:
        num_pixels: of an image.
        num_phases: d, of d * d in an image.
        is_direct: whether the ConvLSTM's convolutions are.

    Returns:
        "image", which direct ones take; else "dense" or "gathered".
    """
    if is_direct:
        return _chosen("channel_convolutions", ("image",), "image")
    if num_phases > 1:
        return _chosen("channel_convolutions", ("gathered",), "gathered")
    is_dense = num_pixels <= device_costs().max_dense_pixels
    choice = "dense" if is_dense else "gathered"
    return _chosen("channel_convolutions", ("dense", "gathered"), choice)


def is_compiled(jit_compile):
    """Whether XLA compiles a graph, as `CompilationConfig.jit_compile` says.

    "auto" is what the device's costs say, and False while somebody watches: XLA lacks those
    operations.
    """
    if jit_compile != "auto":
        return jit_compile
    return device_costs().compiles_graphs and not devices.is_watched()


def compiles_loop():
    """Whether XLA compiles the loop of a sample. It can while a graph is traced."""
    import tensorflow as tf

    # XLA does not have the operations with which somebody watches.
    if tf.executing_eagerly() or devices.is_watched():
        return False
    choice = "compiled" if device_costs().compiles_loops else "plain"
    return _chosen("loop", ("compiled", "plain"), choice) == "compiled"


def num_batch_parts(num_images):
    """Into how many parts a batch is split: as many as operations that run side by side.

    More than 1 only in graphs on CPUs, with one thread an operation.

    Args:
        num_images: of the batch, or None where it is not known while a graph is traced.
    """
    import tensorflow as tf

    if tf.executing_eagerly() or not device_costs().splits_batches:
        return 1
    num_parts = min(num_images or 1, devices.num_inter_op_threads())
    choice = "parts" if num_parts > 1 and devices.num_intra_op_threads() == 1 else "whole"
    possible = ("whole", "parts") if num_parts > 1 else ("whole",)
    return num_parts if _chosen("batch", possible, choice) == "parts" else 1


def loops_layers(num_layers):
    """Whether layers of one kind are one loop, which is traced once. Only graphs have loops."""
    import tensorflow as tf

    if tf.executing_eagerly():
        return False
    choice = "looped" if num_layers >= device_costs().min_looped_layers else "single"
    return _chosen("layers", ("looped", "single"), choice) == "looped"


def _is_coarse(dtype):
    """Whether products are too coarse for Fourier transforms: half precision, TensorFloat-32."""
    import tensorflow as tf

    dtype = tf.as_dtype(dtype)
    return dtype.size < 4 or (dtype == tf.float32 and devices.uses_tensor_float_32())


class Choice(NamedTuple):
    """A choice that was made: its name in `CANDIDATES`, what was possible, and what was chosen."""

    name: str
    possible: tuple
    chosen: str


# Of a thread and a block, not of the process.
_forced = contextvars.ContextVar("forced", default=types.MappingProxyType({}))
_notes = contextvars.ContextVar("notes", default=None)


@contextlib.contextmanager
def forced(**candidates):
    """Forces choices in a block of this thread; for tests and benchmarks.

    What is traced in the block keeps them. Where a candidate is not possible, asking is an error.

    Args:
        **candidates: a candidate for each of some choices, as of `CANDIDATES`.

    Raises:
        ValueError: if there is no such choice or candidate.
    """
    for name, candidate in candidates.items():
        if name not in CANDIDATES:
            raise ValueError(f"a choice must be one of {tuple(CANDIDATES)}; got {name!r}.")
        if candidate not in CANDIDATES[name]:
            raise ValueError(f"`{name}` must be one of {CANDIDATES[name]}; got {candidate!r}.")
    token = _forced.set(types.MappingProxyType({**_forced.get(), **candidates}))
    try:
        yield
    finally:
        _forced.reset(token)


@contextlib.contextmanager
def noted():
    """Yields a list to which each `Choice` is added that this thread makes in a block."""
    notes = []
    token = _notes.set(notes)
    try:
        yield notes
    finally:
        _notes.reset(token)


def _chosen(name, possible, choice):
    """The choice, or what is forced in its place."""
    choice = _forced.get().get(name, choice)
    if choice not in possible:
        raise ValueError(f"`{name}` must be one of {tuple(possible)} here; got {choice!r}.")
    notes = _notes.get()
    if notes is not None:
        notes.append(Choice(name, tuple(possible), choice))
    return choice
