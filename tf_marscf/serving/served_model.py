"""What a server answers: the signatures of an exported model."""

import tensorflow as tf

from tf_marscf.distributions.bits_per_dim import bits_per_dim
from tf_marscf.stateless_seed import stateless_normal, stateless_uniform

MAX_NUM_SAMPLES = 1024
_NOISE_SEED = 20200620
_NO_DENSITY = "the log-density of an image must be finite"


class ServedModel:
    """The functions behind an export's signatures, of a `Dequantized` around a `MarScf`.

    Pixels, in requests and in answers, are grey levels 0 to `num_grey_levels` - 1 of the model's
    images, such as 0 to 31 of 5-bit ones; larger ones are refused.

    All take any number of images, none included, and are deterministic. The dequantization noise of
    a score is one draw for all images, so that an image's score depends neither on its place in a
    request nor on how a server puts requests together.
    """

    def __init__(self, images_distribution, max_num_samples=MAX_NUM_SAMPLES):
        self._images = images_distribution
        self._model = images_distribution.distribution
        self._max_num_samples = max_num_samples

    def signatures(self):
        """The signatures: a dict from each name to `(function, dict of tensor specs)`."""
        image_shape = self._images.event_shape
        dtype = self._model.dtype
        images = {"images": tf.TensorSpec([None, *image_shape], tf.uint8, "images")}
        values = {"values": tf.TensorSpec([None, *image_shape], dtype, "values")}
        latents = {"latents": tf.TensorSpec([None, image_shape.num_elements()], dtype, "latents")}
        request = {
            "num_samples": tf.TensorSpec([], tf.int32, "num_samples"),
            "seed": tf.TensorSpec([], tf.int32, "seed"),
            # A number, or one a level.
            "temperature": tf.TensorSpec(None, tf.float32, "temperature"),
        }
        sample, labels = self.sample, {}
        if self._images.num_classes is not None:
            labels = {"labels": tf.TensorSpec([None], tf.int32, "labels")}
            del request["num_samples"]
            sample = self.sample_of_classes
        return {
            "serving_default": (self.score, images | labels),
            "log_prob_float": (self.log_prob_float, values | labels),
            "sample": (sample, labels | request),
            "encode": (self.encode, images),
            "decode": (self.decode, latents),
        }

    def score(self, images, labels=None):
        """`log_prob` in nats and `bits_per_dim` of uint8 images [N, H, W, C]; each [N]."""
        dtype, num_dimensions = self._model.dtype, self._images.num_dimensions
        draw = stateless_uniform if self._images.dequantizer is None else stateless_normal
        noise = draw(self._images.event_shape, _NOISE_SEED, dtype)
        of_class = self._of_class(labels, images)
        values, log_noise_prob = self._images.dequantize_with(noise, self._checked(images))
        density = self._model.log_prob(values, **of_class) - log_noise_prob
        density = tf.debugging.check_numerics(density, _NO_DENSITY)
        log_prob = density + tf.constant(self._images.scaling.log_volume(num_dimensions), dtype)
        return {"log_prob": log_prob, "bits_per_dim": bits_per_dim(log_prob, num_dimensions)}

    def log_prob_float(self, values, labels=None):
        """`log_prob`, the log-density in nats of continuous images [N, H, W, C]; [N]."""
        values = tf.debugging.check_numerics(values, "`values` must be finite")
        log_prob = self._model.log_prob(values, **self._of_class(labels, values))
        return {"log_prob": tf.debugging.check_numerics(log_prob, _NO_DENSITY)}

    def sample(self, num_samples, seed, temperature, labels=None):
        """`images`, uint8 [num_samples, H, W, C]; the same request gives the same images.

        `temperature` is a number or, level 1 first, one a level.
        """
        num_levels, rank = len(self._model.levels), tf.rank(temperature)
        checks = [
            tf.debugging.assert_positive(num_samples, "`num_samples` must be an integer >= 1"),
            tf.debugging.assert_less_equal(
                num_samples,
                self._max_num_samples,
                f"`num_samples` must be at most {self._max_num_samples}",
            ),
            # Of NaN, no comparison is true.
            tf.debugging.Assert(
                tf.reduce_all((temperature >= 0.0) & (temperature < tf.float32.max)),
                ["`temperature` must be finite and >= 0; got", temperature],
            ),
            tf.debugging.Assert(
                (rank == 0) | ((rank == 1) & (tf.size(temperature) == num_levels)),
                [
                    f"`temperature` must be a number, or one for each of {num_levels} levels; got",
                    temperature,
                ],
            ),
        ]
        with tf.control_dependencies(checks):
            num_samples = tf.identity(num_samples)
            temperature = tf.broadcast_to(temperature, [num_levels])
        of_class = {} if labels is None else self._of_class(labels, labels)
        images = self._images.sample(num_samples, seed=seed, temperature=temperature, **of_class)
        return {"images": images}

    def sample_of_classes(self, labels, seed, temperature):
        """`images` of the classes `labels` [num_samples], as of `sample`."""
        return self.sample(tf.shape(labels)[0], seed, temperature, labels)

    def encode(self, images):
        """`latents` [N, H * W * C] of uint8 images: those of the middle of each grey level."""
        noise = tf.constant(0.5, self._model.dtype)
        values = self._images.scaling.continuous(self._checked(images), noise)
        parts = self._model.latents(values)
        flat = [tf.reshape(part, [-1, part.shape[1:].num_elements()]) for part in parts]
        return {"latents": tf.concat(flat, axis=-1)}

    def decode(self, latents):
        """`values` [N, H, W, C], and `images`, uint8, of latents [N, H * W * C]."""
        latents = tf.debugging.check_numerics(latents, "`latents` must be finite")
        shapes = [level.latent_prior.event_shape for level in self._model.levels]
        parts = tf.split(latents, [shape.num_elements() for shape in shapes], axis=-1)
        values = self._model.decode(
            [tf.reshape(part, [-1, *shape]) for part, shape in zip(parts, shapes, strict=True)]
        )
        values = tf.debugging.check_numerics(values, "`latents` must be those of a finite image")
        return {"values": values, "images": self._images.scaling.grey_levels(values)}

    def _of_class(self, labels, images):
        """The argument that gives a density the classes of images, once they are checked."""
        if labels is None:
            return {}
        num_classes = self._images.num_classes
        checks = [
            # One label would hold for all images.
            tf.debugging.assert_equal(
                tf.shape(labels)[0], tf.shape(images)[0], "`labels` must be one an image"
            ),
            tf.debugging.Assert(
                tf.reduce_all((labels >= 0) & (labels < num_classes)),
                [f"`labels` must be from 0 to {num_classes - 1}; got", labels],
            ),
        ]
        with tf.control_dependencies(checks):
            return {"label": tf.identity(labels)}

    def _checked(self, images):
        """The images, once their grey levels are checked."""
        num_grey_levels, checks = self._images.num_grey_levels, []
        if num_grey_levels < 256:
            check = tf.debugging.assert_less(
                tf.cast(images, tf.int32),
                num_grey_levels,
                f"`images` must hold grey levels below {num_grey_levels}",
            )
            checks.append(check)
        with tf.control_dependencies(checks):
            return tf.identity(images)
