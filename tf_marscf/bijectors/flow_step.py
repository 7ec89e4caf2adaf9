"""One step of flow."""

import tensorflow as tf

from tf_marscf.bijectors.act_norm import ActNorm
from tf_marscf.bijectors.coupling import AffineCoupling, MixLogCdfCoupling
from tf_marscf.bijectors.half_swap import HalfSwap
from tf_marscf.bijectors.image_bijector import num_pixels
from tf_marscf.bijectors.image_chain import ImageChain
from tf_marscf.bijectors.invertible_conv1x1 import InvertibleConv1x1, multiply_channels
from tf_marscf.bijectors.residual_block import ResidualBlock
from tf_marscf.config import COUPLINGS
from tf_marscf.kernels.tensor_float_32 import exact_matmul
from tf_marscf.networks.initializers import spawn_seeds

_COUPLINGS = {
    "affine": AffineCoupling,
    "mixlogcdf": MixLogCdfCoupling,
    "residual": ResidualBlock,
}


class FlowStep(ImageChain):
    """ActNorm -> invertible 1x1 convolution -> coupling (-> half swap after MixLogCDF).

    The first two, both linear at each pixel, run here as one matrix product, not by their own
    `forward` and `inverse`:

        W ((x + bias) * scale) = (W diag(scale)) x + W (bias * scale)

    Args:
        num_channels: C, even.
        hidden_channels: channels inside the coupling's network.
        coupling: "affine", "mixlogcdf", or "residual" for a `ResidualBlock` in its place.
        coupling_options: dict of further arguments of the coupling.
        seed: Python `int` or None, seed of the initial weights.
        dtype: float dtype.
        network_dtype: "bfloat16": the coupling's network computes in it; or None, as it must be for
            residual blocks.
        validate_args: Python `bool`.
        name: Python `str`.

    Raises:
        ValueError: if `coupling` is unknown, or has no `network_dtype`.
    """

    def __init__(
        self,
        num_channels,
        hidden_channels,
        coupling="affine",
        coupling_options=None,
        seed=None,
        dtype=tf.float32,
        network_dtype=None,
        validate_args=False,
        name="flow_step",
    ):
        parameters = dict(locals())
        if coupling not in COUPLINGS:
            raise ValueError(f"`coupling` must be one of {COUPLINGS}; got {coupling!r}.")
        convolution_seed, coupling_seed = spawn_seeds(seed, 2)
        common = {"dtype": dtype, "validate_args": validate_args}
        options = dict(coupling_options or {})
        if coupling != "residual":
            options = {"network_dtype": network_dtype, **options}
        elif network_dtype is not None:
            raise ValueError(
                f"`network_dtype` must be None with coupling='residual'; got {network_dtype!r}."
            )
        bijectors = [
            ActNorm(num_channels, **common),
            InvertibleConv1x1(num_channels, seed=convolution_seed, **common),
            _COUPLINGS[coupling](
                num_channels, hidden_channels, seed=coupling_seed, **options, **common
            ),
        ]
        if coupling == "mixlogcdf":
            bijectors.append(HalfSwap(num_channels, **common))
        self._coupling_and_swap = ImageChain(bijectors[2:], name="coupling_and_swap")
        super().__init__(bijectors, validate_args=validate_args, parameters=parameters, name=name)

    @property
    def act_norm(self):
        """The `ActNorm` of this step."""
        return self.bijectors[0]

    @property
    def invertible_conv1x1(self):
        """The `InvertibleConv1x1` of this step."""
        return self.bijectors[1]

    @property
    def coupling(self):
        """The coupling of this step."""
        return self.bijectors[2]

    def _forward_and_log_det(self, x, dropout_seed=None):
        x = self._linear(x)
        y, log_det = self._coupling_and_swap._forward_and_log_det(x, dropout_seed=dropout_seed)
        return y, log_det + self._linear_log_det(x)

    def forward_and_log_det_map(self, x):
        """As of every `ImageBijector`; all pixels have the same of the linear part."""
        y, log_det_map = self._coupling_and_swap.forward_and_log_det_map(self._linear(x))
        return y, log_det_map + self._linear_log_det_of_pixel()

    def _linear(self, x):
        """ActNorm and 1x1 convolution."""
        matrix = self.invertible_conv1x1.matrix()
        scale = tf.exp(self.act_norm.log_scale)
        bias = exact_matmul(matrix, (self.act_norm.bias * scale)[:, tf.newaxis])[:, 0]
        return multiply_channels(matrix * scale, x, bias)

    def _inverse_and_log_det(self, y, dropout_seed=None):
        y, log_det = self._coupling_and_swap._inverse_and_log_det(y, dropout_seed=dropout_seed)
        inverse_scale = tf.exp(-self.act_norm.log_scale)[:, tf.newaxis]
        matrix = inverse_scale * self.invertible_conv1x1.inverse_matrix()
        return multiply_channels(matrix, y, -self.act_norm.bias), log_det - self._linear_log_det(y)

    def _linear_log_det(self, maps):
        return num_pixels(maps) * self._linear_log_det_of_pixel()

    def _linear_log_det_of_pixel(self):
        return tf.reduce_sum(self.act_norm.log_scale + self.invertible_conv1x1.log_s)
