"""Learned dequantization noise."""

import math

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tf_marscf.bijectors.conditional_flow_step import ConditionalFlowStep
from tf_marscf.bijectors.constant_channels import ConstantChannels
from tf_marscf.bijectors.image_chain import ImageChain
from tf_marscf.bijectors.squeeze import Squeeze
from tf_marscf.config import DequantizationConfig
from tf_marscf.distributions.density_maps import spread_over_pixels
from tf_marscf.distributions.image_distribution import (
    EVENT_NDIMS,
    ImageDistribution,
    check_value,
    no_parameter_properties,
)
from tf_marscf.errors import InputError, InputTypeError
from tf_marscf.model_size import check_dequantizer_size
from tf_marscf.networks.initializers import spawn_seeds
from tf_marscf.stateless_seed import stateless_normal


class VariationalDequantizer(ImageDistribution):
    """q(u | k): noise u in (0, 1)^D for an image k of grey levels (Flow++, Section 3.1).

    A flow, given the image, of standard-normal noise, and the normal distribution's CDF Phi:

        v = flow(epsilon; k),   epsilon ~ Normal(0, 1)^D,      u = Phi(v)
        log q(u | k) = sum((v^2 - epsilon^2) / 2) - log|det dv/d epsilon|      in nats

    The flow squeezes epsilon and the image, scaled to [-1, 1], and takes steps that read the image
    beside the noise (`ConditionalFlowStep`). New steps are rotations: new noise is uniform, and
    training starts where uniform dequantization stands. (Flow++ ends in a sigmoid, whose noise is
    not uniform for any flow of this kind.)

    `log_prob` and `sample` take k as `conditional_input`, uint8 [..., H, W, C]; where its leading
    shape is B, one sample has shape [*B, H, W, C]. u stays so far from 0 and 1 that k + u, rounded,
    is within the grey level: by 2 n times the dtype's epsilon, 6e-5 for n = 256 and float32. What
    is closer moves there, as by rounding; log q is that of the u before.

    Args:
        image_shape: (H, W, C), H and W even.
        num_grey_levels: n, of the images.
        num_steps: steps of the flow.
        hidden_channels: channels of the steps' networks.
        seed: Python `int` or None, seed of the initial weights.
        dtype: float dtype of the noise.
        network_dtype: "bfloat16": the networks compute in it, all else in `dtype`; or None.
        validate_args: Python `bool`: check at run time that values are finite.
        name: Python `str`.

    Raises:
        InputError: if H or W is odd, or no machine could build it (see `model_size.py`).
    """

    _parameter_properties = no_parameter_properties

    def __init__(
        self,
        image_shape,
        num_grey_levels=256,
        num_steps=4,
        hidden_channels=32,
        seed=None,
        dtype=tf.float32,
        network_dtype=None,
        validate_args=False,
        name="VariationalDequantizer",
    ):
        parameters = dict(locals())
        height, width, num_channels = image_shape
        if height % 2 or width % 2:
            raise InputError(
                f"`image_shape` of {name} must have an even height and width; got {image_shape}."
            )
        self._config = DequantizationConfig(
            dequantization="variational",
            dequantizer_num_steps=num_steps,
            dequantizer_hidden_channels=hidden_channels,
        )
        check_dequantizer_size(self._config, image_shape, tf.as_dtype(dtype).name)
        self._image_shape = tf.TensorShape(image_shape)
        self._num_grey_levels = num_grey_levels
        with tf.name_scope(name) as name:
            steps = [
                ConditionalFlowStep(
                    4 * num_channels,
                    4 * num_channels,
                    hidden_channels,
                    seed=step_seed,
                    dtype=dtype,
                    network_dtype=network_dtype,
                    name=f"step_{step + 1}",
                )
                for step, step_seed in enumerate(spawn_seeds(seed, num_steps))
            ]
            self.flow = ImageChain([Squeeze(dtype), *steps], name="flow")
            super().__init__(
                dtype=tf.as_dtype(dtype),
                reparameterization_type=tfp.distributions.FULLY_REPARAMETERIZED,
                validate_args=validate_args,
                allow_nan_stats=False,
                parameters=parameters,
                name=name,
            )

    @classmethod
    def from_config(cls, config, image_shape, num_grey_levels, model_seed=None, **options):
        """The dequantizer of a `DequantizationConfig`; None, which stands for uniform noise, too.

        Args:
            config: the `DequantizationConfig`.
            image_shape: (H, W, C).
            num_grey_levels: n.
            model_seed: Python `int` or None, seed of the model's initial weights.
            **options: further arguments of the constructor.
        """
        if config.dequantization == "uniform":
            return None
        return cls(
            image_shape,
            num_grey_levels,
            num_steps=config.dequantizer_num_steps,
            hidden_channels=config.dequantizer_hidden_channels,
            # Another seed than those of the model's layers.
            seed=None if model_seed is None else 2**32 + model_seed,
            **options,
        )

    @property
    def config(self):
        """The `DequantizationConfig`."""
        return self._config

    def get_config(self):
        """The arguments that build such a dequantizer, a dict that JSON can hold."""
        seed = self.parameters["seed"]
        return {
            "image_shape": self._image_shape.as_list(),
            "num_grey_levels": self._num_grey_levels,
            "num_steps": self._config.dequantizer_num_steps,
            "hidden_channels": self._config.dequantizer_hidden_channels,
            "seed": None if seed is None else int(seed),
            "dtype": self.dtype.name,
            "network_dtype": self.parameters["network_dtype"],
            "validate_args": self.validate_args,
        }

    @property
    def num_grey_levels(self):
        """n, of the images."""
        return self._num_grey_levels

    def transform_noise(self, noise, pixels):
        """What standard-normal noise stands for: `(u, log q(u | k))`, differentiable in both.

        `sample` is this of Normal(0, 1) noise.

        Args:
            noise: epsilon, [..., H, W, C].
            pixels: k, uint8 [..., H, W, C]; the two leading shapes broadcast.

        Returns:
            u, [..., H, W, C], and log q, in nats, [...].
        """
        noise, pixels = check_value(self, noise, "noise"), self._checked_pixels(pixels)
        shape = tf.broadcast_dynamic_shape(tf.shape(noise), tf.shape(pixels))
        static_shape = tf.broadcast_static_shape(noise.shape, pixels.shape)
        noise = tf.ensure_shape(tf.broadcast_to(noise, shape), static_shape)
        hidden, log_det = self.flow.forward_and_log_det(self._beside_images(noise, pixels))
        normal = self._normal_of(hidden, noise)
        return self._inside(normal), self._log_density(normal, noise, -log_det)

    def transform_noise_with_map(self, noise, pixels):
        """As `transform_noise`, with where log q comes from: maps of pixels, whose sums it is.

        Args:
            noise: epsilon, [N, H, W, C].
            pixels: k, uint8 [N, H, W, C].

        Returns:
            u, [N, H, W, C], and the maps [N, H, W], in nats.
        """
        noise, pixels = check_value(self, noise, "noise"), self._checked_pixels(pixels)
        beside = self._beside_images(noise, pixels)
        hidden, log_det_map = self.flow.forward_and_log_det_map(beside)
        normal = self._normal_of(hidden, noise)
        log_ratio = tf.reduce_sum(tf.square(normal) - tf.square(noise), axis=3) / 2.0
        size = self._image_shape[:2]
        return self._inside(normal), log_ratio - spread_over_pixels(log_det_map, size)

    def initialize(self, pixels, seed=None):
        """Sets the ActNorms inside the networks from a batch: the data-dependent initialisation.

        New noise stays uniform. Call it once, before training.

        Args:
            pixels: uint8 [N, H, W, C], N >= 1.
            seed: PRNG seed of the noise.
        """
        pixels = self._checked_pixels(pixels)
        noise = stateless_normal(tf.shape(pixels), seed, self.dtype)
        constant_channels = ConstantChannels()
        self.flow.initialize_and_note(
            self._beside_images(noise, pixels), constant_channels.within("dequantizer")
        )
        constant_channels.warn()

    @property
    def _squeeze(self):
        return self.flow.bijectors[0]

    def _normal_of(self, hidden, noise):
        """v, from the end of the flow, in the shape of the noise."""
        normal, _ = tf.split(self._squeeze.inverse(hidden), 2, axis=-1)
        return tf.ensure_shape(tf.reshape(normal, tf.shape(noise)), noise.shape)

    def _inside(self, normal):
        """The u = Phi(v), within the grey level."""
        margin = 2.0 * self._num_grey_levels * np.finfo(self.dtype.as_numpy_dtype).eps
        return tf.clip_by_value(_normal_cdf(normal), margin, 1.0 - margin)

    def _beside_images(self, noise, pixels):
        """Noise and scaled images, [N, H, W, 2 C], leading axes folded into one."""
        scaled = tf.cast(pixels, self.dtype)
        scaled = (2.0 * scaled + 1.0) / self._num_grey_levels - 1.0
        maps = tf.concat([noise, tf.broadcast_to(scaled, tf.shape(noise))], axis=-1)
        *sizes, num_channels = self._image_shape
        return tf.reshape(maps, [-1, *sizes, 2 * num_channels])

    def _log_density(self, normal, noise, inverse_log_det):
        """Log q of Phi(normal), which is made of the noise."""
        log_ratio = tf.reduce_sum(tf.square(normal) - tf.square(noise), axis=[-3, -2, -1]) / 2.0
        return log_ratio + tf.reshape(inverse_log_det, tf.shape(log_ratio))

    def _checked_pixels(self, pixels):
        rule = f"`conditional_input` of {self.name} must be uint8 images {self._image_shape}"
        if pixels is None:
            raise InputError(f"{rule}; got None.")
        dtype = tf.as_dtype(getattr(pixels, "dtype", tf.uint8))
        if dtype != tf.uint8:
            raise InputTypeError(f"{rule}; got {dtype.name}.")
        pixels = tf.convert_to_tensor(pixels, tf.uint8)
        shape = pixels.shape
        if shape.rank is not None and (
            shape.rank < EVENT_NDIMS
            or not shape[-EVENT_NDIMS:].is_compatible_with(self._image_shape)
        ):
            raise InputError(f"{rule}; got {shape}.")
        return pixels

    def _log_prob(self, value, conditional_input=None):
        is_inside = tf.reduce_all((value > 0.0) & (value < 1.0), axis=[-3, -2, -1])
        inside = tf.where(is_inside[..., tf.newaxis, tf.newaxis, tf.newaxis], value, 0.5)
        normal, pixels = tf.math.ndtri(inside), self._checked_pixels(conditional_input)
        hidden = self._squeeze.forward(self._beside_images(normal, pixels))
        maps, log_det = self.flow.inverse_and_log_det(hidden)
        noise = tf.reshape(tf.split(maps, 2, axis=-1)[0], tf.shape(value))
        return tf.where(is_inside, self._log_density(normal, noise, log_det), -math.inf)

    # `_call_sample_n` and not `_sample_n`: the images bring their own leading shape, which the base
    # class would refuse.
    def _call_sample_n(self, sample_shape, seed, conditional_input=None):
        return self._sample_and_log_prob(sample_shape, seed, conditional_input)[0]

    def _sample_and_log_prob(self, sample_shape, seed, conditional_input=None):
        pixels = self._checked_pixels(conditional_input)
        shape = tf.concat([tf.reshape(sample_shape, [-1]), tf.shape(pixels)], axis=0)
        return self.transform_noise(stateless_normal(shape, seed, self.dtype), pixels)

    def _event_shape(self):
        return self._image_shape

    def _event_shape_tensor(self):
        return tf.constant(self._image_shape.as_list(), dtype=tf.int32)


def _normal_cdf(normal):
    """Phi, as precise in the lower tail as elsewhere."""
    return 0.5 * tf.math.erfc(-normal * math.sqrt(0.5))
