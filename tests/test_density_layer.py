"""A distribution in people's own Keras models."""

import copy
import pathlib
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

import tf_marscf
from tests.running_commands import ForkedScript
from tests.small_models import (
    BOTH_OF_ALL,
    greatest_difference,
    ids_of_options,
    random_images,
    small_model,
)
from tests.tiny_trainers import PIXELS, assert_same, differs, tiny_distribution
from tf_marscf.errors import InputError, InputTypeError
from tf_marscf.stateless_seed import split_seed

IMAGES = random_images(4, 8, 8, 1)


def tiny_model(**kwargs):
    return tiny_distribution(**kwargs).distribution


@keras.saving.register_keras_serializable("test_density_layer")
def negative(_, log_prob):
    """The loss of a model that gives log-densities."""
    return -log_prob


def density_model(layer, run_eagerly=True, **kwargs):
    """A functional model that is fitted to images."""
    dtype = "uint8" if isinstance(layer.distribution, tf_marscf.Dequantized) else layer.dtype
    images = keras.Input((8, 8, 1), dtype=dtype)
    model = keras.Model(images, layer(images))
    model.compile(keras.optimizers.Adamax(1e-2), loss=negative, run_eagerly=run_eagerly, **kwargs)
    return model


def fit(model, images, epochs=1, **kwargs):
    options = {"batch_size": 4, "shuffle": False, "verbose": 0} | kwargs
    return model.fit(images, np.zeros(len(images)), epochs=epochs, **options).history["loss"]


def test_a_call_is_the_log_density():
    model = small_model()
    layer = tf_marscf.DensityLayer(model)
    np.testing.assert_array_equal(layer(IMAGES), model.log_prob(IMAGES))
    np.testing.assert_array_equal(layer.log_prob(IMAGES), model.log_prob(IMAGES))
    assert layer.distribution is layer.model is model
    np.testing.assert_array_equal(layer.sample(2, seed=1), model.sample(2, seed=1))
    with pytest.raises(InputTypeError, match="`distribution` of this layer must be a Dequantized"):
        layer.bits_per_dim(PIXELS)


def test_noise_is_new_in_training_and_the_same_elsewhere():
    layer = tf_marscf.DensityLayer(tiny_distribution(), seed=3)
    np.testing.assert_array_equal(layer(PIXELS), layer(PIXELS))
    first, second = (layer(PIXELS, training=True) for _ in range(2))
    assert greatest_difference(first, second) > 0.0
    again = tf_marscf.DensityLayer(layer.distribution, seed=3)
    np.testing.assert_array_equal(again(PIXELS, training=True), first)
    seed, _ = split_seed([3, 0], 2)
    np.testing.assert_allclose(first, layer.distribution.log_prob(PIXELS, seed=seed), rtol=1e-6)


def test_dropout_is_on_in_training():
    layer = tf_marscf.DensityLayer(small_model(coupling="mixlogcdf", dropout_rate=0.5), seed=3)
    first, second = (layer(IMAGES, training=True) for _ in range(2))
    assert greatest_difference(first, second) > 0.0
    np.testing.assert_array_equal(layer(IMAGES), layer.model.log_prob(IMAGES))


def test_weights_are_shared_and_each_is_one():
    distribution = tiny_distribution()
    first = tf_marscf.DensityLayer(distribution)
    second = tf_marscf.DensityLayer(distribution.distribution)
    assert {id(weight) for weight in first.weights} == {id(weight) for weight in second.weights}
    assert first.count_params() == sum(part.shape.num_elements() for part in first.model.variables)
    for weight, variable in zip(
        first.trainable_weights, first.model.trainable_variables, strict=True
    ):
        assert weight.value is variable
    images = keras.Input((8, 8, 1))
    both = keras.Model(images, [second(images), tf_marscf.DensityLayer(second.model)(images)])
    assert len(both.weights) == len(first.weights)


def test_a_functional_model_trains_the_distribution():
    layer = tf_marscf.DensityLayer(tiny_distribution(), seed=0)
    layer.initialize(PIXELS)
    model = density_model(layer, run_eagerly=False)
    before = layer.get_weights()
    losses = fit(model, PIXELS, epochs=5)
    assert losses[-1] < losses[0]
    assert differs(before, layer.get_weights())
    expected = layer.distribution.log_prob(PIXELS, seed=split_seed(20200620, 2)[0])
    np.testing.assert_allclose(model.predict(PIXELS, verbose=0), expected, rtol=1e-5)


def test_initialize_sets_act_norm():
    layer = tf_marscf.DensityLayer(tiny_distribution())
    before = layer.get_weights()
    layer.initialize(PIXELS)
    assert differs(before, layer.get_weights())
    assert layer.bits_per_dim(PIXELS, seed=0).shape == (8,)


