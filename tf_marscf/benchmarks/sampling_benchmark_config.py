"""The arguments of the sampling benchmark, checked without TensorFlow."""

import dataclasses

from tf_marscf.benchmarks.comparison_config import ComparisonConfig
from tf_marscf.errors import InputError


@dataclasses.dataclass(frozen=True, kw_only=True)
class SamplingBenchmarkConfig(ComparisonConfig):
    """What `run_sampling_benchmark` measures.

    As in the paper, larger images get more levels: an N x N image has L = log2(N / smallest_map)
    of them, so that the last latent map has height and width `smallest_map`. 4 gives the published
    models, L = 3 for 32 x 32 and L = 4 for 64 x 64.

    Attributes:
        sizes: image heights N, each `smallest_map` times a power of two above 1.
        image_channels: channels of the images.
        smallest_map: height of the last latent map.
        batch_size: images a batch; 8 in the paper.
        num_repeats: timed batches of each model and size, at least 2.
        max_seconds: seconds that the timed batches of one model may take at one size: a slow model
            gets fewer repeats, and is skipped at a size, and at larger ones, where two batches are
            expected to take longer.

    Raises:
        ValueError: if a value is out of range, naming it.
    """

    sizes: tuple = (8, 16, 32, 64)
    image_channels: int = 3
    smallest_map: int = 4
    batch_size: int = 8
    num_repeats: int = 10
    max_seconds: float = 120.0

    def __post_init__(self):
        super().__post_init__()
        self._check_integers(image_channels=1, smallest_map=1, batch_size=1, num_repeats=2)
        self._check_positive("max_seconds")
        rule = "`sizes` must be smallest_map times powers of two above 1, each once"
        seen = ",".join(map(str, self.sizes))
        try:
            sizes = tuple(sorted(int(size) for size in self.sizes))
        except ValueError:
            raise InputError(f"{rule}; got {seen!r}.") from None
        is_right = all(size == self.smallest_map * 2 ** self.num_levels(size) for size in sizes)
        if not sizes or len(set(sizes)) < len(sizes) or not is_right:
            raise InputError(f"{rule}; got {seen!r}, smallest_map={self.smallest_map}.")
        object.__setattr__(self, "sizes", sizes)

    def num_levels(self, size):
        """L of the models for N x N images."""
        return max((size // self.smallest_map).bit_length() - 1, 1)
