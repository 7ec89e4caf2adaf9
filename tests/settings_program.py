"""Values of models, in a process with settings: `settings_program.py OUTPUT SETTING ...`."""

import sys

import keras
import numpy as np
import tensorflow as tf

from tests.small_models import OPTIONS

SETTINGS = {
    "channels_first": lambda: keras.config.set_image_data_format("channels_first"),
    "check_numerics": tf.debugging.enable_check_numerics,
    "numpy": tf.experimental.numpy.experimental_enable_numpy_behavior,
    "numpy_float32": lambda: tf.experimental.numpy.experimental_enable_numpy_behavior(
        prefer_float32=True
    ),
    "float64": lambda: keras.config.set_floatx("float64"),
    "float16": lambda: keras.config.set_floatx("float16"),
    "mixed_float16": lambda: keras.mixed_precision.set_global_policy("mixed_float16"),
    "mixed_bfloat16": lambda: keras.mixed_precision.set_global_policy("mixed_bfloat16"),
    "eagerly": lambda: tf.config.run_functions_eagerly(True),
    "soft_placement": lambda: tf.config.set_soft_device_placement(False),
    "auto_jit": lambda: tf.config.optimizer.set_jit(True),
    "seeds": lambda: (keras.utils.set_random_seed(3), tf.random.set_seed(5)),
}


def values(coupling, prior):
    """Of a new model, one with random weights, and one that is initialised."""
    import tf_marscf

    options = OPTIONS | {"num_levels": 2, "coupling": coupling, "prior": prior}
    model = tf_marscf.MarScf((4, 4, 1), **options)
    generator = np.random.default_rng(0)
    pixels = generator.integers(256, size=(2, 4, 4, 1)).astype(np.uint8)
    distribution = tf_marscf.Dequantized(model)
    images = distribution.dequantize(pixels, seed=0)

    @tf.function(autograph=False)
    def log_prob_and_gradients(images):
        with tf.GradientTape() as tape:
            log_prob = model.log_prob(images, dropout_seed=tf.constant([1, 2]))
        gradients = tape.gradient(log_prob, model.trainable_variables)
        return log_prob, tf.stack([tf.norm(part) for part in gradients])

    yield model.log_prob(images)
    for variable in model.trainable_variables:
        variable.assign(variable.numpy() + generator.normal(0.0, 0.1, variable.shape))
    yield model.log_prob(images)
    yield model.sample(2, seed=1, temperature=0.7)
    yield tf.function(lambda: model.sample([2], seed=tf.constant([0, 1])))()
    yield model.decode(model.latents(images))
    yield from log_prob_and_gradients(images)
    yield distribution.bits_per_dim(pixels, seed=1, num_samples=2)
    yield tf.cast(distribution.sample(2, seed=3), tf.float32)
    model.initialize(images)
    yield model.log_prob(images)


if __name__ == "__main__":
    for setting in sys.argv[2:]:
        SETTINGS[setting]()
    found = [
        np.asarray(value)
        for kind in (("affine", "mar"), ("mixlogcdf", "gaussian"))
        for value in values(*kind)
    ]
    np.savez(sys.argv[1], *found)