def test_float64_models_take_the_images_of_keras():
    layer = tf_marscf.DensityLayer(tiny_model(dtype="float64"))
    assert layer(IMAGES.numpy()).dtype == tf.float64
    model = density_model(layer)
    before = layer.get_weights()
    fit(model, IMAGES.numpy())
    assert differs(before, layer.get_weights())
    assert {weight.dtype for weight in layer.weights} == {"float64"}


def test_a_policy_of_mixed_precision_leaves_densities_alone():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        layer = tf_marscf.DensityLayer(tiny_model())
        outer = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Identity(), layer])
        log_prob = outer(IMAGES)
    finally:
        keras.config.set_dtype_policy("float32")
    assert log_prob.dtype == tf.float32
    rounded = tf.cast(tf.cast(IMAGES, tf.bfloat16), tf.float32)
    np.testing.assert_allclose(log_prob, layer.model.log_prob(rounded), rtol=1e-5)


@pytest.mark.parametrize("options", BOTH_OF_ALL, ids=ids_of_options)
def test_a_saved_model_is_the_model(tmp_path, options):
    model = small_model(num_levels=1, validate_args=True, **options)
    distribution = tf_marscf.Dequantized(model, 17, published_scaling=True)
    model = density_model(tf_marscf.DensityLayer(distribution, seed=1))
    fit(model, PIXELS)
    model.save(tmp_path / "a.keras")
    loaded = keras.models.load_model(tmp_path / "a.keras")
    assert loaded.layers[-1].model.config == distribution.distribution.config
    assert loaded.layers[-1].model.validate_args
    np.testing.assert_array_equal(loaded(PIXELS), model(PIXELS))
    # Its noise and its optimizer go on where they were.
    assert fit(loaded, PIXELS) == fit(model, PIXELS)
    assert_same(loaded.get_weights(), model.get_weights())


@pytest.mark.slow
def test_another_process_loads_a_saved_model(tmp_path):
    images = keras.Input((8, 8, 1))
    model = keras.Model(images, tf_marscf.DensityLayer(tiny_model())(images))
    model.save(tmp_path / "a.keras")
    np.save(tmp_path / "images.npy", IMAGES)
    program = (
        "import sys, keras, numpy as np; from tf_marscf import DensityLayer; "
        "model = keras.models.load_model('a.keras'); "
        "np.save('log_prob.npy', model.predict(np.load('images.npy'), verbose=0))"
    )
    root = pathlib.Path(tf_marscf.__file__).parents[1]
    subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(root)!r}); {program}"],
        cwd=tmp_path,
        check=True,
    )
    np.testing.assert_array_equal(
        np.load(tmp_path / "log_prob.npy"), model.predict(IMAGES, verbose=0)
    )


def test_weights_files_do_not_depend_on_what_was_frozen(tmp_path):
    first = density_model(tf_marscf.DensityLayer(tiny_model()))
    first.save_weights(tmp_path / "a.weights.h5")
    layer = tf_marscf.DensityLayer(tiny_model(seed=1), trainable=False)
    second = density_model(tf_marscf.DensityLayer(layer.model))
    second.load_weights(tmp_path / "a.weights.h5")
    assert_same(first.get_weights(), second.get_weights())
    np.testing.assert_array_equal(first(IMAGES), second(IMAGES))


def test_an_exported_model_is_the_model(tmp_path):
    model = density_model(tf_marscf.DensityLayer(tiny_model()))
    model.export(tmp_path / "exported", verbose=False)
    exported = tf.saved_model.load(str(tmp_path / "exported"))
    np.testing.assert_allclose(exported.serve(IMAGES), model(IMAGES), rtol=1e-5)


def test_checkpoints_hold_each_weight_once(tmp_path):
    layer = tf_marscf.DensityLayer(tiny_model())
    path = tf.train.Checkpoint(layer).write(str(tmp_path / "checkpoint"))
    names = [name for name, _ in tf.train.list_variables(path)]
    assert len([name for name in names if "VARIABLE_VALUE" in name]) == len(layer.weights)
    other = tf_marscf.DensityLayer(tiny_model(seed=1))
    tf.train.Checkpoint(other).read(path).assert_consumed()
    assert_same(layer.get_weights(), other.get_weights())


def test_clones_and_copies_have_weights_of_their_own():
    model = density_model(tf_marscf.DensityLayer(tiny_model(seed=None)))
    clone, copied = keras.models.clone_model(model), copy.deepcopy(model)
    assert differs(clone.get_weights(), model.get_weights())
    np.testing.assert_array_equal(copied(IMAGES), model(IMAGES))
    fit(model, IMAGES)
    assert differs(copied.get_weights(), model.get_weights())


