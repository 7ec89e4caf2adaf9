"""Numbered samples of a model, batch after batch."""

import dataclasses

import numpy as np

from tf_marscf.distributions.labels import checked_label
from tf_marscf.errors import RunError, warn
from tf_marscf.sampling.sample_config import check_sampling_arguments
from tf_marscf.sampling.sample_graph import SampleGraph


@dataclasses.dataclass(frozen=True)
class SampleBatch:
    """Consecutive samples, less `num_non_finite` of which a value is NaN or infinite."""

    images: np.ndarray  # Grey levels, uint8 [n, H, W, C]; n may be 0.
    indices: np.ndarray  # The numbers of these samples, int64 [n].
    num_non_finite: int
    labels: np.ndarray = None  # Their classes, int32 [n], of a model with classes.


class SampleStream:
    """Samples 0, 1, 2, ... of a model: sample i is a function of (seed, i), and of nothing else.

        image_i = grey_levels(decode_noise(temperature * noise_i)),   noise_i ~ Normal(0, 1)

    noise_i is drawn with the seed folded with i, one map a level. So neither the batch size nor the
    number of samples changes a sample (but for the rounding of float arithmetic, which may depend
    on the batch size), and many machines can each draw a part of the samples.

    A flow that is not trained well can send noise beyond all numbers. Such samples are counted and
    left out, never painted over.

    Args:
        images_distribution: a `Dequantized` of a `MarScf`; an attribute, too.
        seed, batch_size: as of `SampleConfig`; else `InputError`.
        label: of a model with classes, the class of all samples; None: sample i is one of class
            i mod num_classes.
        jit_compile: as of `CompilationConfig`.
    """

    def __init__(self, images_distribution, seed=0, batch_size=64, label=None, jit_compile="auto"):
        check_sampling_arguments(seed=seed, batch_size=batch_size, jit_compile=jit_compile)
        if label is not None:
            checked_label(label, images_distribution.num_classes, images_distribution.name)
        self._label = label
        self.images_distribution = images_distribution
        self._seed = seed
        self._batch_size = batch_size
        self._num_levels = len(images_distribution.distribution.levels)
        # Of one batch size always: the graph is traced once.
        self._draw = SampleGraph(images_distribution, batch_size, jit_compile)

    def batches(self, num_samples, first_index=0, temperature=1.0):
        """Yields samples `first_index` to `first_index + num_samples - 1`, as `SampleBatch`es.

        `temperature` scales their noise, all of it or, by one number a level, that of each level; 0
        gives the image of no noise.
        """
        check_sampling_arguments(
            num_samples=num_samples, first_index=first_index, temperature=temperature
        )
        seeds = [self._seed] * self._num_levels
        end = first_index + num_samples
        for start in range(first_index, end, self._batch_size):
            indices = np.arange(start, start + self._batch_size)
            # Numbers beyond the last are drawn and dropped.
            labels = self._labels(indices)
            images, is_finite = self._draw(seeds, np.minimum(indices, end - 1), temperature, labels)
            is_kept = is_finite & (indices < end)
            yield SampleBatch(
                images=images[is_kept],
                indices=indices[is_kept],
                num_non_finite=min(self._batch_size, end - start) - int(is_kept.sum()),
                labels=None if labels is None else labels[is_kept],
            )

    def _labels(self, indices):
        """The classes of samples, int32 [n]; None for a model without classes."""
        num_classes = self.images_distribution.num_classes
        if num_classes is None:
            return None
        labels = (
            indices % num_classes if self._label is None else np.full(len(indices), self._label)
        )
        return labels.astype(np.int32)

    def draw(self, num_samples, temperature=1.0, report=warn):
        """Samples 0 to `num_samples - 1`, uint8 [n, H, W, C].

        n is `num_samples` less those that are not finite, of which `report` is told; `RunError` if
        none is finite.
        """
        return self.draw_batch(num_samples, temperature, report).images

    def draw_batch(self, num_samples, temperature=1.0, report=warn):
        """As `draw`, a `SampleBatch`."""
        batch = joined(self.batches(num_samples, temperature=temperature))
        check_num_finite(len(batch.images), num_samples, report)
        return batch


def joined(batches):
    """One `SampleBatch` of several."""
    batches = list(batches)
    labels = [batch.labels for batch in batches]
    return SampleBatch(
        images=np.concatenate([batch.images for batch in batches]),
        indices=np.concatenate([batch.indices for batch in batches]),
        num_non_finite=sum(batch.num_non_finite for batch in batches),
        labels=None if labels[0] is None else np.concatenate(labels),
    )


def draw_samples(
    images_distribution, num_samples, seed=0, temperature=1.0, batch_size=64, report=warn
):
    """The `SampleStream.draw` of a new stream, with its arguments."""
    check_sampling_arguments(num_samples=num_samples, batch_size=batch_size)
    stream = SampleStream(images_distribution, seed, min(batch_size, num_samples))
    return stream.draw(num_samples, temperature, report)


def check_num_finite(num_finite, num_samples, report=warn):
    """Reports that some samples are not finite, and were left out; `RunError` if all are."""
    if num_finite == 0:
        raise RunError(f"none of {num_samples} samples is finite.")
    if num_finite < num_samples:
        report(f"{num_samples - num_finite} of {num_samples} samples are not finite, and left out.")
