"""The architecture of a model, as data: checked once, saved with the weights."""

import dataclasses
import numbers

from tf_marscf.errors import InputError
from tf_marscf.model_size import MAX_LEVELS, check_model_size

COUPLINGS = ("affine", "mixlogcdf")
PRIORS = ("mar", "gaussian")
DTYPES = ("float32", "float64")
NETWORK_DTYPES = (None, "bfloat16")

# By level, as published; the last entry serves all further levels.
_PUBLISHED_KERNEL_SIZES = (5, 5, 3)
_PUBLISHED_DILATIONS = (2, 1)


@dataclasses.dataclass(frozen=True, kw_only=True)
class MarScfConfig:
    """What `MarScf` is built from; see there for each field.

    Models that no machine could build are refused, before anything is allocated: see
    `model_size.py`.

    Raises:
        TypeError, ValueError: from the constructor, naming field, rule and value seen.
    """

    image_shape: tuple
    num_levels: int = 3
    num_steps: int = 32
    hidden_channels: int = 512
    coupling: str = "affine"
    prior: str = "mar"
    prior_hidden_channels: int = 32
    prior_num_layers: int = 3
    prior_kernel_sizes: tuple = None
    prior_dilations: tuple = None
    prior_code_channels: int = 4
    prior_code_hidden_channels: int = 32
    num_blocks: int = 10
    num_components: int = 32
    num_heads: int = 4
    dropout_rate: float = 0.2
    dtype: str = "float32"
    network_dtype: str = None
    recompute_prior: bool = False
    recompute_couplings: bool = True

    def __post_init__(self):
        self._set("image_shape", _integers("image_shape", self.image_shape, length=3))
        for name in (
            "num_levels",
            "num_steps",
            "hidden_channels",
            "prior_hidden_channels",
            "prior_num_layers",
            "prior_code_channels",
            "prior_code_hidden_channels",
            "num_blocks",
            "num_components",
            "num_heads",
        ):
            self._set(name, _integer(name, getattr(self, name)))
        for name, choices in (
            ("coupling", COUPLINGS),
            ("prior", PRIORS),
            ("dtype", DTYPES),
            ("network_dtype", NETWORK_DTYPES),
        ):
            value = getattr(self, name)
            if not isinstance(value, str | None) or value not in choices:
                raise InputError(f"`{name}` must be one of {choices}; got {getattr(self, name)!r}.")
        if self.network_dtype is not None and self.dtype != "float32":
            raise InputError(
                "`network_dtype` must be None unless `dtype` is 'float32'; got "
                f"network_dtype={self.network_dtype!r}, dtype={self.dtype!r}."
            )
        for name in ("recompute_prior", "recompute_couplings"):
            if not isinstance(getattr(self, name), bool):
                raise InputError(f"`{name}` must be True or False; got {getattr(self, name)!r}.")
        if self.num_levels > MAX_LEVELS:
            raise InputError(f"`num_levels` must be at most {MAX_LEVELS}; got {self.num_levels}.")
        self._check_sizes()
        self._set_by_level("prior_kernel_sizes", _PUBLISHED_KERNEL_SIZES)
        self._set_by_level("prior_dilations", _PUBLISHED_DILATIONS)
        if any(size % 2 == 0 for size in self.prior_kernel_sizes):
            raise InputError(f"`prior_kernel_sizes` must be odd; got {self.prior_kernel_sizes}.")
        size = max(self.image_shape[:2])
        if max(self.prior_dilations) > size:
            raise InputError(
                f"`prior_dilations` must be at most the image's size, {size}; got "
                f"{self.prior_dilations}."
            )
        is_number = isinstance(self.dropout_rate, numbers.Real)
        if not is_number or isinstance(self.dropout_rate, bool) or not 0 <= self.dropout_rate < 1:
            raise InputError(f"`dropout_rate` must be in [0, 1); got {self.dropout_rate!r}.")
        if self.coupling == "mixlogcdf" and self.hidden_channels % self.num_heads:
            raise InputError(
                "`hidden_channels` must be a multiple of `num_heads` for mixlogcdf couplings; got "
                f"hidden_channels={self.hidden_channels}, num_heads={self.num_heads}."
            )
        check_model_size(self)

    def _set(self, name, value):
        object.__setattr__(self, name, value)

    def _set_by_level(self, name, default):
        """Fills in one integer a level."""
        values = getattr(self, name)
        if values is None:
            values = default + default[-1:] * max(self.num_levels - len(default), 0)
            values = values[: self.num_levels]
        if isinstance(values, numbers.Integral) and not isinstance(values, bool):
            values = (values,) * self.num_levels
        self._set(name, _integers(name, values, length=self.num_levels))

    def _check_sizes(self):
        divisor = 2**self.num_levels
        for axis, size in zip(("height", "width"), self.image_shape[:2], strict=True):
            if size % divisor:
                raise InputError(
                    f"`image_shape` must have a {axis} divisible by 2^num_levels = {divisor}; got "
                    f"image_shape={self.image_shape}, num_levels={self.num_levels}."
                )

    @property
    def channels_per_level(self):
        """Channels that each level's prior scores: Lemma A.1.

        `2^i C` at level i < L, and `2^(L + 1) C` at level L, for C image channels.
        """
        channels = self.image_shape[2]
        inner = [2**level * channels for level in range(1, self.num_levels)]
        return (*inner, 2 ** (self.num_levels + 1) * channels)

    def num_squeezed_channels(self, level):
        """Channels inside the bijectors of a level, counted from 0."""
        return 2 ** (level + 2) * self.image_shape[2]

    @property
    def num_sampling_steps(self):
        """Sequential steps of the prior for one sample: O(N) for N x N images (Lemma 4.1)."""
        return sum(self.channels_per_level) if self.prior == "mar" else self.num_levels

    def latent_shape(self, level):
        """(H, W, C) of what the prior of a level, counted from 0, scores."""
        scale = 2 ** (level + 1)
        height, width, _ = self.image_shape
        return (height // scale, width // scale, self.channels_per_level[level])

    def to_dict(self):
        """A dict that JSON can hold and `MarScfConfig(**dict)` takes."""
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in dataclasses.asdict(self).items()
        }


def _integer(name, value):
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < 1:
        raise InputError(f"`{name}` must be an integer >= 1; got {value!r}.")
    if value >= 2**31:
        raise InputError(f"`{name}` must be below 2^31; got {value!r}.")
    return int(value)


def _integers(name, values, length):
    try:
        integers = () if isinstance(values, str | bytes | dict) else tuple(values)
    except TypeError:
        integers = ()
    if len(integers) != length:
        raise InputError(f"`{name}` must be {length} integers >= 1; got {values!r}.")
    return tuple(_integer(name, value) for value in integers)
