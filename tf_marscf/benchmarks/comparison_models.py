"""Models with about as many parameters behind one interface: this project's and TFP's.

`tfb.Glow` and `tfd.PixelCNN` of TFP 0.25 hold layers of tf_keras (Keras 2) and work with TensorFlow
2.21. What they need is done here and in `pixel_cnn_model.py`:

- TFP's bijector cache is keyed by the tensor. In eager mode, a value that was computed before a
  weight changed, or outside of a gradient tape, comes back as it was. `log_prob` must be called
  inside of a `tf.function`, or each time with a tensor of its own.
- `tfb.Glow` takes batches of statically known size only: with an unknown one its `Reshape` joins
  int32 and int64 sizes, and TensorFlow refuses ("Tensors in list passed to 'values' of 'ConcatV2'
  Op have types [int32, int64] that don't all match").
- ActNorm of `tfb.Glow` is set from the first batch that passes through it, in either direction:
  `initialize` must come first.
- `use_weight_norm` of `tfd.PixelCNN` "works only in Eager mode", and is off.
- Neither takes a seed for its initial weights; `tf_keras.utils.set_random_seed` sets them.
"""

import functools

import tensorflow as tf
import tensorflow_probability as tfp

from tf_marscf.benchmarks.comparison_model import ComparisonModel
from tf_marscf.benchmarks.model_kinds import MODEL_KINDS, MODEL_LABELS
from tf_marscf.benchmarks.pixel_cnn_model import TfpPixelCnnModel
from tf_marscf.config import DequantizationConfig
from tf_marscf.distributions import Dequantized, VariationalDequantizer
from tf_marscf.errors import InputError, warn
from tf_marscf.flow import MarScf
from tf_marscf.model_size import num_parameters

tfb, tfd = tfp.bijectors, tfp.distributions

_TOLERANCE = 0.1


class MarScfModel(ComparisonModel):
    """A `MarScf`, trained with dropout, as `bin/train.py` does.

    Args:
        config: a `MarScfConfig`.
        seed: of the initial weights, a dequantizer's too.
        dequantization: a `DequantizationConfig`; default: uniform noise.
        kind: a key of `MODEL_KINDS`; default: the config's prior.
    """

    def __init__(self, config, seed=0, dequantization=None, kind=None):
        model = MarScf.from_config(config, seed=seed)
        kind = kind or config.prior
        super().__init__(kind, model, config.hidden_channels, model.num_sampling_steps)
        self._seed = seed
        self._dequantization = dequantization or DequantizationConfig()

    def training_log_prob(self, images, dropout_seed):
        """As `log_prob`, while training."""
        return self.distribution.log_prob(images, dropout_seed=dropout_seed)

    def initialize(self, images):
        """Sets every ActNorm, those inside the couplings included."""
        self.distribution.initialize(images)

    def dequantized(self, num_grey_levels):
        """The `Dequantized` of the model, with its dequantizer, if any."""
        dequantizer = VariationalDequantizer.from_config(
            self._dequantization, tuple(self.distribution.event_shape), num_grey_levels, self._seed
        )
        return Dequantized(self.distribution, num_grey_levels, dequantizer=dequantizer)


class TfpGlowModel(ComparisonModel):
    """`tfb.Glow` with its default networks, on a standard normal base.

        x = glow(z),  z ~ Normal(0, 1)^(H W C)

    L is its `num_glow_blocks`, K its `num_steps_per_block`, the width `num_hidden` of its coupling
    networks; the seed is that of its 1x1 convolutions.
    """

    def __init__(self, image_shape, num_levels, num_steps, width, seed=0):
        glow = tfb.Glow(
            output_shape=tuple(image_shape),
            num_glow_blocks=num_levels,
            num_steps_per_block=num_steps,
            coupling_bijector_fn=functools.partial(tfb.GlowDefaultNetwork, num_hidden=width),
            exit_bijector_fn=tfb.GlowDefaultExitNetwork,
            seed=seed,
        )
        base = tfd.Sample(tfd.Normal(0.0, 1.0), glow.inverse_event_shape(image_shape))
        # Its exits draw one scale after another, as this project's Gaussian prior does.
        super().__init__("tfb_glow", tfd.TransformedDistribution(base, glow), width, num_levels)

    def initialize(self, images):
        """Sets its ActNorm bijectors, which is what its first pass does."""
        self.log_prob(tf.identity(images))


