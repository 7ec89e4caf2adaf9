"""`tfd.PixelCNN` of TFP, PixelCNN++, behind the interface of the models that are compared."""

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tf_marscf.benchmarks.comparison_model import ComparisonModel
from tf_marscf.distributions import Dequantized, PixelScaling

# The small architecture in TFP's own documentation of `PixelCNN`.
_PIXEL_CNN_OPTIONS = {"num_resnet": 1, "num_hierarchies": 2, "num_logistic_mix": 5}
_MIDDLE = 0.5  # Of a grey level.


class TfpPixelCnnModel(ComparisonModel):
    """`tfd.PixelCNN`, whose probability of n grey levels is here a density of continuous images.

        log p(x) = log P(floor((x + 1/2) n)) + D log n,  D = H W C

    A sample is drawn pixel after pixel, all of a pixel's channels after one network pass: H W
    passes, and one before the first. Height and width are even; the width is its `num_filters`.

    TFP masks its kernels by constraints, which only an optimizer of tf_keras applies, and only
    after a step. Here the layers read kernels that are masked each time: no weights, new, trained
    or restored, let a pixel look at later ones, and gradients of masked entries are zero.

    Args:
        image_shape: (H, W, C).
        width: filters of its layers.
        num_grey_levels: n, of the images.
    """

    def __init__(self, image_shape, width, num_grey_levels=256):
        pixel_cnn = tfp.distributions.PixelCNN(
            tuple(image_shape),
            num_filters=width,
            dropout_p=0.0,
            use_weight_norm=False,
            high=num_grey_levels - 1,
            **_PIXEL_CNN_OPTIONS,
        )
        num_steps = image_shape[0] * image_shape[1] + 1
        super().__init__("pixel_cnn", pixel_cnn, width, num_steps)
        self._density = _PixelCnnDensity(pixel_cnn, num_grey_levels)
        self._num_masked = _mask_kernels(pixel_cnn)

    @property
    def num_parameters(self):
        """Trainable numbers, without the masked entries of the kernels."""
        return super().num_parameters - self._num_masked

    def log_prob(self, images):
        """Log-density in nats, [N], of images [N, H, W, C]; not differentiable in them."""
        return self._density.log_prob(images)

    def sample(self, num_images):
        """Images [num_images, H, W, C], at the middle of their grey levels."""
        levels = self.distribution.sample(num_images)
        return self._density.scaling.continuous(levels, tf.fill(tf.shape(levels), _MIDDLE))

    def dequantized(self, num_grey_levels):
        """What is trained and scored: the probability of grey levels, without any noise."""
        return _Undisturbed(self._density, num_grey_levels)


class _PixelCnnDensity(tf.Module):
    """The density of continuous images that is constant within each grey level."""

    def __init__(self, pixel_cnn, num_grey_levels):
        super().__init__(name="pixel_cnn_density")
        self._pixel_cnn = pixel_cnn
        self.scaling = PixelScaling(num_grey_levels)
        self.event_shape, self.dtype = pixel_cnn.event_shape, pixel_cnn.dtype

    def log_prob(self, images):
        levels = tf.cast(self.scaling.grey_levels(images), self.dtype)
        # `training` is for dropout alone, of which there is none.
        log_probability = self._pixel_cnn.log_prob(levels, training=False)
        return log_probability - self.scaling.log_volume(self.event_shape.num_elements())


class _Undisturbed(Dequantized):
    """Images at the middle of their grey levels: noise could be rounded into the next level."""

    def noise(self, pixels, seed=None):
        """A half, everywhere."""
        return tf.fill(tf.shape(pixels), tf.constant(_MIDDLE, self.distribution.dtype))


def _mask_kernels(pixel_cnn):
    """Lets layers read masked kernels; returns the number of masked entries."""
    num_masked = 0
    # Its layers have no public name.
    for layer in pixel_cnn.network._network.layers:
        constraint = getattr(layer, "kernel_constraint", None)
        if constraint is None:
            continue
        kernel = layer.kernel
        mask = constraint(np.ones(kernel.shape, kernel.dtype.as_numpy_dtype))
        kernel.assign(kernel * mask)
        num_masked += int(np.sum(mask == 0.0))
        masked = tfp.util.DeferredTensor(kernel, lambda values, mask=mask: values * mask)
        # Past Keras, which would take the variable from the layer's weights.
        object.__setattr__(layer, "kernel", masked)
    return num_masked
