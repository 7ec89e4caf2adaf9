"""What a model is, and how it computes: four configs, checked once.

`MarScfConfig` and `DequantizationConfig` are saved with the weights, and part of their digest.
`ExecutionConfig` and `CompilationConfig` change what a computation costs and its last digits: the
same weights serve either way.
"""

import dataclasses
import math
import numbers

from tf_marscf import rules
from tf_marscf.config_fields import (
    REQUIRED,
    Config,
    boolean,
    choice,
    integer,
    integer_by_level,
    integers,
    number,
    switch,
)
from tf_marscf.errors import InputError
from tf_marscf.model_size import MAX_LEVELS, check_model_size

# By level, as published; the last entry serves all further levels.
_PUBLISHED_KERNEL_SIZES = (5, 5, 3)
_PUBLISHED_DILATIONS = (2, 1)
COUPLINGS = ("affine", "mixlogcdf", "residual")
DEQUANTIZATIONS = ("uniform", "variational")
# Of log-scales: less leaves no scales, and with more their squares could leave float32.
_LEAST_BOUND, _GREATEST_BOUND = 0.01, 40.0
_DEQUANTIZER_DEFAULTS = {"dequantizer_num_steps": 4, "dequantizer_hidden_channels": 32}


@dataclasses.dataclass(frozen=True, kw_only=True)
class ExecutionConfig(Config):
    """How a `MarScf` computes what its architecture and weights say."""

    network_dtype: str = choice(
        None,
        ["bfloat16"],
        "The networks of a density compute in it; weights, latents, log-dets, priors and samples "
        "stay in float32. None: all in the model's dtype.",
        rule="one of (None, 'bfloat16')",
    )
    recompute_prior: bool = boolean(
        False,
        "Gradients run the ConvLSTM once more instead of keeping what it computed: memory is free "
        "between the two passes, no less is needed within the second.",
    )
    recompute_couplings: bool = boolean(
        True,
        "Gradients run each block of a MixLogCDF coupling's network once more: only what goes from "
        "block to block is kept. False takes more memory, and a little less time.",
    )

    def check_dtype(self, dtype):
        """Raises `InputError` if a model of a dtype cannot compute so."""
        if self.network_dtype is not None and dtype != "float32":
            raise InputError(
                "`network_dtype` must be None unless `dtype` is 'float32'; got "
                f"network_dtype={self.network_dtype!r}, dtype={dtype!r}."
            )