def matched_models(config, image_shape, num_levels, report=warn, num_grey_levels=256):
    """The models of a comparison, with about as many parameters as "mar" among them.

    Args:
        config: a `ComparisonConfig`.
        image_shape: (H, W, C).
        num_levels: L of all flows.
        report: called with a warning for a model whose nearest count is more than 10 % away, which
            happens where a narrow network can only grow by a large part of itself.
        num_grey_levels: n, of the images.

    Returns:
        A list of `ComparisonModel`, in the order of `config.models`.

    Raises:
        InputError: if the image shape does not suit a model.
    """
    target = num_parameters(config.mar_scf_config(image_shape, num_levels))
    models = []
    for kind in config.models:
        width = matched_width(kind, config, image_shape, num_levels)
        model = model_of_width(kind, width, config, image_shape, num_levels, num_grey_levels)
        report_other_count(
            MODEL_LABELS[kind], MODEL_LABELS["mar"], model.num_parameters, target, report
        )
        models.append(model)
    return models


def matched_width(kind, config, image_shape, num_levels):
    """The width at which a kind of model has about as many parameters as "mar" has.

    Arguments are those of `matched_models`; those of learned noise, which no sample needs, are not
    counted.
    """
    if kind == "mar":
        return config.hidden_channels
    system = MODEL_KINDS[kind]
    multiple_of = 1
    if system.is_mar_scf:
        if (config.model_options | system.options)["coupling"] == "mixlogcdf":
            multiple_of = 2 if config.num_heads % 2 == 0 else config.num_heads

        def count(width):
            return num_parameters(
                system.mar_scf_config(config, image_shape, num_levels, hidden_channels=width)
            )
    else:

        def count(width):
            return model_of_width(kind, width, config, image_shape, num_levels).num_parameters

    target = num_parameters(config.mar_scf_config(image_shape, num_levels))
    return matching_width(count, target, multiple_of)


def model_of_width(kind, width, config, image_shape, num_levels, num_grey_levels=256):
    """The `ComparisonModel` of a kind, of a width; other arguments as of `matched_models`."""
    system = MODEL_KINDS[kind]
    if system.is_mar_scf:
        model_config = system.mar_scf_config(config, image_shape, num_levels, hidden_channels=width)
        dequantization = DequantizationConfig(dequantization=system.dequantization)
        return MarScfModel(model_config, config.seed, dequantization, kind)
    if kind == "tfb_glow":
        return TfpGlowModel(image_shape, num_levels, config.num_steps, width, config.seed)
    return TfpPixelCnnModel(image_shape, width, num_grey_levels)


def report_other_count(name, other, count, target, report=warn):
    """Calls `report` with a warning if numbers of parameters differ by more than a tenth."""
    text = other_count(other, count, target)
    if text is not None:
        report(f"{name} has {text}.")


def other_count(other, count, target):
    """A text if a number of parameters differs from another model's by more than a tenth."""
    ratio = count / target
    if abs(ratio - 1.0) <= _TOLERANCE:
        return None
    return f"{ratio:.2f} times the parameters of {other}"


def matching_width(count_parameters, target, multiple_of=1):
    """The width whose number of parameters is nearest to a target.

    The networks here have layers w -> w, and others with one end that does not depend on the width
    w. So `count_parameters` of w is a quadratic polynomial a w^2 + b w + c with a, b >= 0, which
    three counts determine exactly.

    Raises:
        InputError: if the count is no such polynomial, so that its solution would be wrong.
    """
    step = multiple_of
    counts = [count_parameters(step * index) for index in (1, 2, 3)]
    # In units u = w / step: count(u) = curvature / 2 * u (u - 1) + slope * u + constant.
    curvature = counts[2] - 2 * counts[1] + counts[0]
    slope = counts[1] - counts[0] - curvature
    constant = counts[0] - slope

    def count(unit):
        return curvature * unit * (unit - 1) // 2 + slope * unit + constant

    if curvature < 0 or counts[1] <= counts[0]:
        raise InputError(
            f"`count_parameters` must grow with the width; got {counts} at widths "
            f"{step}, {2 * step} and {3 * step}."
        )
    unit = 1
    while count(unit + 1) <= target:
        unit += 1
    unit = min(unit, unit + 1, key=lambda unit: abs(count(unit) - target))
    width = unit * step
    if unit > 3 and count_parameters(width) != count(unit):
        raise InputError(
            f"`count_parameters` must be a quadratic polynomial of the width; got "
            f"{count_parameters(width)} at {width}, not {count(unit)}."
        )
    return width
