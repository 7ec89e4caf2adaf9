"""Keras sees the weights of a `DensityTrainer`: its callbacks, and saving."""

import copy
import pathlib
import pickle

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.small_trainers import small_distribution, weights_of
from tests.tiny_trainers import (
    PIXELS,
    assert_same,
    differs,
    fit,
    score,
    tiny_distribution,
    tiny_trainer,
)
from tf_marscf.errors import InputError
from tf_marscf.training.density_trainer import DensityTrainer
from tf_marscf.training.fused_optimizers import FusedAdamax
from tf_marscf.training.warm_up_schedule import WarmUpSchedule
from tf_marscf.training.weight_average import WeightAverage

MONITORED = {"monitor": "val_bits_per_dim", "mode": "min"}


def test_summary_counts_every_parameter(capsys):
    distribution = small_distribution()
    trainer = DensityTrainer(distribution)
    counts = [
        sum(variable.shape.num_elements() for variable in variables)
        for variables in (distribution.variables, distribution.trainable_variables)
    ]
    assert trainer.count_params() == counts[0]
    trainer.summary()
    printed = capsys.readouterr().out
    assert f"Total params: {counts[0]:,}" in printed
    assert f"Trainable params: {counts[1]:,}" in printed


def test_weights_are_the_variables_themselves():
    distribution = small_distribution(coupling="mixlogcdf")
    trainer = DensityTrainer(distribution)
    for weights, variables in (
        (trainer.trainable_weights, distribution.trainable_variables),
        (trainer.weights, sorted(distribution.variables, key=lambda part: not part.trainable)),
    ):
        assert all(weight.value is part for weight, part in zip(weights, variables, strict=True))
    assert len({weight.path for weight in trainer.weights}) == len(trainer.weights)


def test_weights_file_gives_the_weights_back_exactly(tmp_path):
    trainer, other = tiny_trainer(), tiny_trainer(distribution=tiny_distribution(seed=1))
    fit(trainer)
    assert score(other) != score(trainer)
    trainer.save_weights(tmp_path / "a.weights.h5")
    other.load_weights(tmp_path / "a.weights.h5")
    assert_same(weights_of(other.images_distribution), weights_of(trainer.images_distribution))
    assert score(other) == score(trainer)
    assert int(other.optimizer.iterations) == 2


def test_set_weights_sets_what_get_weights_gave():
    trainer, other = tiny_trainer(), tiny_trainer(distribution=tiny_distribution(seed=1))
    other.set_weights(trainer.get_weights())
    assert score(other) == score(trainer)


def test_weights_of_another_architecture_are_refused(tmp_path):
    tiny_trainer().save_weights(tmp_path / "a.weights.h5")
    other = tiny_trainer(distribution=tiny_distribution(hidden_channels=6))
    before = weights_of(other.images_distribution)
    with pytest.raises(ValueError, match="could not be loaded|shape"):
        other.load_weights(tmp_path / "a.weights.h5")
    assert before[0].shape == weights_of(other.images_distribution)[0].shape


@pytest.mark.parametrize("weights_only", [True, False])
def test_model_checkpoint_keeps_the_best(tmp_path, weights_only):
    path = tmp_path / ("best.weights.h5" if weights_only else "best.keras")
    trainer = tiny_trainer(keras.optimizers.Adamax(1e-2))
    callback = keras.callbacks.ModelCheckpoint(
        path, save_best_only=True, save_weights_only=weights_only, **MONITORED
    )
    history = fit(trainer, 3, callback, validation_data=PIXELS)
    if weights_only:
        restored = tiny_trainer(distribution=tiny_distribution(seed=1))
        restored.load_weights(path)
    else:
        restored = keras.models.load_model(path)
    evaluated = restored.evaluate(PIXELS, batch_size=4, verbose=0, return_dict=True)
    assert evaluated["bits_per_dim"] == min(history["val_bits_per_dim"])


def test_early_stopping_restores_the_best_weights():
    """A learning rate that is far too high: the first epoch is the best."""
    trainer = tiny_trainer(keras.optimizers.SGD(1e-3))
    schedule = keras.callbacks.LearningRateScheduler(lambda epoch: 1e-3 if epoch == 0 else 0.3)
    best = keras.callbacks.EarlyStopping(patience=2, restore_best_weights=True, **MONITORED)
    history = fit(trainer, 8, [schedule, best], validation_data=PIXELS)["val_bits_per_dim"]
    evaluated = trainer.evaluate(PIXELS, batch_size=4, verbose=0, return_dict=True)
    assert evaluated["bits_per_dim"] == min(history)
    assert len(history) < 8
    assert history[-1] > min(history)


