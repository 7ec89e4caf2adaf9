"""Models with about as many parameters behind one interface: this project's and TFP's.

`tfb.Glow` and `tfd.PixelCNN` of TFP 0.25 hold layers of tf_keras (Keras 2) and work with TensorFlow
2.21. What they need is done here:

- TFP's bijector cache is keyed by the tensor. In eager mode, a value that was computed before a
  weight changed, or outside of a gradient tape, comes back as it was. `log_prob` must be called
  inside of a `tf.function`, or each time with a tensor of its own.
- `tfb.Glow` takes batches of statically known size only: with an unknown one its `Reshape` joins
  int32 and int64 sizes, and TensorFlow refuses ("Tensors in list passed to 'values' of 'ConcatV2'
  Op have types [int32, int64] that don't all match").
- ActNorm of `tfb.Glow` is set from the first batch that passes through it, in either direction:
  `initialize` must come first.
- `tfd.PixelCNN` masks its kernels by constraints, which only an optimizer of tf_keras applies, and
  only after a step. A new one looks at all pixels; the masks are applied here at once.
- `use_weight_norm` of `tfd.PixelCNN` "works only in Eager mode", and is off.
- Neither takes a seed for its initial weights; `tf_keras.utils.set_random_seed` sets them.
"""

import dataclasses
import functools

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tf_marscf.benchmarks.comparison_configs import MODEL_LABELS
from tf_marscf.distributions import Dequantized, PixelScaling
from tf_marscf.errors import InputError, warn
from tf_marscf.flow import MarScf

tfb, tfd = tfp.bijectors, tfp.distributions

# The small architecture in TFP's own documentation of `PixelCNN`.
_PIXEL_CNN_OPTIONS = {"num_resnet": 1, "num_hierarchies": 2, "num_logistic_mix": 5}
_TOLERANCE = 0.1


class ComparisonModel:
    """A density of continuous images [N, H, W, C] in [-0.5, 0.5), ready to be compared.

    Args:
        kind: a key of `MODEL_LABELS`.
        distribution: the TFP distribution inside.
        width: hidden channels of its networks.
        num_sampling_steps: network passes, one after another, that a sample takes.
    """

    def __init__(self, kind, distribution, width, num_sampling_steps):
        self.kind = kind
        self.distribution = distribution
        self.width = width
        self.num_sampling_steps = num_sampling_steps

    @property
    def trainable_variables(self):
        """All trainable variables."""
        return self.distribution.trainable_variables

    @property
    def num_parameters(self):
        """Trainable numbers."""
        return sum(variable.shape.num_elements() for variable in self.trainable_variables)

    def log_prob(self, images):
        """Log-density in nats, [N], of images [N, H, W, C]."""
        return self.distribution.log_prob(images)

    def training_log_prob(self, images, dropout_seed):
        """As `log_prob`, while training: a model with dropout takes the seed, [2]."""
        return self.log_prob(images)

    def sample(self, num_images):
        """Images [num_images, H, W, C], others at each call."""
        return self.distribution.sample(num_images)

    def initialize(self, images):
        """The model's own data-dependent initialisation, if any, from images [N, H, W, C]."""

    def dequantized(self, num_grey_levels):
        """The `Dequantized` of the model that is trained and scored."""
        return Dequantized(self.distribution, num_grey_levels)


class MarScfModel(ComparisonModel):
    """`MarScf` with either prior, from a `MarScfConfig`."""

    def __init__(self, config, seed=0):
        model = MarScf.from_config(config, seed=seed)
        super().__init__(config.prior, model, config.hidden_channels, model.num_sampling_steps)

    def initialize(self, images):
        """Sets every ActNorm, those inside the couplings included."""
        self.distribution.initialize(images)


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


class TfpPixelCnnModel(ComparisonModel):
    """`tfd.PixelCNN`, whose probability of grey levels is here a density of continuous images.

        log p(x) = log P(floor((x + 1/2) 256)) + D log 256,  D = H W C

    A sample is drawn pixel after pixel, all of a pixel's channels after one network pass: H W
    passes, and one before the first. Height and width are even; the width is its `num_filters`.
    """

    def __init__(self, image_shape, width):
        distribution = tfd.PixelCNN(
            tuple(image_shape),
            num_filters=width,
            dropout_p=0.0,
            use_weight_norm=False,
            **_PIXEL_CNN_OPTIONS,
        )
        super().__init__("pixel_cnn", distribution, width, image_shape[0] * image_shape[1] + 1)
        self._scaling = PixelScaling()
        self._num_masked = 0
        # Its layers have no public name.
        for layer in distribution.network._network.layers:
            mask = getattr(layer, "kernel_constraint", None)
            if mask is not None:
                layer.kernel.assign(mask(layer.kernel))
                self._num_masked += int(np.sum(mask(np.ones(layer.kernel.shape)) == 0.0))

    @property
    def num_parameters(self):
        """Trainable numbers, without the masked entries of the kernels."""
        return super().num_parameters - self._num_masked

    def log_prob(self, images):
        """Log-density in nats, [N], of images [N, H, W, C]; not differentiable in them."""
        levels = tf.cast(self._scaling.grey_levels(images), self.distribution.dtype)
        num_dimensions = self.distribution.event_shape.num_elements()
        log_probability = self.distribution.log_prob(levels, training=False)
        return log_probability - self._scaling.log_volume(num_dimensions)

    def sample(self, num_images):
        """Images [num_images, H, W, C], at the middle of their grey levels."""
        levels = self.distribution.sample(num_images)
        return self._scaling.continuous(levels, tf.fill(tf.shape(levels), 0.5))


def matched_models(config, image_shape, num_levels, report=warn):
    """The models of a comparison, with about as many parameters as "mar" among them.

    Args:
        config: a `ComparisonConfig`.
        image_shape: (H, W, C).
        num_levels: L of all flows.
        report: called with a warning for a model whose nearest count is more than 10 % away, which
            happens where a narrow network can only grow by a large part of itself.

    Returns:
        A list of `ComparisonModel`, in the order of `config.models`.

    Raises:
        InputError: if the image shape does not suit a model.
    """
    mar_config = config.mar_scf_config(image_shape, num_levels)
    mar = MarScfModel(mar_config, config.seed)
    make = {
        "gaussian": lambda width: MarScfModel(
            dataclasses.replace(mar_config, prior="gaussian", hidden_channels=width), config.seed
        ),
        "tfb_glow": lambda width: TfpGlowModel(
            image_shape, num_levels, config.num_steps, width, config.seed
        ),
        "pixel_cnn": lambda width: TfpPixelCnnModel(image_shape, width),
    }
    models = []
    for kind in config.models:
        if kind == "mar":
            models.append(mar)
            continue
        has_heads = kind == "gaussian" and config.coupling == "mixlogcdf"
        width = matching_width(
            lambda width, kind=kind: make[kind](width).num_parameters,
            mar.num_parameters,
            config.num_heads if has_heads else 1,
        )
        models.append(make[kind](width))
        counts = models[-1].num_parameters, mar.num_parameters
        report_other_count(MODEL_LABELS[kind], MODEL_LABELS["mar"], *counts, report)
    return models


def report_other_count(name, other, count, target, report=warn):
    """Calls `report` with a warning if numbers of parameters differ by more than a tenth."""
    ratio = count / target
    if abs(ratio - 1.0) > _TOLERANCE:
        report(f"{name} has {ratio:.2f} times the parameters of {other}.")


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