def test_a_frozen_layer_does_not_train():
    layer = tf_marscf.DensityLayer(tiny_model(), trainable=False)
    assert layer.trainable_weights == []
    scale = keras.layers.Dense(1)
    images = keras.Input((8, 8, 1))
    model = keras.Model(images, scale(layer(images)[:, None]))
    model.compile("sgd", loss=negative, run_eagerly=True)
    before, scale_before = layer.get_weights(), scale.get_weights()
    fit(model, IMAGES)
    assert_same(before, layer.get_weights())
    assert differs(scale_before, scale.get_weights())
    layer.trainable = True
    assert len(layer.trainable_weights) == len(layer.model.trainable_variables)
    model.compile("sgd", loss=negative, run_eagerly=True)
    fit(model, IMAGES)
    assert differs(before, layer.get_weights())


def test_other_distributions_are_refused():
    model = tiny_model()
    for distribution in (model.distribution, keras.layers.Dense(1), None):
        with pytest.raises(InputTypeError, match="`distribution` must be a MarScf, or a Dequantiz"):
            tf_marscf.DensityLayer(distribution)


def test_other_weights_than_its_own_are_refused():
    """A stateless call gives values for weights; the distribution would not see them."""
    model = density_model(tf_marscf.DensityLayer(tiny_model()))
    values = [tf.zeros_like(weight.value) for weight in model.trainable_variables]
    others = [weight.value for weight in model.non_trainable_variables]
    with pytest.raises(InputError, match="`stateless_call`.*its own weights"):
        model.stateless_call(values, others, IMAGES)


class Vae(keras.Model):
    """A variational autoencoder whose prior is a `MarScf` over maps of latents."""

    def __init__(self, prior):
        super().__init__()
        self.prior = prior
        self.encoder = keras.layers.Conv2D(8, 3, 2, padding="same")
        self.decoder = keras.layers.Conv2DTranspose(1, 3, 2, padding="same")
        self.noise = keras.random.SeedGenerator(0)

    def call(self, images, training=False):
        mean, log_scale = tf.split(self.encoder(images), 2, axis=-1)
        noise = keras.random.normal(tf.shape(mean), seed=self.noise)
        latents = mean + tf.exp(log_scale) * noise
        entropy = tf.reduce_sum(log_scale, axis=(1, 2, 3))
        log_prior = self.prior(latents, training=training)
        self.add_loss(-tf.reduce_mean(log_prior + entropy))
        return self.decoder(latents)


def test_a_vae_trains_its_prior():
    prior = tf_marscf.DensityLayer(
        tf_marscf.MarScf((4, 4, 4), num_levels=1, num_steps=1, hidden_channels=4, seed=0,
                         prior_hidden_channels=4, prior_num_layers=1)
    )  # fmt: skip
    vae = Vae(prior)
    vae.compile(keras.optimizers.Adam(1e-2), loss="mse")
    images = 3.0 + random_images(32, 8, 8, 1).numpy()
    before = [weight.numpy() for weight in prior.trainable_weights]
    losses = vae.fit(images, images, batch_size=16, epochs=8, verbose=0).history["loss"]
    assert losses[-1] < losses[0] - 1.0
    changed = [
        np.any(weight.numpy() != earlier)
        for weight, earlier in zip(prior.trainable_weights, before, strict=True)
    ]
    assert all(changed)
    assert len(vae.trainable_weights) == len(prior.trainable_weights) + 4


class InLayer(keras.layers.Layer):
    """A person's own layer that holds the prior."""

    def __init__(self, prior):
        super().__init__()
        self.priors = {"image": prior}

    def call(self, images):
        return self.priors["image"](images)


def test_layers_of_layers_show_the_weights():
    layer = tf_marscf.DensityLayer(tiny_model())
    outer = keras.Sequential([keras.Input((8, 8, 1)), InLayer(layer)])
    outer.compile(keras.optimizers.SGD(1e-3), loss=negative, run_eagerly=True)
    assert len(outer.trainable_weights) == len(layer.model.trainable_variables)
    before = layer.get_weights()
    fit(outer, IMAGES)
    assert differs(before, layer.get_weights())


@pytest.mark.slow
def test_xla_compiles_a_model_with_the_layer():
    results = []
    for jit_compile in (False, True):
        layer = tf_marscf.DensityLayer(tiny_distribution(dtype="float64"), seed=0)
        model = density_model(layer, run_eagerly=False, jit_compile=jit_compile)
        fit(model, PIXELS)
        results.append(layer.get_weights())
    for plain, compiled in zip(*results, strict=True):
        np.testing.assert_allclose(plain, compiled, atol=1e-9)


@pytest.mark.slow
def test_two_devices_train_as_one_does(tmp_path):
    program = pathlib.Path(__file__).with_name("layer_strategy_program.py")
    process = ForkedScript(program, tmp_path)
    _, stderr = process.communicate()
    assert process.returncode == 0, stderr