class StoppedHere(Exception):
    pass


class StopAfter(keras.callbacks.Callback):
    """Ends a run in the middle of an epoch, as a signal would."""

    def __init__(self, num_steps):
        super().__init__()
        self.num_steps = num_steps

    def on_train_batch_end(self, batch, logs=None):
        self.num_steps -= 1
        if not self.num_steps:
            raise StoppedHere


@pytest.mark.parametrize("average_decay", [None, 0.5])
def test_backup_and_restore_continues_bit_for_bit(tmp_path, average_decay):
    def trainer():
        distribution = tiny_distribution()
        average = None
        if average_decay:
            average = WeightAverage(distribution, tiny_distribution(seed=1), average_decay)
            average.start()
        return tiny_trainer(FusedAdamax(1e-2), distribution, weight_average=average)

    def backup():
        return keras.callbacks.BackupAndRestore(tmp_path / "backup")

    unbroken = trainer()
    fit(unbroken, 3)
    with pytest.raises(StoppedHere):
        fit(trainer(), 3, [backup(), StopAfter(3)])
    resumed = trainer()
    history = fit(resumed, 3, backup())
    assert len(history["bits_per_dim"]) == 2
    assert_same(resumed.get_weights(), unbroken.get_weights())
    assert int(resumed.optimizer.iterations) == 6


def test_swap_ema_weights_evaluates_the_optimizers_average(tmp_path):
    optimizer = FusedAdamax(1e-2, use_ema=True, ema_momentum=0.5)
    trainer = tiny_trainer(optimizer)
    seen = []

    class KeepWeights(keras.callbacks.Callback):
        def on_test_begin(self, logs=None):
            averages = optimizer._model_variables_moving_average
            trained = [weight.numpy() for weight in trainer.trainable_weights]
            seen.append((trained, [average.numpy() for average in averages]))

    swap = keras.callbacks.SwapEMAWeights()
    fit(trainer, 1, [KeepWeights(), swap, KeepWeights()], validation_data=PIXELS)
    (weights, averages), (swapped, _) = seen
    assert differs(weights, averages)
    for average, weight in zip(averages, swapped, strict=True):
        np.testing.assert_allclose(weight, average, atol=1e-6)
    final = [weight.numpy() for weight in trainer.trainable_weights]
    for average, weight in zip(averages, final, strict=True):
        np.testing.assert_allclose(weight, average, atol=1e-6)


def test_swap_ema_weights_needs_an_optimizer_with_averages():
    with pytest.raises(ValueError, match="use_ema"):
        fit(tiny_trainer(), 1, keras.callbacks.SwapEMAWeights(), validation_data=PIXELS)


def test_learning_rates_change_where_they_can():
    trainer = tiny_trainer(FusedAdamax(1e-2))
    reduce = keras.callbacks.ReduceLROnPlateau(factor=0.1, patience=1, min_delta=9.0, **MONITORED)
    fit(trainer, 3, reduce, validation_data=PIXELS)
    assert float(trainer.optimizer.learning_rate) == pytest.approx(1e-4)
    scheduled = tiny_trainer(FusedAdamax(WarmUpSchedule(1e-2, 4)))
    with pytest.raises((TypeError, ValueError), match="LearningRateSchedule|learning_rate"):
        fit(scheduled, 1, keras.callbacks.LearningRateScheduler(lambda epoch: 1e-3))


def test_learning_rate_of_zero_changes_nothing():
    trainer = tiny_trainer(FusedAdamax(1e-2))
    before = weights_of(trainer.images_distribution)
    fit(trainer, 1, keras.callbacks.LearningRateScheduler(lambda epoch: 0.0))
    assert_same(before, weights_of(trainer.images_distribution))


def test_tensorboard_shows_histograms_of_all_weights(tmp_path):
    trainer = tiny_trainer()
    fit(trainer, 1, keras.callbacks.TensorBoard(tmp_path, histogram_freq=1))
    tags = set()
    for path in pathlib.Path(tmp_path).rglob("*tfevents*"):
        for record in tf.data.TFRecordDataset(str(path)):
            event = tf.compat.v1.Event.FromString(record.numpy())
            tags |= {value.tag for value in event.summary.value}
    assert {f"{weight.path}/histogram" for weight in trainer.weights} <= tags
    assert "epoch_bits_per_dim" in tags


