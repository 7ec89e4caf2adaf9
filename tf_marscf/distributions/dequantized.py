"""Images with integer grey levels, from a density of continuous images."""

import numbers

import tensorflow as tf
import tensorflow_probability as tfp

from tf_marscf.distributions.bits_per_dim import bits_per_dim, importance_weighted_bound
from tf_marscf.distributions.image_distribution import (
    EVENT_NDIMS,
    ImageDistribution,
    check_value,
    no_parameter_properties,
)
from tf_marscf.distributions.pixel_scaling import PixelScaling
from tf_marscf.errors import InputError
from tf_marscf.stateless_seed import (
    batch_normal,
    batch_uniform,
    checked_seed,
    split_seed,
    stateless_normal,
    stateless_seed,
    stateless_uniform,
)


class Dequantized(ImageDistribution):
    """The distribution of uint8 images that a density over continuous images implies.

    The probability of an image k is the density's integral over the cell of values that round to
    it: `P(k) = volume * E_u[p(x(k, u))]`, u uniform in [0, 1)^D. `log_prob` is a lower bound of
    log P in expectation, from S draws of u (S = 1: uniform dequantization, Theis et al. 2016;
    S > 1: the tighter importance-weighted bound of Burda et al. 2016, log P itself as S grows):

        log_prob(k) = log(1/S sum_s p(x(k, u_s))) - D log(num_grey_levels)      in nats

    With a `dequantizer` u is drawn from its q(u | k), a density that learns to make the bound tight
    (variational dequantization, Flow++, Section 3.1), and p(x(k, u_s)) / q(u_s | k) stands in the
    place of p(x(k, u_s)). Of a density with classes, all is given a class: `log_prob` and `sample`
    take its `label`.

    Args:
        distribution: a distribution of continuous images, event shape [H, W, C].
        num_grey_levels: grey levels are 0 ... num_grey_levels - 1; 2 ... 256.
        published_scaling: whether to scale pixels as the published code does (see
            `PixelScaling`); needed to score its weights.
        validate_args: Python `bool`: check at run time that pixels are below `num_grey_levels`.
        name: Python `str`.
        dequantizer: a `VariationalDequantizer`, or None for uniform noise.

    Raises:
        ValueError: if `num_grey_levels` is out of range, or the dequantizer is of other images.
    """

    _parameter_properties = no_parameter_properties

    def __init__(
        self,
        distribution,
        num_grey_levels=256,
        published_scaling=False,
        validate_args=False,
        name="Dequantized",
        dequantizer=None,
    ):
        parameters = dict(locals())
        with tf.name_scope(name) as name:
            self._distribution = distribution
            # `variables` are in the order of the attributes' names: these come last.
            self._variational_dequantizer = dequantizer
            self._scaling = PixelScaling(num_grey_levels, published_scaling)
            super().__init__(
                dtype=tf.uint8,
                reparameterization_type=tfp.distributions.NOT_REPARAMETERIZED,
                validate_args=validate_args,
                allow_nan_stats=False,
                parameters=parameters,
                name=name,
            )
        if dequantizer is not None:
            self._check_dequantizer(dequantizer)

    @property
    def distribution(self):
        """The density of continuous images."""
        return self._distribution

    @property
    def dequantizer(self):
        """The `VariationalDequantizer`, or None."""
        return self._variational_dequantizer

    @property
    def scaling(self):
        """The `PixelScaling` between grey levels and continuous values."""
        return self._scaling

    @property
    def num_grey_levels(self):
        """Number of grey levels."""
        return self._scaling.num_grey_levels

    @property
    def num_classes(self):
        """Classes of the density, whose `log_prob` and `sample` need a `label`; None for none."""
        return getattr(self._distribution, "num_classes", None)

    @property
    def num_dimensions(self):
        """D = H * W * C."""
        return self.event_shape.num_elements()

    def dequantize(self, pixels, seed=None):
        """Continuous images for uint8 images, with noise within each grey level.

        Inside a replica of `tf.distribute` the first axis is this replica's part of a batch, and
        the noise is that part of what one device would draw for the whole.

        Args:
            pixels: uint8 [..., H, W, C].
            seed: PRNG seed; an integer or a [2] integer tensor.

        Returns:
            Continuous images of the same shape, in the density's dtype.
        """
        return self.dequantize_with(self.noise(pixels, seed), pixels)[0]

    def noise(self, pixels, seed=None):
        """The noise of `dequantize`: uniform in [0, 1), or a dequantizer's standard-normal noise.

        Args and shape are those of `dequantize`.
        """
        pixels = check_value(self, pixels, "pixels")
        is_batch = pixels.shape.rank != EVENT_NDIMS
        if self.dequantizer is None:
            draw = batch_uniform if is_batch else stateless_uniform
        else:
            draw = batch_normal if is_batch else stateless_normal
        noise = draw(tf.shape(pixels), checked_seed(seed), self._distribution.dtype)
        return tf.ensure_shape(noise, pixels.shape)

    def dequantize_with(self, noise, pixels):
        """Continuous images for uint8 images and the noise for them.

        Args:
            noise: as from `noise`, [..., H, W, C].
            pixels: uint8, with the leading shape of the noise, or one of the two broadcasts.

        Returns:
            `(images, log_noise_prob)`: continuous images and log q(u | k), in nats, of the leading
            shape; or the scalar 0, the log-density of uniform noise. Both are differentiable.
        """
        pixels = check_value(self, pixels, "pixels")
        if self.dequantizer is None:
            return self._scaling.continuous(pixels, noise), tf.zeros([], noise.dtype)
        noise, log_noise_prob = self.dequantizer.transform_noise(noise, pixels)
        return self._scaling.continuous(pixels, noise), log_noise_prob

    def initialize(self, pixels, seed=None):
        """Sets every ActNorm from a batch: the dequantizer's, then those of a `MarScf`.

        Args:
            pixels: uint8 [N, H, W, C]; see `MarScf.initialize`.
            seed: PRNG seed of the noise.
        """
        if self.dequantizer is not None:
            self.dequantizer.initialize(check_value(self, pixels, "pixels"), seed)
        self._distribution.initialize(self.dequantize(pixels, seed))

    def _log_prob(self, value, seed=None, num_samples=1, **kwargs):
        """The bound; `num_samples` is S, further arguments go to the density's `log_prob`."""
        return self._bound(
            value,
            seed,
            num_samples,
            lambda images, log_noise_prob: (
                self._distribution.log_prob(images, **kwargs) - log_noise_prob
            ),
        )

    def class_log_probs(self, pixels, seed=None, num_samples=1):
        """The bound of log P(k | y) for every class y, in nats, [..., num_classes].

        Arguments are those of `bits_per_dim`; see `FlowLevel.class_log_probs`.
        """
        return self._bound(
            pixels,
            seed,
            num_samples,
            lambda images, log_noise_prob: (
                self._distribution.class_log_probs(images) - log_noise_prob[..., tf.newaxis]
            ),
        )

    def _bound(self, value, seed, num_samples, log_ratio):
        """The bound, of `log_ratio(images, log q)`: log p(x) - log q(u | k)."""
        is_integer = isinstance(num_samples, numbers.Integral) and not isinstance(num_samples, bool)
        if not is_integer or num_samples < 1:
            raise InputError(f"`num_samples` must be an integer >= 1; got {num_samples!r}.")
        log_volume = self._scaling.log_volume(self.num_dimensions)
        seeds = split_seed(stateless_seed(checked_seed(seed)), num_samples)
        terms = []
        # One draw at a time: a bound with many draws needs no more memory than one with one.
        for draw_seed in seeds:
            images, log_noise_prob = self.dequantize_with(self.noise(value, draw_seed), value)
            terms.append(log_ratio(images, log_noise_prob))
        bound = importance_weighted_bound(tf.stack(terms))
        return bound + tf.constant(log_volume, bound.dtype)

    def bits_per_dim(self, pixels, seed=None, num_samples=1, **kwargs):
        """`-log_prob(pixels) / (D log 2)`, in bits per dimension.

        Args:
            pixels: uint8 [..., H, W, C].
            seed: PRNG seed of the dequantization noise.
            num_samples: S, draws of noise an image.
            **kwargs: go to the density's `log_prob`, such as `dropout_seed` and `label`.

        Returns:
            The leading shape of `pixels`, in the density's dtype.
        """
        log_prob = self.log_prob(pixels, seed=seed, num_samples=num_samples, **kwargs)
        return bits_per_dim(log_prob, self.num_dimensions)

    def _call_sample_n(self, sample_shape, seed, **kwargs):
        """uint8 images; raises `InvalidArgumentError` if a sample is not finite."""
        images = self._distribution.sample(sample_shape, seed=seed, **kwargs)
        images = tf.debugging.check_numerics(
            images, f"A sample of {self._distribution.name} is not finite"
        )
        return self._scaling.grey_levels(images)

    def _check_dequantizer(self, dequantizer):
        expected = (self.event_shape, self.num_grey_levels, self._distribution.dtype)
        seen = (dequantizer.event_shape, dequantizer.num_grey_levels, dequantizer.dtype)
        if seen != expected:
            names = ("event_shape", "num_grey_levels", "dtype")
            wanted, given = (
                ", ".join(f"{name} {getattr(value, 'name', value)}" for name, value in pairs)
                for pairs in (zip(names, expected, strict=True), zip(names, seen, strict=True))
            )
            raise InputError(f"`dequantizer` must be of {wanted}; got {given}.")

    # Probabilities of images, unlike densities, do not change where a bijector moves them.
    def _experimental_tangent_space(self, value):
        return tfp.experimental.tangent_spaces.ZeroSpace()

    def _event_shape(self):
        return self._distribution.event_shape

    def _event_shape_tensor(self):
        return self._distribution.event_shape_tensor()

    def _sample_control_dependencies(self, value, **kwargs):
        if not self.validate_args:
            return []
        return [
            tf.debugging.assert_less(
                tf.cast(value, tf.int32),
                self.num_grey_levels,
                message=f"`value` of {self.name} must be below num_grey_levels.",
            )
        ]
