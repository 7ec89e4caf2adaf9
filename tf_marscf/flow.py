"""The mAR-SCF model as a distribution."""

import tensorflow as tf

from tf_marscf.bijectors import FlowStep, ImageChain, Squeeze
from tf_marscf.bijectors.constant_channels import ConstantChannels, check_statistics
from tf_marscf.config import ExecutionConfig, MarScfConfig
from tf_marscf.config_fields import bound_arguments, config_from, takes_fields
from tf_marscf.distributions import (
    ClassConditionalPrior,
    FlowLevel,
    GaussianPrior,
    MarPrior,
    SplitPrior,
)
from tf_marscf.distributions.image_distribution import check_value, no_parameter_properties
from tf_marscf.kernels.tensor_float_32 import warn_of_tensor_float_32
from tf_marscf.networks.initializers import spawn_seeds

# K of the published MixLogCDF models.
_WELL_CONDITIONED_STEPS = 4


@takes_fields(MarScfConfig, ExecutionConfig, seed=None, validate_args=False, name="MarScf")
class MarScf(FlowLevel):
    """Normalizing flow with a multi-scale autoregressive prior, over continuous images.

    Level i squeezes its input, runs K steps of flow and splits the result into (r_i, l_i); r_i goes
    on to level i + 1 (mAR-SCF, CVPR 2020, Section 3):

        log p(x) = sum_{i < L} log p(l_i | r_i) + log p(h_L) + sum of log-dets      in nats

    It is a `tfd.TransformedDistribution`: `bijector` is the inverse of level 1, `distribution` the
    rest of the recursion. Images are [..., H, W, C], any leading shape; `log_prob` takes a
    `dropout_seed` ([2] integer tensor) that turns on what is random while training, `sample` a
    `temperature`, a number or one a level, that scales the prior's noise. With `num_classes`, both
    need a `label`, int32 or int64, one an image or one for all: each prior is a
    `ClassConditionalPrior`, and all densities are log p(x | y). New ActNorm layers are the
    identity: call `initialize` with a batch before training. Keras does not see the weights of a
    distribution that a layer or model holds: give it a `tf_marscf.DensityLayer` around this
    instead.

    On GPUs since Ampere, TensorFlow computes float32 products in TensorFloat-32, with 10 bits of
    mantissa, unless `tf.config.experimental.enable_tensor_float_32_execution(False)` is called,
    before anything is traced. The networks follow that switch; 1x1 convolutions, which are
    inverted, are exact either way. A new model warns (`TensorFloat32Warning`) where it is on.

    Example:
        >>> import tf_marscf
        >>> model = tf_marscf.MarScf((8, 8, 1), num_levels=2, num_steps=1, hidden_channels=8)
        >>> model.log_prob(model.sample(3, seed=1)).shape
        TensorShape([3])

    Args:
        {fields}
        seed: Python `int` or None, seed of the initial weights.
        validate_args: Python `bool`: check at run time that images are finite.
        name: Python `str`.

    Raises:
        TypeError, ValueError: on bad arguments, naming argument, rule and value.
    """

    _parameter_properties = no_parameter_properties

    def __init__(self, *args, **kwargs):
        parameters = bound_arguments(MarScf, args, kwargs)
        seed, validate_args, name = (parameters[key] for key in ("seed", "validate_args", "name"))
        fields = parameters | {"dtype": _dtype_name(parameters["dtype"])}
        self._config = config_from(MarScfConfig, fields)
        self._execution = config_from(ExecutionConfig, fields)
        self._execution.check_dtype(self._config.dtype)
        self._config.check_network_dtype(self._execution.network_dtype)
        warn_of_tensor_float_32(self._config.dtype)
        with tf.name_scope(name) as name:
            distribution, bijector = _build_levels(
                self._config, self._execution, seed, validate_args
            )
            super().__init__(
                distribution,
                bijector,
                validate_args=validate_args,
                parameters=parameters,
                name=name,
            )

    @classmethod
    def from_config(cls, config, seed=None, validate_args=False, name="MarScf", execution=None):
        """Builds a model.

        Args:
            config: a `MarScfConfig`, or a dict as of `get_config`.
            seed: Python `int` or None, seed of the initial weights.
            validate_args: Python `bool`.
            name: Python `str`.
            execution: an `ExecutionConfig`; default: what the dict says of it, or else the default.
        """
        options = config.to_dict() if isinstance(config, MarScfConfig) else dict(config)
        if execution is not None:
            options |= execution.to_dict()
        return cls(**options, seed=seed, validate_args=validate_args, name=name)

    @property
    def config(self):
        """The frozen `MarScfConfig` of this model."""
        return self._config

    @property
    def execution(self):
        """The frozen `ExecutionConfig` of this model."""
        return self._execution

    def get_config(self):
        """The arguments that build such a model, a dict that JSON can hold.

        They are the architecture, and what of the execution is not the default.
        """
        return self._config.to_dict() | self._execution.changes()

    @property
    def channels_per_level(self):
        """Channels that each level's prior scores (Lemma A.1)."""
        return self._config.channels_per_level

    @property
    def num_sampling_steps(self):
        """Sequential steps of the prior for one sample (Lemma 4.1)."""
        return sum(level.latent_prior.num_sampling_steps for level in self.levels)

    def log_det_error_bound(self):
        """The most by which `log_prob` can be off because series are cut off, a scalar in nats.

        0 where no log-det is a series: only those of residual blocks are, of more than 64 values
        (`ResidualBlock.log_det_error_bound`). What traces are off by, which are estimates there, is
        not in it.
        """
        total = tf.zeros([], self.dtype)
        if self._config.coupling != "residual":
            return total
        for number, level in enumerate(self.levels):
            height, width, _ = self._config.latent_shape(number)
            num_dimensions = height * width * self._config.num_squeezed_channels(number)
            _, *steps = level.level_bijector.bijectors
            total += tf.add_n([step.coupling.log_det_error_bound(num_dimensions) for step in steps])
        return total

    def initialize(self, images):
        """Sets every ActNorm from a batch: the data-dependent initialisation.

        Each ActNorm, those inside coupling networks included, is set so that its output over the
        batch has zero mean and unit variance a channel, one layer after another. Call it once,
        with one (large) batch of training images, before training; it changes the density.

        Channels that are constant over the batch, as all are of one image at a level with maps of
        1x1 pixels, keep their scale, 1; a warning names their layers.

        Args:
            images: continuous images [N, H, W, C], N >= 1; some 32 or more give statistics.

        Raises:
            TypeError, ValueError: if dtype or shape are wrong, there is no image, or one is not
                finite.
        """
        rest = check_value(self, images, "images")
        check_statistics(rest, "images")
        constant_channels = ConstantChannels()
        for number, level in enumerate(self.levels, start=1):
            notes = constant_channels.within(f"level {number}")
            rest = level.level_bijector.initialize_and_note(rest, notes)
            if not level.is_last:
                rest, _ = tf.split(rest, 2, axis=-1)
        constant_channels.warn()