@dataclasses.dataclass(frozen=True, kw_only=True)
class CompilationConfig(Config):
    """Whether XLA compiles what trains, scores and samples."""

    jit_compile: bool | str = switch(
        "auto",
        "Compile with XLA what trains, scores and samples, once for each size of a batch, when it "
        "is first needed. auto: where there is a GPU; on CPUs, XLA is slower.",
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class DequantizationConfig(Config):
    """The noise that makes grey levels continuous; see `VariationalDequantizer`."""

    dequantization: str = choice(
        "uniform",
        DEQUANTIZATIONS,
        "Noise within each grey level: uniform, or drawn from a flow that is trained with the "
        "model, for a tighter bound.",
    )
    dequantizer_num_steps: int = integer(
        None, "Steps of that flow; default: 4. Variational only.", num_bits=31
    )
    dequantizer_hidden_channels: int = integer(
        None, "Channels of its networks; default: 32. Variational only.", num_bits=31
    )

    def __post_init__(self):
        super().__post_init__()
        for name, default in _DEQUANTIZER_DEFAULTS.items():
            value = getattr(self, name)
            if self.dequantization == "variational":
                self._set(name, default if value is None else value)
            elif value is not None:
                raise InputError(
                    f"`{name}` must not be given with dequantization={self.dequantization!r}, "
                    f"where it has no effect; got {value!r}."
                )


@dataclasses.dataclass(frozen=True, kw_only=True)
class MarScfConfig(Config):
    """The architecture of a `MarScf`, as data.

    Models that no machine could build are refused, before anything is allocated: see
    `model_size.py`.
    """

    image_shape: tuple = integers(
        REQUIRED, "(H, W, C), H and W divisible by 2^num_levels.", length=3
    )
    num_levels: int = integer(3, "L, levels of the flow.", num_bits=31)
    num_steps: int = integer(32, "K, steps of flow a level.", num_bits=31)
    hidden_channels: int = integer(512, "C, channels of the couplings' networks.", num_bits=31)
    coupling: str = choice(
        "affine",
        COUPLINGS,
        "The coupling of a step, or, in its place, an invertible residual block.",
    )
    prior: str = choice("mar", ("mar", "gaussian"), "mAR, or gaussian for the prior of Glow.")
    prior_network: str = choice(
        "conv_lstm",
        ("conv_lstm", "causal"),
        "What reads the channels before one in a mAR prior: the paper's ConvLSTM, or masked "
        "convolutions, which cost a small part of it.",
    )
    prior_channels_per_step: int = integer(
        1,
        "g, channels of l that one step of a mAR prior gives: a divisor of all levels' channels. "
        "Steps fall by g, of densities and of samples.",
        num_bits=31,
    )
    prior_start: str = choice(
        "random",
        ("random", "gaussian"),
        "Of a prior's ConvLSTM. random, as published; gaussian: its output starts at zero, and is "
        "added to the mean and log-scale of Glow's prior.",
    )
    prior_family: str = choice(
        "normal",
        ("normal", "logistic"),
        "Of each element in a mAR prior, given those before it: normal, as published, or logistic, "
        "whose tails are heavier.",
    )
    prior_hidden_channels: int = integer(
        32, "Channels of the prior's ConvLSTM, or features of each step.", num_bits=31
    )
    prior_num_layers: int = integer(
        3,
        "Layers of the prior's ConvLSTM, or of its features. A causal prior may have 0: it is "
        "linear in the channels before.",
        least=0,
        num_bits=31,
    )
    prior_kernel_sizes: tuple = integer_by_level(
        None, "Odd integers, one a level, or one for all. Default: 5, 5, 3, 3, ..."
    )
    prior_dilations: tuple = integer_by_level(
        None, "Integers, one a level, or one for all. Default: 2, 1, 1, ..."
    )
    prior_code_channels: int = integer(
        4, "Channels to which r_i is coded for the prior.", num_bits=31, flag=False
    )
    prior_code_hidden_channels: int = integer(
        32, "Channels inside that code's network.", num_bits=31, flag=False
    )
    num_blocks: int = integer(10, "Blocks of a MixLogCDF coupling's network.", num_bits=31)
    num_components: int = integer(32, "Components of a MixLogCDF coupling's mixtures.", num_bits=31)
    num_heads: int = integer(4, "Attention heads of a MixLogCDF coupling's network.", num_bits=31)
    dropout_rate: float = number(
        0.2, "Dropout of a MixLogCDF coupling's network, while training.", least=0, below=1
    )
    residual_coefficient: float = number(
        0.9,
        "c of a residual block: its network's Lipschitz constant is at most that. Near 1, series "
        "and inverses take long.",
        above=0,
        below=1,
        rule="a number above 0 and below 1",
    )
    residual_num_terms: int = integer(
        60, "Terms of the series for a residual block's log-det in evaluation.", num_bits=31
    )
    residual_num_probes: int = integer(
        2, "Random vectors with which such a series estimates traces.", num_bits=31
    )
    num_classes: int = integer(
        None,
        "Classes of the images: the priors depend on an image's label, an integer below it. "
        "Default: a model without classes.",
        least=2,
        num_bits=31,
    )
    max_log_scale: float = number(
        None,
        "M: log-scales of couplings become M tanh(log_scale / M), so that samples stay finite. "
        "Default: no bound, as published.",
        least=_LEAST_BOUND,
        below=_GREATEST_BOUND,
    )
    prior_max_log_scale: float = number(
        None,
        "The same for log-scales of priors, which smooth images need to be low. Default: no bound, "
        "as published, but 4 for causal priors.",
        least=_LEAST_BOUND,
        below=_GREATEST_BOUND,
    )
    dtype: str = choice("float32", ("float32", "float64"), "Of weights and densities.", flag=False)

    def __post_init__(self):
        super().__post_init__()
        if self.num_levels > MAX_LEVELS:
            raise InputError(f"`num_levels` must be at most {MAX_LEVELS}; got {self.num_levels}.")
        divisor = 2**self.num_levels
        for axis, size in zip(("height", "width"), self.image_shape[:2], strict=True):
            if size % divisor:
                raise InputError(
                    f"`image_shape` must have a {axis} divisible by 2^num_levels = {divisor}; got "
                    f"image_shape={self.image_shape}, num_levels={self.num_levels}."
                )
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
        if self.coupling == "mixlogcdf" and self.hidden_channels % self.num_heads:
            raise InputError(
                "`hidden_channels` must be a multiple of `num_heads` for mixlogcdf couplings; got "
                f"hidden_channels={self.hidden_channels}, num_heads={self.num_heads}."
            )
        if self.prior_num_layers == 0 and self.prior == "mar" and self.prior_network != "causal":
            raise InputError(
                "`prior_num_layers` must be an integer >= 1 unless prior_network='causal'; got 0, "
                f"prior_network={self.prior_network!r}."
            )
        self._check_channels_per_step()
        check_model_size(self)

    def check_network_dtype(self, network_dtype):
        """Raises `InputError` if the couplings cannot compute in another dtype than the model's."""
        if network_dtype is not None and self.coupling == "residual":
            raise InputError(
                "`network_dtype` must be None with coupling='residual', whose inverse needs all "
                f"digits; got {network_dtype!r}."
            )

    def _check_channels_per_step(self):
        """Raises `InputError` if a step's channels do not divide those of some level."""
        for level, channels in enumerate(self.channels_per_level, start=1):
            if self.prior == "mar" and channels % self.prior_channels_per_step:
                raise InputError(
                    "`prior_channels_per_step` must divide the channels of each level; level "
                    f"{level} of image_shape={self.image_shape} has {channels}; got "
                    f"{self.prior_channels_per_step}."
                )

    def _set_by_level(self, name, default):
        """Fills in one integer a level."""
        values = getattr(self, name)
        if values is None:
            values = default + default[-1:] * max(self.num_levels - len(default), 0)
            values = values[: self.num_levels]
        if isinstance(values, numbers.Integral) and not isinstance(values, bool):
            values = (values,) * self.num_levels
        self._set(name, rules.integers(self.num_levels)(values, f"`{name}`"))

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
        if self.prior == "gaussian":
            return self.num_levels
        return sum(self.channels_per_level) // self.prior_channels_per_step

    @property
    def has_gaussian_start(self):
        """Whether the priors are mAR ones that start as Glow's: all causal ones do."""
        is_gaussian = self.prior_network == "causal" or self.prior_start == "gaussian"
        return self.prior == "mar" and is_gaussian

    def check_gaussian_start(self, name, value):
        """Raises `InputError` if a phase that priors start with, of an argument, cannot be."""
        if not self.has_gaussian_start:
            raise InputError(
                f"`{name}` must not be given unless mAR priors start as Glow's: prior_start="
                f"'gaussian' or prior_network='causal'; got {value}, prior={self.prior!r}, "
                f"prior_network={self.prior_network!r}, prior_start={self.prior_start!r}."
            )

    def latent_shape(self, level):
        """(H, W, C) of what the prior of a level, counted from 0, scores."""
        scale = 2 ** (level + 1)
        height, width, _ = self.image_shape
        return (height // scale, width // scale, self.channels_per_level[level])


def check_model_options(options):
    """Checks arguments of `MarScfConfig` before the data set, and so the image shape, is known."""
    # No smaller image has so many levels; a number that is out of range is refused for itself.
    num_levels = options.get("num_levels", MarScfConfig.num_levels)
    is_known = isinstance(num_levels, numbers.Integral) and 1 <= num_levels <= MAX_LEVELS
    size = 2 ** int(num_levels) if is_known else 1
    # The fewest channels of an image with which those of a step divide those of each level.
    per_step = options.get("prior_channels_per_step", 1)
    is_known = isinstance(per_step, numbers.Integral) and 1 <= per_step < 2**31
    channels = int(per_step) // math.gcd(per_step, 2) if is_known else 1
    options = {name: value for name, value in options.items() if name != "prior_dilations"}
    MarScfConfig(image_shape=(size, size, channels), **options)  # Dilations have an image's limit.
