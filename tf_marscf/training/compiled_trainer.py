"""How a Keras model that trains a distribution is compiled, by Keras and by XLA."""

import keras

from tf_marscf.config import CompilationConfig
from tf_marscf.kernels.choices import is_compiled
from tf_marscf.kernels.compiled_by_xla import whole_by_xla
from tf_marscf.training.fit_arguments import check_no_losses, check_optimizer


class CompiledTrainer(keras.Model):
    """A Keras model of which XLA compiles what is large of a step, and never the whole.

    A step that XLA compiled as a whole could not raise. Nor would Keras have it compiled where
    operations are deterministic, as in `bin/train.py`, or on several devices.

    Attributes:
        compiles_steps: whether XLA compiles densities and gradients of steps; see `compile`.
    """

    compiles_steps = False
    _jit_compile_argument = "auto"

    def compile(
        self,
        optimizer="rmsprop",
        loss=None,
        loss_weights=None,
        metrics=None,
        weighted_metrics=None,
        run_eagerly=False,
        steps_per_execution=1,
        jit_compile="auto",
        **kwargs,
    ):
        """As Keras's `compile`, and makes the optimizer's variables.

        `jit_compile` is as of `CompilationConfig`. Eager steps are not compiled by XLA.

        Raises:
            InputError: if there is a loss or metric, or the optimizer changes gradients.
        """
        self._jit_compile_argument = CompilationConfig(jit_compile=jit_compile).jit_compile
        check_no_losses(
            loss=loss, loss_weights=loss_weights, metrics=metrics, weighted_metrics=weighted_metrics
        )
        optimizer = keras.optimizers.get(optimizer)
        if optimizer is not None:
            check_optimizer(optimizer, self.distribute_strategy.num_replicas_in_sync)
            with self.distribute_strategy.scope():
                optimizer.build([weight.value for weight in self.trainable_weights])
        self.compiles_steps = not run_eagerly and is_compiled(self._jit_compile_argument)
        super().compile(
            optimizer=optimizer,
            run_eagerly=run_eagerly,
            steps_per_execution=steps_per_execution,
            jit_compile=False,
            **kwargs,
        )

    def get_compile_config(self):
        """The arguments of `compile`, as a dict that `compile_from_config` takes."""
        config = super().get_compile_config()
        return config | {"jit_compile": self._jit_compile_argument} if config else config

    def compile_from_config(self, config):
        """Compiles a loaded trainer as it was when it was saved."""
        self.compile(**keras.saving.deserialize_keras_object(config))

    def predict_step(self, data):
        """Log-probabilities of a batch."""
        return whole_by_xla(super().predict_step, self.compiles_steps)(data)
