"""Residual blocks that have an inverse."""

import tensorflow as tf

from tf_marscf.bijectors.fixed_point import fixed_point
from tf_marscf.bijectors.image_bijector import ImageBijector
from tf_marscf.bijectors.residual_log_det import (
    exact_log_det,
    random_num_terms,
    roulette_weight,
    series_error_bound,
    series_log_det,
)
from tf_marscf.networks.lipschitz_network import LipschitzNetwork
from tf_marscf.stateless_seed import batch_mask, seed_of_rows, split_seed

# Up to so many dimensions, a log-det of all entries of the Jacobian is a small matrix's.
MAX_EXACT_DIMENSIONS = 64
_PROBES_SEED = (20200620, 3)  # Of evaluation: one draw for all images, always.


class ResidualBlock(ImageBijector):
    """Adds a network whose Lipschitz constant is below 1 (Behrmann et al., 2019).

        y = x + g(x),      ||dg/dx|| <= c < 1
        x = lim x_i,       x_(i+1) = y - g(x_i)                 (Banach's fixed-point theorem)
        log|det| = tr log(I + J) = sum_{k >= 1} (-1)^(k + 1) / k tr(J^k),      J = dg/dx

    g is a `LipschitzNetwork`. The log-det is exact, from all entries of J, where images have at
    most 64 values. Else it is, see `residual_log_det.py`:

    - with a `dropout_seed`, while training: an unbiased estimate, with one random probe an image
      and a series that is cut off at random (Residual Flows: Chen et al., 2019);
    - without: the series of `num_terms` terms, of which `log_det_error_bound` says what is left
      out, with `num_probes` fixed probes. It is a function of the image alone, and its mean over
      probes is the truth; what it is off by can be seen with other probes only.

    The gradient of either is that of the Neumann series, and takes the memory of one product with
    J, however many terms there are. That of the inverse is the implicit function theorem's. Second
    derivatives of an inverse or of a series are not those of the function.

    Args:
        num_channels: C.
        hidden_channels: channels inside the network.
        coefficient: c, above 0 and below 1. Near 1, series and inverses take long to converge.
        num_terms: of the series in evaluation.
        num_probes: vectors v in evaluation.
        seed: Python `int` or None, seed of the network's initial weights.
        dtype: float dtype.
        validate_args: Python `bool`.
        name: Python `str`.

    Raises:
        ValueError: if `coefficient` is not between 0 and 1.
        tf.errors.InvalidArgumentError: from the inverse, if it does not converge to the precision
            of the dtype.
    """

    def __init__(
        self,
        num_channels,
        hidden_channels,
        coefficient=0.9,
        num_terms=60,
        num_probes=2,
        seed=None,
        dtype=tf.float32,
        validate_args=False,
        name="residual_block",
    ):
        parameters = dict(locals())
        if not 0.0 < coefficient < 1.0:
            raise ValueError(f"`coefficient` must be above 0 and below 1; got {coefficient!r}.")
        with tf.name_scope(name) as name:
            self.network = LipschitzNetwork(
                num_channels, hidden_channels, coefficient, seed, dtype, name="network"
            )
            self.num_terms = num_terms
            self.num_probes = num_probes
            super().__init__(
                num_channels,
                dtype=dtype,
                is_constant_jacobian=False,
                parameters=parameters,
                validate_args=validate_args,
                name=name,
            )

    def log_det_error_bound(self, num_dimensions):
        """The most by which a log-det can be off, because terms are left out, in nats.

        That of evaluation, for images of so many values: 0 where it is exact. It is computed from
        the weights, which may keep the network's Lipschitz constant well below c.
        """
        if num_dimensions <= MAX_EXACT_DIMENSIONS:
            return tf.zeros([], self.dtype)
        constant = self.network.function().constant
        return series_error_bound(constant, num_dimensions, self.num_terms)

    def _forward_and_log_det(self, x, dropout_seed=None):
        value, jacobian = self.network.function().value_and_jacobian(x)
        return x + value, self._log_det(jacobian, x, dropout_seed)

    def _inverse_and_log_det(self, y, dropout_seed=None):
        function = self.network.function()
        x = self._implicit_inverse(function, y)
        _, jacobian = function.value_and_jacobian(x)
        return x, -self._log_det(jacobian, x, dropout_seed)

    def _implicit_inverse(self, function, y):
        """The x with x + g(x) = y; its gradients are to y and to the weights of g."""
        coefficient = self.network.coefficient
        constant_function, constant_y = function.without_gradients(), tf.stop_gradient(y)
        x = fixed_point(
            lambda x: constant_y - constant_function(x),
            constant_y,
            coefficient,
            f"the inverse of {self.name}",
        )
        value, jacobian = function.value_and_jacobian(x)
        jacobian = jacobian.without_gradients()

        @tf.custom_gradient
        def times_inverse_jacobian(error):
            """The error, which is next to 0; its gradient is that of (I + J)^-1 error."""

            def gradient(upstream):
                # (I + J^T) w = upstream
                return fixed_point(
                    lambda w: upstream - jacobian.transposed_product(w),
                    upstream,
                    coefficient,
                    f"the gradient of the inverse of {self.name}",
                )

            return tf.identity(error), gradient

        return x + times_inverse_jacobian(y - value - x)

    def _log_det(self, jacobian, maps, seed):
        """That at the maps, [N]: exact, an estimate, or a long series."""
        num_images, *size, num_channels = *tf.unstack(tf.shape(maps)[:3]), maps.shape[3]
        if seed is not None:
            terms_seed, probes_seed = split_seed(seed, 2)
            probes = _signs([num_images, *size, num_channels], probes_seed, maps.dtype)
            return series_log_det(jacobian, probes, random_num_terms(terms_seed), roulette_weight)
        num_dimensions = maps.shape[1:].num_elements()
        if num_dimensions is not None and num_dimensions <= MAX_EXACT_DIMENSIONS:
            return exact_log_det(jacobian, maps.shape[1:])
        # From the first row on, of whichever replica: all images have the same probes.
        fixed_seed = seed_of_rows(_PROBES_SEED, 0)
        probes = _signs([self.num_probes, *size, num_channels], fixed_seed, maps.dtype)
        probes = tf.tile(probes, [num_images, 1, 1, 1])
        values = series_log_det(jacobian.repeated(self.num_probes), probes, self.num_terms)
        return tf.reduce_mean(tf.reshape(values, [-1, self.num_probes]), axis=1)


def _signs(shape, seed, dtype):
    """Independent signs, 1 and -1, as of `batch_mask`."""
    return 2.0 * tf.cast(batch_mask(shape, seed, 0.5), dtype) - 1.0
