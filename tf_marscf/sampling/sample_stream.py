"""Numbered samples of a model, batch after batch."""

import copy
import dataclasses
import math
import numbers

import numpy as np
import tensorflow as tf

from tf_marscf.errors import InputError, RunError, warn
from tf_marscf.stateless_seed import fold_in, split_seed, stateless_normal

_NUM_INDICES = 2**31 - 1  # TensorFlow's stateless seeds are pairs of int32.


@dataclasses.dataclass(frozen=True)
class SampleBatch:
    """Consecutive samples, less `num_non_finite` of which a value is NaN or infinite."""

    images: np.ndarray  # Grey levels, uint8 [n, H, W, C]; n may be 0.
    indices: np.ndarray  # The numbers of these samples, int64 [n].
    num_non_finite: int


class SampleStream:
    """Samples 0, 1, 2, ... of a model: sample i is a function of (seed, i), and of nothing else.

        image_i = grey_levels(decode_noise(temperature * noise_i)),   noise_i ~ Normal(0, 1)

    noise_i is drawn with the seed folded with i, one map a level. So neither the batch size nor the
    number of samples changes a sample (but for the rounding of float arithmetic, which may depend
    on the batch size), and many machines can each draw a part of the samples.

    A flow that is not trained well can send noise beyond all numbers. Such samples are counted and
    left out, never painted over.

    Args:
        images_distribution: a `Dequantized` of a `MarScf`.
        seed: Python `int` >= 0.
        temperature: scales the prior's noise; finite, >= 0. 0 gives the image of no noise.
        batch_size: samples drawn at a time; memory grows with it, and not with their number.

    Raises:
        InputError: if an argument is out of range.
    """

    def __init__(self, images_distribution, seed=0, temperature=1.0, batch_size=64):
        check_sampling_arguments(seed=seed, temperature=temperature, batch_size=batch_size)
        self._images_distribution = images_distribution
        self._seed = seed
        self._temperature = temperature
        self._batch_size = batch_size
        # Of one batch size always: the graph is traced once.
        self._draw = tf.function(
            self._draw_batch,
            input_signature=[
                tf.TensorSpec([batch_size], tf.int32),
                tf.TensorSpec([], images_distribution.distribution.dtype),
            ],
            autograph=False,
        )

    def at_temperature(self, temperature):
        """A `SampleStream` of the same noise at another temperature, with the same graph."""
        check_sampling_arguments(temperature=temperature)
        stream = copy.copy(self)
        stream._temperature = temperature
        return stream

    def batches(self, num_samples, first_index=0):
        """Draws samples `first_index` to `first_index + num_samples - 1`.

        Yields:
            `SampleBatch`es, in order.

        Raises:
            InputError: if an argument is out of range.
        """
        check_sampling_arguments(num_samples=num_samples, first_index=first_index)
        end = first_index + num_samples
        for start in range(first_index, end, self._batch_size):
            indices = np.arange(start, start + self._batch_size)
            # Numbers beyond the last are drawn and dropped.
            images, is_finite = self._draw(
                tf.constant(np.minimum(indices, end - 1), tf.int32),
                tf.constant(self._temperature, self._images_distribution.distribution.dtype),
            )
            is_kept = is_finite.numpy() & (indices < end)
            yield SampleBatch(
                images=images.numpy()[is_kept],
                indices=indices[is_kept],
                num_non_finite=min(self._batch_size, end - start) - int(is_kept.sum()),
            )

    def _draw_batch(self, indices, temperature):
        model = self._images_distribution.distribution
        shapes = [level.latent_prior.event_shape for level in model.levels]

        def noise_of(index):
            seeds = split_seed(fold_in(self._seed, index), len(shapes))
            return tuple(
                stateless_normal(shape, seed, model.dtype)
                for shape, seed in zip(shapes, seeds, strict=True)
            )

        noise = tf.map_fn(
            noise_of,
            indices,
            fn_output_signature=tuple(tf.TensorSpec(shape, model.dtype) for shape in shapes),
        )
        values = model.decode_noise([temperature * maps for maps in noise])
        is_finite = tf.reduce_all(tf.math.is_finite(values), axis=[1, 2, 3])
        return self._images_distribution.scaling.grey_levels(values), is_finite


def draw_samples(
    images_distribution, num_samples, seed=0, temperature=1.0, batch_size=64, report=warn
):
    """Draws samples 0 to `num_samples - 1` of a `SampleStream` into one array.

    Returns:
        uint8 [n, H, W, C] NumPy array; n is `num_samples` less those that are not finite, of which
        `report` is told.

    Raises:
        RunError: if no sample is finite.
        InputError: if an argument is out of range.
    """
    check_sampling_arguments(num_samples=num_samples, batch_size=batch_size)
    batch_size = min(batch_size, num_samples)
    stream = SampleStream(images_distribution, seed, temperature, batch_size)
    images = np.concatenate([batch.images for batch in stream.batches(num_samples)])
    check_num_finite(len(images), num_samples, report)
    return images


def check_num_finite(num_finite, num_samples, report=warn):
    """Reports that some samples are not finite, and were left out; `RunError` if all are."""
    if num_finite == 0:
        raise RunError(f"none of {num_samples} samples is finite.")
    if num_finite < num_samples:
        report(f"{num_samples - num_finite} of {num_samples} samples are not finite, and left out.")


def check_sampling_arguments(**arguments):
    """Checks arguments of a sampling call, before any model is built, or raises `InputError`.

    Any of `num_samples`, `batch_size` (integers >= 1), `seed`, `first_index` (integers >= 0) and
    `temperature` (finite, >= 0).
    """
    for name, value in arguments.items():
        if name == "temperature":
            is_number = isinstance(value, numbers.Real) and not isinstance(value, bool)
            if not is_number or not 0.0 <= value < math.inf:
                raise InputError(f"`{name}` must be finite and >= 0; got {value!r}.")
            continue
        minimum = 0 if name in ("seed", "first_index") else 1
        is_integer = isinstance(value, numbers.Integral) and not isinstance(value, bool)
        if not is_integer or value < minimum:
            raise InputError(f"`{name}` must be an integer >= {minimum}; got {value!r}.")
    last = arguments.get("first_index", 0) + arguments.get("num_samples", 0)
    if last > _NUM_INDICES:
        raise InputError(
            f"`first_index` + `num_samples` must be at most {_NUM_INDICES}; got {last}."
        )
