"""Small models for the tests, with weights that make every layer matter."""

import tensorflow as tf

import tf_marscf

OPTIONS = {
    "num_levels": 2,
    "num_steps": 1,
    "hidden_channels": 8,
    "prior_hidden_channels": 4,
    "prior_num_layers": 2,
    "num_blocks": 1,
    "num_components": 3,
    "seed": 1,
}

# Both couplings and both priors, in two models: tests of what is around a model, which neither a
# coupling nor a prior sees of the other, need no more.
BOTH_OF_ALL = [
    {"coupling": "affine", "prior": "mar"},
    {"coupling": "mixlogcdf", "prior": "gaussian"},
]


def ids_of_options(options):
    """The name of a case in pytest's output."""
    return "-".join(str(value) for value in options.values())


def randomize(module, scale=0.1, seed=0):
    """Adds noise to every weight: new couplings are the identity, which would hide mistakes."""
    for index, variable in enumerate(module.trainable_variables):
        variable.assign_add(
            tf.random.stateless_normal(variable.shape, [seed, index], 0.0, scale, variable.dtype)
        )
    return module


def small_model(image_shape=(8, 8, 1), **options):
    """A `MarScf` with random weights."""
    return randomize(tf_marscf.MarScf(image_shape, **(OPTIONS | options)))


def random_images(*shape, dtype="float32", seed=0):
    """Noise with the spread of images."""
    return tf.random.stateless_uniform(shape, [seed, 7], -0.5, 0.5, dtype=dtype)


def greatest_difference(first, second):
    """The largest absolute difference of two tensors, as a Python float."""
    return float(tf.reduce_max(tf.abs(first - second)))