def _dtype_name(dtype):
    """The name of a dtype; what is none is left to `MarScfConfig`."""
    try:
        return tf.as_dtype(dtype).name
    except TypeError:
        return dtype


def _build_levels(config, execution, seed, validate_args):
    """The base distribution and the bijector of the first level."""
    num_levels = config.num_levels
    seeds = spawn_seeds(seed, 2 * num_levels)
    bijectors = [
        _build_level_bijector(config, execution, level, seeds[2 * level], validate_args)
        for level in range(num_levels)
    ]
    priors = [
        _build_prior(config, execution, level, seeds[2 * level + 1], validate_args)
        for level in range(num_levels)
    ]
    if config.num_classes is not None:
        priors = [
            ClassConditionalPrior(
                prior,
                config.num_classes,
                validate_args=validate_args,
                name=f"class_conditional_prior_{level + 1}",
            )
            for level, prior in enumerate(priors)
        ]
    distribution = priors[-1]
    for level in reversed(range(num_levels - 1)):
        rest = FlowLevel(
            distribution,
            bijectors[level + 1],
            validate_args=validate_args,
            name=f"level_{level + 2}",
        )
        distribution = SplitPrior(
            rest, priors[level], validate_args=validate_args, name=f"split_{level + 1}"
        )
    return distribution, bijectors[0]


def _build_level_bijector(config, execution, level, seed, validate_args):
    """Squeeze, then K steps of flow."""
    coupling_options = {"max_log_scale": config.max_log_scale}
    if config.coupling == "residual":
        coupling_options = {
            "coefficient": config.residual_coefficient,
            "num_terms": config.residual_num_terms,
            "num_probes": config.residual_num_probes,
        }
    if config.coupling == "mixlogcdf":
        coupling_options |= {
            "num_blocks": config.num_blocks,
            "num_components": config.num_components,
            "num_heads": config.num_heads,
            "dropout_rate": config.dropout_rate,
            "recompute": execution.recompute_couplings,
            # Each new coupling shrinks some directions. Of a long chain of them, as published, not
            # even float64 could find the inverse: 32 steps lose all digits.
            "output_initial_scale": min(1.0, _WELL_CONDITIONED_STEPS / config.num_steps),
        }
    common = {"dtype": config.dtype, "validate_args": validate_args}
    steps = [
        FlowStep(
            config.num_squeezed_channels(level),
            config.hidden_channels,
            config.coupling,
            coupling_options,
            network_dtype=execution.network_dtype,
            seed=step_seed,
            name=f"step_{step + 1}",
            **common,
        )
        for step, step_seed in enumerate(spawn_seeds(seed, config.num_steps))
    ]
    return ImageChain(
        [Squeeze(**common), *steps],
        validate_args=validate_args,
        name=f"level_{level + 1}_bijector",
    )


def _build_prior(config, execution, level, seed, validate_args):
    latent_shape = config.latent_shape(level)
    is_last = level == config.num_levels - 1
    common = {
        "event_shape": latent_shape,
        "num_conditional_channels": 0 if is_last else latent_shape[2],
        "max_log_scale": config.prior_max_log_scale,
        "dtype": config.dtype,
        "network_dtype": execution.network_dtype,
        "validate_args": validate_args,
    }
    if config.prior == "gaussian":
        return GaussianPrior(**common, name=f"gaussian_prior_{level + 1}")
    return MarPrior(
        **common,
        network=config.prior_network,
        hidden_channels=config.prior_hidden_channels,
        num_layers=config.prior_num_layers,
        kernel_size=config.prior_kernel_sizes[level],
        dilation=config.prior_dilations[level],
        channels_per_step=config.prior_channels_per_step,
        start=config.prior_start,
        family=config.prior_family,
        recompute=execution.recompute_prior,
        code_channels=config.prior_code_channels,
        code_hidden_channels=config.prior_code_hidden_channels,
        seed=seed,
        name=f"mar_prior_{level + 1}",
    )
