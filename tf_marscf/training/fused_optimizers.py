"""Adamax and Adam, one operation a variable."""

import keras
import tensorflow as tf

# Short, so that steps follow the gradients of a short run.
_ADAM_BETA_2 = 0.99


def make_optimizer(name, learning_rate):
    """A new Keras optimizer.

    Args:
        name: "adamax", the published one, or "adam", whose steps follow the gradients' present
            size: Adamax's follow the greatest of the last thousand steps.
        learning_rate: a number, or a schedule of Keras.
    """
    if name == "adam":
        return FusedAdam(learning_rate, beta_2=_ADAM_BETA_2)
    return FusedAdamax(learning_rate)


class _Fused:
    """What makes an optimizer of Keras run TensorFlow's fused update.

    Keras runs many operations a variable, most of which pass through memory; here it is one, which
    passes once.
    """

    _factors = None
    _takes_sums = False

    def apply_summed_gradients(self, grads_and_vars):
        """As `apply_gradients`, with gradients that are added up over the replicas already.

        That would add them up again: as many bytes once more from device to device.
        """
        self._takes_sums = True
        try:
            self.apply_gradients(grads_and_vars)
        finally:
            self._takes_sums = False

    def _all_reduce_sum_gradients(self, grads_and_vars):
        """Keras's own step before an update, or nothing."""
        if self._takes_sums:
            return list(grads_and_vars)
        return super()._all_reduce_sum_gradients(grads_and_vars)

    def apply(self, grads, trainable_variables=None):
        """Updates all variables; as of `keras.optimizers.Optimizer`."""
        # Of this call only: its tensors belong to the graph that is being traced.
        self._factors = {}
        try:
            return super().apply(grads, trainable_variables)
        finally:
            self._factors = None

    def update_step(self, gradient, variable, learning_rate):
        """Updates one variable and its state."""
        index = self._get_variable_index(variable)
        variable, *state = (
            part.value if isinstance(part, keras.Variable) else part
            for part in (variable, *self._state(index))
        )
        dtype = variable.dtype
        # Once for all variables, since a model has thousands.
        if dtype not in self._factors:
            constants = {
                "lr": tf.cast(learning_rate, dtype),
                "beta1": tf.constant(self.beta_1, dtype),
                "beta2": tf.constant(self.beta_2, dtype),
                "epsilon": tf.constant(self.epsilon, dtype),
            }
            step = tf.cast(self.iterations.value + 1, dtype)
            self._factors[dtype] = constants | self._powers(constants, step)
        moments = {name: part.handle for name, part in zip("mv", state, strict=True)}
        gradient = tf.cast(gradient, dtype)
        self._operation(var=variable.handle, grad=gradient, **moments, **self._factors[dtype])


@keras.saving.register_keras_serializable("tf_marscf")
class FusedAdamax(_Fused, keras.optimizers.Adamax):
    """Keras's Adamax (Kingma & Ba, 2015, Section 7.1) with TensorFlow's fused update.

        m = m + (1 - beta_1) (g - m)
        u = max(beta_2 u, |g|)
        variable = variable - learning_rate / (1 - beta_1^t) * m / (u + epsilon)

    Arguments and state are those of Keras's.
    """

    _operation = staticmethod(tf.raw_ops.ResourceApplyAdaMax)

    def _state(self, index):
        return self._m[index], self._u[index]

    def _powers(self, constants, step):
        return {"beta1_power": constants["beta1"] ** step}


@keras.saving.register_keras_serializable("tf_marscf")
class FusedAdam(_Fused, keras.optimizers.Adam):
    """Keras's Adam (Kingma & Ba, 2015, Section 2) with TensorFlow's fused update.

        m = m + (1 - beta_1) (g - m)
        v = v + (1 - beta_2) (g^2 - v)
        rate = learning_rate sqrt(1 - beta_2^t) / (1 - beta_1^t)
        variable = variable - rate * m / (sqrt(v) + epsilon)

    Arguments and state are those of Keras's.
    """

    _operation = staticmethod(tf.raw_ops.ResourceApplyAdam)

    def _state(self, index):
        return self._momentums[index], self._velocities[index]

    def _powers(self, constants, step):
        return {f"beta{number}_power": constants[f"beta{number}"] ** step for number in (1, 2)}
