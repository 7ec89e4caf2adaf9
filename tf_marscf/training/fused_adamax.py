"""Adamax, one operation a variable."""

import keras
import tensorflow as tf


class FusedAdamax(keras.optimizers.Adamax):
    """Keras's Adamax (Kingma & Ba, 2015, Section 7.1) with TensorFlow's fused update.

        m = m + (1 - beta_1) (g - m)
        u = max(beta_2 u, |g|)
        variable = variable - learning_rate / (1 - beta_1^t) * m / (u + epsilon)

    Keras runs many operations a variable, most of which pass through memory; here it is one, which
    passes once. Arguments and state are those of `keras.optimizers.Adamax`.
    """

    def update_step(self, gradient, variable, learning_rate):
        """Updates one variable and its state."""
        index = self._get_variable_index(variable)
        variable, momentum, norm = (
            part.value if isinstance(part, keras.Variable) else part
            for part in (variable, self._m[index], self._u[index])
        )
        dtype = variable.dtype
        tf.raw_ops.ResourceApplyAdaMax(
            var=variable.handle,
            m=momentum.handle,
            v=norm.handle,
            beta1_power=tf.constant(self.beta_1, dtype)
            ** tf.cast(self.iterations.value + 1, dtype),
            lr=tf.cast(learning_rate, dtype),
            beta1=tf.constant(self.beta_1, dtype),
            beta2=tf.constant(self.beta_2, dtype),
            epsilon=tf.constant(self.epsilon, dtype),
            grad=tf.cast(gradient, dtype),
        )
