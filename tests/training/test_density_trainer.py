"""The Keras model around the distribution: its steps, averages and compilation."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.small_trainers import (
    SIMPLE_OPTIONS,
    random_pixels,
    small_distribution,
    small_trainer,
    weights_of,
)
from tf_marscf.data import padded_evaluation_pipeline
from tf_marscf.training.density_trainer import DensityTrainer
from tf_marscf.training.fused_optimizers import FusedAdamax
from tf_marscf.training.weight_average import WeightAverage

# Both couplings and both priors; one of them with the prior of a split.
every_part = pytest.mark.parametrize(
    "options", [{"coupling": "affine"}, {"coupling": "mixlogcdf"} | SIMPLE_OPTIONS]
)


def test_terms_of_a_step_add_up_to_bits_per_dim():
    trainer = small_trainer(small_distribution(), run_eagerly=True)
    trainer.fit(random_pixels(8), batch_size=8, shuffle=False, verbose=0)
    values = dict(zip(trainer.value_names, trainer.step_values.numpy(), strict=True))
    terms = sum(value for name, value in values.items() if "level" in name)
    assert values["bits_per_dim"] == pytest.approx(terms + np.log2(17), rel=1e-6)
    assert len(trainer.value_names) == 6


def test_epoch_means_are_over_all_steps():
    trainer = small_trainer(small_distribution(**SIMPLE_OPTIONS))
    seen = []
    trainer.fit(
        random_pixels(24),
        batch_size=8,
        shuffle=False,
        verbose=0,
        callbacks=[
            keras.callbacks.LambdaCallback(
                on_train_batch_end=lambda batch, logs: seen.append(trainer.step_values.numpy()[0])
            )
        ],
    )
    assert len(seen) == 3
    assert trainer.epoch_means()["bits_per_dim"] == pytest.approx(np.mean(seen), rel=1e-6)


def test_an_evaluation_leaves_the_means_over_the_epoch_alone():
    """Keras resets metrics before each; a run stopped in an evaluation saves these means."""
    trainer = small_trainer(small_distribution(**SIMPLE_OPTIONS))
    trainer.fit(random_pixels(8), batch_size=8, verbose=0)
    before = trainer.epoch_means()
    trainer.evaluate(random_pixels(4), verbose=0)
    assert trainer.epoch_means() == before


def test_accumulated_parts_take_the_step_of_the_whole_batch():
    """With plain gradient descent the change of the weights is the gradient."""
    results = []
    for parts in (1, 2, 4):
        distribution = small_distribution(num_levels=1, dtype="float64")
        trainer = small_trainer(
            distribution, keras.optimizers.SGD(0.1), num_accumulated_parts=parts
        )
        trainer.fit(random_pixels(8), batch_size=8, shuffle=False, verbose=0)
        results.append([variable.numpy() for variable in distribution.trainable_variables])
    for whole, *accumulated in zip(*results, strict=True):
        for part in accumulated:
            np.testing.assert_allclose(whole, part, atol=1e-12)


def test_average_follows_its_formula_and_is_evaluated_beside_the_weights():
    distribution = small_distribution(**SIMPLE_OPTIONS)
    average_distribution = small_distribution(seed=1, **SIMPLE_OPTIONS)
    average = WeightAverage(distribution, average_distribution, decay=0.5)
    average.start()
    expected = [variable.numpy() for variable in distribution.trainable_variables]
    trainer = small_trainer(distribution, keras.optimizers.SGD(0.1), weight_average=average)
    for step in range(4):
        trainer.fit(random_pixels(8, seed=step), batch_size=8, shuffle=False, verbose=0)
        decay = min(0.5, (1 + step) / (10 + step))
        expected = [
            decay * old + (1.0 - decay) * variable.numpy()
            for old, variable in zip(expected, distribution.trainable_variables, strict=True)
        ]
    for variable, value in zip(average_distribution.trainable_variables, expected, strict=True):
        np.testing.assert_allclose(variable, value, rtol=1e-5, atol=1e-6)
    pixels = random_pixels(6)
    scores = trainer.evaluate(pixels, batch_size=6, verbose=0, return_dict=True)
    alone = small_trainer(average_distribution).evaluate(
        pixels, batch_size=6, verbose=0, return_dict=True
    )
    assert scores["average_bits_per_dim"] == pytest.approx(alone["bits_per_dim"], rel=1e-6)
    assert scores["bits_per_dim"] != scores["average_bits_per_dim"]


def test_images_that_fill_the_last_batch_do_not_count():
    trainer = small_trainer(small_distribution(**SIMPLE_OPTIONS))
    images = tf.data.Dataset.from_tensor_slices(random_pixels(5))
    padded = padded_evaluation_pipeline(images, 4)
    assert [int(tf.reduce_sum(weights)) for _, weights in padded] == [4, 1]
    first = trainer.evaluate(padded, verbose=0, return_dict=True)["bits_per_dim"]
    # The noise of an image depends on its place in a batch of that size.
    distribution = trainer.images_distribution
    scores = [
        distribution.bits_per_dim(pixels, seed=tf.constant([20200620, number]))[:count]
        for number, (pixels, count) in enumerate(
            zip([pixels for pixels, _ in padded], (4, 1), strict=True)
        )
    ]
    assert first == pytest.approx(np.mean(np.concatenate(scores)), rel=1e-6)


@pytest.mark.slow
@every_part
def test_a_step_compiled_with_xla_is_the_step_without(options):
    results = []
    for jit_compile in (False, True):
        distribution = small_distribution(dtype="float64", **options | {"num_levels": 1})
        trainer = small_trainer(
            distribution,
            keras.optimizers.SGD(0.1),
            jit_compile=jit_compile,
            run_eagerly=not jit_compile,
        )
        trainer.fit(random_pixels(4), batch_size=4, shuffle=False, verbose=0)
        results.append([variable.numpy() for variable in distribution.trainable_variables])
    for plain, compiled in zip(*results, strict=True):
        np.testing.assert_allclose(plain, compiled, atol=1e-9)


@every_part
def test_bfloat16_networks_stay_within_a_hundredth_of_a_bit(options):
    pixels = random_pixels(64)
    scores = []
    for network_dtype in (None, "bfloat16"):
        distribution = small_distribution(network_dtype=network_dtype, **options)
        distribution.distribution.initialize(distribution.dequantize(pixels, seed=0))
        trainer = small_trainer(distribution, FusedAdamax(4e-3))
        trainer.fit(pixels, batch_size=16, epochs=8, shuffle=False, verbose=0)
        assert {variable.dtype for variable in distribution.trainable_variables} == {tf.float32}
        scores.append(trainer.evaluate(pixels, verbose=0, return_dict=True)["bits_per_dim"])
        assert np.all(np.isfinite(distribution.sample(2, seed=1)))
    assert scores[0] == pytest.approx(scores[1], abs=0.01)
    assert scores[0] != scores[1]


def test_bfloat16_networks_need_float32_weights():
    with pytest.raises(ValueError, match="`network_dtype`.*'float64'"):
        small_distribution(network_dtype="bfloat16", dtype="float64")
    with pytest.raises(ValueError, match="`network_dtype` must be one of.*'float16'"):
        small_distribution(network_dtype="float16")


@every_part
def test_fit_lowers_bits_per_dim(options):
    distribution = small_distribution(**options)
    pixels = np.zeros_like(random_pixels(32)) + np.arange(8, dtype=np.uint8)[:, None, None]
    distribution.distribution.initialize(distribution.dequantize(pixels, seed=0))
    trainer = small_trainer(distribution)
    before = trainer.evaluate(pixels, batch_size=32, verbose=0, return_dict=True)
    history = trainer.fit(pixels, batch_size=32, epochs=40, verbose=0).history
    after = trainer.evaluate(pixels, batch_size=32, verbose=0, return_dict=True)
    assert after["bits_per_dim"] < before["bits_per_dim"] - 0.5
    assert np.all(np.isfinite(history["gradient_norm"]))


def test_evaluation_weighs_every_image_alike_and_repeats_exactly():
    distribution = small_distribution(**SIMPLE_OPTIONS)
    pixels = random_pixels(5)
    trainer = small_trainer(distribution)
    batches = tf.data.Dataset.from_tensor_slices(pixels).batch(3)
    first = trainer.evaluate(batches, verbose=0, return_dict=True)["bits_per_dim"]
    second = trainer.evaluate(batches, verbose=0, return_dict=True)["bits_per_dim"]
    scores = tf.concat(
        [
            distribution.bits_per_dim(batch, seed=tf.constant([20200620, number]))
            for number, batch in enumerate(batches)
        ],
        axis=0,
    )
    assert first == second
    assert first == pytest.approx(float(tf.reduce_mean(scores)), rel=1e-6)


def test_training_step_draws_the_same_noise_for_the_same_step():
    results = []
    for _ in range(2):
        distribution = small_distribution(coupling="mixlogcdf", dropout_rate=0.5, **SIMPLE_OPTIONS)
        trainer = small_trainer(distribution, seed=3)
        trainer.fit(random_pixels(16), batch_size=8, epochs=1, shuffle=False, verbose=0)
        results.append(weights_of(distribution))
    for first, second in zip(*results, strict=True):
        np.testing.assert_allclose(first, second, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("jit_compile", [False, True])
def test_non_finite_loss_stops_before_any_weight_changes(jit_compile):
    distribution = small_distribution(**SIMPLE_OPTIONS)
    bias = distribution.distribution.levels[0].level_bijector.bijectors[1].act_norm.bias
    bias.assign(tf.fill(bias.shape, np.nan))
    trainer = small_trainer(distribution, jit_compile=jit_compile)
    before = weights_of(distribution)
    with pytest.raises(tf.errors.InvalidArgumentError, match="loss is not finite"):
        trainer.fit(random_pixels(8), batch_size=8, verbose=0)
    for earlier, later in zip(before, weights_of(distribution), strict=True):
        np.testing.assert_array_equal(earlier, later)
    assert int(trainer.optimizer.iterations.numpy()) == 0


def test_gradient_is_clipped_to_its_norm():
    # With plain gradient descent at rate 1 the change of the weights is the clipped gradient.
    distribution = small_distribution(**SIMPLE_OPTIONS)
    trainer = DensityTrainer(distribution, clip_norm=1e-3)
    optimizer = keras.optimizers.SGD(1.0)
    optimizer.build(distribution.trainable_variables)
    trainer.compile(optimizer=optimizer)
    before = [variable.numpy() for variable in distribution.trainable_variables]
    trainer.fit(random_pixels(8), batch_size=8, verbose=0)
    change = [
        variable.numpy() - earlier
        for variable, earlier in zip(distribution.trainable_variables, before, strict=True)
    ]
    norm = np.sqrt(sum(np.sum(np.square(part)) for part in change))
    assert norm == pytest.approx(1e-3, rel=1e-3)


@pytest.mark.slow
def test_training_on_uniform_noise_stays_finite():
    # The published code ended in NaN on this: no structure to learn, full learning rate at once.
    distribution = small_distribution(num_steps=2, hidden_channels=32)
    pixels = random_pixels(64)
    distribution.distribution.initialize(distribution.dequantize(pixels, seed=0))
    trainer = small_trainer(distribution, FusedAdamax(8e-3))
    history = trainer.fit(pixels, batch_size=16, epochs=60, verbose=0).history
    assert np.all(np.isfinite(history["bits_per_dim"]))
    assert history["bits_per_dim"][-1] < history["bits_per_dim"][0]