@pytest.mark.parametrize("average_decay", [None, 0.5])
def test_a_saved_trainer_goes_on_as_the_one_that_was_saved(tmp_path, average_decay):
    distribution = tiny_distribution(coupling="mixlogcdf", dropout_rate=0.5)
    average = None
    if average_decay:
        averaged = tiny_distribution(coupling="mixlogcdf", dropout_rate=0.5, seed=1)
        average = WeightAverage(distribution, averaged, average_decay)
        average.start()
    optimizer = FusedAdamax(WarmUpSchedule(1e-2, 4, warm_up_images=8))
    trainer = tiny_trainer(optimizer, distribution, weight_average=average, seed=3, clip_norm=0.5)
    fit(trainer)
    trainer.save(tmp_path / "a.keras")
    loaded = keras.models.load_model(tmp_path / "a.keras")
    assert isinstance(loaded.optimizer, FusedAdamax)
    saved = trainer.get_weights()
    assert_same(loaded.get_weights(), saved)
    fit(trainer)
    fit(loaded)
    assert differs(loaded.get_weights(), saved)
    assert_same(loaded.get_weights(), trainer.get_weights())


@pytest.mark.parametrize(
    "copy_of", [copy.deepcopy, lambda trainer: pickle.loads(pickle.dumps(trainer))]
)
def test_copies_have_weights_of_their_own(copy_of):
    trainer = tiny_trainer()
    fit(trainer)
    copied = copy_of(trainer)
    before = copied.get_weights()
    assert_same(before, trainer.get_weights())
    fit(trainer)
    assert_same(before, copied.get_weights())


def test_a_clone_has_the_architecture():
    trainer = tiny_trainer()
    clone = keras.models.clone_model(trainer)
    assert clone.images_distribution.distribution.config == (
        trainer.images_distribution.distribution.config
    )
    assert clone.images_distribution is not trainer.images_distribution


def test_what_is_frozen_does_not_train_and_is_trained_again():
    trainer = tiny_trainer()
    fit(trainer)
    frozen = trainer.trainable_weights[0]
    frozen.trainable = False
    before, weights = frozen.numpy(), trainer.get_weights()
    fit(trainer)
    np.testing.assert_array_equal(frozen.numpy(), before)
    assert differs(trainer.get_weights(), weights)
    trainer.trainable = False
    weights = trainer.get_weights()
    with pytest.raises(InputError, match="`trainable` must be True for some weight; got False"):
        fit(trainer)
    assert_same(weights, trainer.get_weights())
    trainer.trainable = True
    fit(trainer)
    assert np.any(frozen.numpy() != before)


def test_an_optimizer_with_averages_needs_the_weights_it_was_built_for():
    trainer = tiny_trainer(keras.optimizers.Adam(1e-3, use_ema=True))
    trainer.trainable_weights[0].trainable = False
    with pytest.raises(InputError, match="`optimizer` with use_ema.*call `compile`"):
        fit(trainer)
    trainer.compile(keras.optimizers.Adam(1e-3, use_ema=True))
    fit(trainer)


@pytest.mark.parametrize(
    "optimizer",
    [
        keras.optimizers.Adam(1e-3),
        keras.optimizers.SGD(1e-2, momentum=0.9, nesterov=True),
        keras.optimizers.AdamW(1e-3, weight_decay=0.1),
        "rmsprop",
    ],
)
def test_any_keras_optimizer_trains(optimizer):
    trainer = DensityTrainer(tiny_distribution())
    trainer.compile(optimizer)
    history = fit(trainer, 8)
    assert history["bits_per_dim"][-1] < history["bits_per_dim"][0]


@pytest.mark.parametrize("options", [{"run_eagerly": True}, {"steps_per_execution": 2}])
def test_ways_to_run_take_the_same_steps(options):
    results = []
    for kwargs in ({}, options):
        trainer = DensityTrainer(tiny_distribution(dtype="float64"))
        trainer.compile(keras.optimizers.SGD(0.1), **kwargs)
        fit(trainer, 2)
        results.append(trainer.get_weights())
    for one, other in zip(*results, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-12)


def test_predict_gives_log_probabilities():
    trainer = tiny_trainer()
    log_probs = trainer.predict(PIXELS, verbose=0)
    assert log_probs.shape == (8,)
    bits = -log_probs / (64 * np.log(2.0))
    assert np.mean(bits) == pytest.approx(score(trainer), abs=0.05)
    np.testing.assert_array_equal(trainer.predict(PIXELS, verbose=0), log_probs)
    labels = tf.data.Dataset.from_tensor_slices((PIXELS, np.arange(8))).batch(8)
    np.testing.assert_array_equal(trainer.predict(labels, verbose=0), log_probs)
