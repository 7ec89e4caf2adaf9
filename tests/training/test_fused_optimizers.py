"""The fused optimizers are Keras's."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tf_marscf.training.fused_optimizers import FusedAdam, FusedAdamax
from tf_marscf.training.warm_up_schedule import WarmUpSchedule

OPTIONS = {"beta_1": 0.8, "beta_2": 0.9, "epsilon": 1e-3}


def run(optimizer, dtype, num_steps=6):
    """Minimises a sum of fourth powers of two variables; returns variables and state."""
    variables = [
        tf.Variable(tf.random.stateless_normal(shape, [1, len(shape)], dtype=dtype))
        for shape in ([3, 4], [5])
    ]
    optimizer.build(variables)

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            loss = tf.add_n([tf.reduce_sum(variable**4) for variable in variables])
        gradients = tape.gradient(loss, variables)
        optimizer.apply_gradients(zip(gradients, variables, strict=True))

    for _ in range(num_steps):
        step()
    return [*variables, *(variable.value for variable in optimizer.variables)]


@pytest.mark.parametrize(
    ("fused_class", "plain_class"),
    [(FusedAdamax, keras.optimizers.Adamax), (FusedAdam, keras.optimizers.Adam)],
)
@pytest.mark.parametrize("dtype", [tf.float32, tf.float64])
def test_steps_and_state_are_those_of_keras(dtype, fused_class, plain_class):
    schedule = WarmUpSchedule(0.1, batch_size=2, warm_up_images=6)
    fused = run(fused_class(schedule, **OPTIONS), dtype)
    plain = run(plain_class(schedule, **OPTIONS), dtype)
    assert len(fused) == len(plain)
    for ours, theirs in zip(fused, plain, strict=True):
        # Keras rounds its constants to float32.
        np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-6)


def test_steps_are_exact_in_float64():
    first, *_ = run(FusedAdamax(0.125, **OPTIONS), tf.float64)
    x = run(FusedAdamax(0.125, **OPTIONS), tf.float64, num_steps=0)[0].numpy()
    m, u = np.zeros_like(x), np.zeros_like(x)
    for step in range(1, 7):
        gradient = 4.0 * x**3
        m = 0.8 * m + 0.2 * gradient
        u = np.maximum(0.9 * u, np.abs(gradient))
        x = x - 0.125 / (1.0 - 0.8**step) * m / (u + 1e-3)
    np.testing.assert_allclose(first, x, rtol=1e-13)


@pytest.mark.parametrize(
    ("optimizer_class", "operation", "num_powers"),
    [(FusedAdamax, "ResourceApplyAdaMax", 1), (FusedAdam, "ResourceApplyAdam", 2)],
)
def test_a_step_is_one_operation_a_variable(optimizer_class, operation, num_powers):
    optimizer = optimizer_class(0.1)
    variables = [tf.Variable(tf.ones([2])) for _ in range(3)]
    optimizer.build(variables)

    @tf.function
    def step():
        optimizer.apply_gradients([(tf.ones([2]), variable) for variable in variables])

    operations = step.get_concrete_function().graph.get_operations()
    assert sum(op.type == operation for op in operations) == len(variables)
    # The one that is assigned counts the steps.
    assert sum("Assign" in op.type for op in operations) == 1
    # The scalars are the same for all variables.
    assert sum(op.type == "Pow" for op in operations) == num_powers
    step()
    np.testing.assert_allclose(variables[0], 0.9 * np.ones(2), rtol=1e-5)
    assert int(optimizer.iterations) == 1


@pytest.mark.parametrize("optimizer_class", [FusedAdam, FusedAdamax])
def test_config_builds_the_same_optimizer(optimizer_class):
    optimizer = optimizer_class(0.1, **OPTIONS)
    copy = optimizer_class.from_config(optimizer.get_config())
    assert copy.get_config() == optimizer.get_config()
