"""Adamax, one operation a variable."""

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable("tf_marscf")
class FusedAdamax(keras.optimizers.Adamax):
    """Keras's Adamax (Kingma & Ba, 2015, Section 7.1) with TensorFlow's fused update.

        m = m + (1 - beta_1) (g - m)
        u = max(beta_2 u, |g|)
        variable = variable - learning_rate / (1 - beta_1^t) * m / (u + epsilon)

    Keras runs many operations a variable, most of which pass through memory; here it is one, which
    passes once. Arguments and state are those of `keras.optimizers.Adamax`.
    """

    _factors = None

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
        variable, momentum, norm = (
            part.value if isinstance(part, keras.Variable) else part
            for part in (variable, self._m[index], self._u[index])
        )
        tf.raw_ops.ResourceApplyAdaMax(
            var=variable.handle,
            m=momentum.handle,
            v=norm.handle,
            grad=tf.cast(gradient, variable.dtype),
            **self._factors_of_all(variable.dtype, learning_rate),
        )

    def _factors_of_all(self, dtype, learning_rate):
        """The scalars of a step; made once for all variables, since a model has thousands."""
        if dtype not in self._factors:
            beta_1 = tf.constant(self.beta_1, dtype)
            self._factors[dtype] = {
                "beta1_power": beta_1 ** tf.cast(self.iterations.value + 1, dtype),
                "lr": tf.cast(learning_rate, dtype),
                "beta1": beta_1,
                "beta2": tf.constant(self.beta_2, dtype),
                "epsilon": tf.constant(self.epsilon, dtype),
            }
        return self._factors[dtype]
