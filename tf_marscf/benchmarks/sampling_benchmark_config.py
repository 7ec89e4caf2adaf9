"""The arguments of the sampling benchmark, checked without TensorFlow."""

import dataclasses

from tf_marscf.benchmarks.comparison_config import ComparisonConfig
from tf_marscf.config_fields import integer, number, sequence
from tf_marscf.errors import InputError


@dataclasses.dataclass(frozen=True, kw_only=True)
class SamplingBenchmarkConfig(ComparisonConfig):
    """What `run_sampling_benchmark` measures.

    As in the paper, larger images get more levels: an N x N image has L = log2(N / smallest_map)
    of them, so that the last latent map has height and width `smallest_map`. 4 gives the published
    models, L = 3 for 32 x 32 and L = 4 for 64 x 64.
    """

    sizes: tuple = sequence(
        (8, 16, 32, 64),
        "Heights N of the N x N images, each smallest_map times a power of two above 1.",
    )
    image_channels: int = integer(3, "Channels of the images.")
    smallest_map: int = integer(4, "Height of the last latent map: L = log2(N / smallest_map).")
    batch_size: int = integer(8, "Samples a batch; 8 in the paper.")
    num_repeats: int = integer(
        10, "Timed batches of each model and size, interleaved; at least 2.", least=2
    )
    max_seconds: float = number(
        120.0,
        "Seconds that the timed batches of one model may take at one size: a slow model gets fewer "
        "repeats, and is skipped at a size, and at larger ones, where two batches are expected to "
        "take longer.",
        above=0,
    )

    def __post_init__(self):
        super().__post_init__()
        rule = "`sizes` must be smallest_map times powers of two above 1, each once"
        seen = ",".join(map(str, self.sizes))
        try:
            sizes = tuple(sorted(int(size) for size in self.sizes))
        except ValueError:
            raise InputError(f"{rule}; got {seen!r}.") from None
        is_right = all(size == self.smallest_map * 2 ** self.num_levels(size) for size in sizes)
        if not sizes or len(set(sizes)) < len(sizes) or not is_right:
            raise InputError(f"{rule}; got {seen!r}, smallest_map={self.smallest_map}.")
        self._set("sizes", sizes)

    def num_levels(self, size):
        """L of the models for N x N images."""
        return max((size // self.smallest_map).bit_length() - 1, 1)
