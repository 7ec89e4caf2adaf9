"""What `DensityTrainer` takes, and refuses at once."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.tiny_trainers import (
    PIXELS,
    assert_same,
    eager_trainer,
    fit,
    tiny_distribution,
    tiny_trainer,
)
from tf_marscf.errors import InputError
from tf_marscf.training.density_trainer import DensityTrainer

LABELS = np.arange(8)


def pairs(labels):
    return tf.data.Dataset.from_tensor_slices((PIXELS, labels)).batch(4)


def weights_after(*data, **kwargs):
    trainer = eager_trainer()
    trainer.fit(*data, shuffle=False, verbose=0, **kwargs)
    return trainer.get_weights()


def evaluated(*data, **kwargs):
    results = eager_trainer().evaluate(*data, verbose=0, return_dict=True, **kwargs)
    return results["bits_per_dim"]


def test_labels_are_ignored_in_training():
    expected = weights_after(PIXELS, batch_size=4)
    one_hot = np.eye(8, dtype=np.float32)
    for labels in (LABELS, LABELS.astype(np.uint8), one_hot, np.array(["a"] * 8)):
        assert_same(weights_after(pairs(labels)), expected)
    assert_same(weights_after(PIXELS, LABELS, batch_size=4), expected)
    assert_same(weights_after(pairs({"label": LABELS, "name": LABELS})), expected)


def test_labels_are_ignored_in_evaluation():
    """Once they were taken for weights of the images."""
    expected = evaluated(PIXELS, batch_size=4)
    assert evaluated(pairs(LABELS)) == expected
    assert evaluated(PIXELS, LABELS, batch_size=4) == expected
    assert evaluated(pairs(np.eye(8, dtype=np.float32))) == expected


def test_validation_data_may_have_labels_too():
    trainer = tiny_trainer()
    history = fit(trainer, 1, validation_data=(PIXELS, LABELS))
    scores = trainer.evaluate(PIXELS, batch_size=4, verbose=0, return_dict=True)
    assert history["val_bits_per_dim"] == [scores["bits_per_dim"]]
    assert "val_bits_per_dim" in fit(trainer, 1, validation_split=0.5)
    assert "val_bits_per_dim" in fit(trainer, 1, y=LABELS, validation_split=0.5)


def test_evaluation_takes_weights_as_sample_weight():
    weights = np.array([1, 1, 1, 1, 0, 0, 0, 0], np.float32)
    expected = evaluated(PIXELS[:4], batch_size=4)
    triples = tf.data.Dataset.from_tensor_slices((PIXELS, LABELS, weights)).batch(4)
    assert evaluated(PIXELS, batch_size=4, sample_weight=weights) == pytest.approx(expected)
    assert evaluated(triples) == pytest.approx(expected)
    trainer = tiny_trainer()
    history = fit(trainer, 1, validation_data=(PIXELS, None, weights))
    scores = trainer.evaluate(PIXELS[:4], batch_size=4, verbose=0, return_dict=True)
    assert history["val_bits_per_dim"] == pytest.approx([scores["bits_per_dim"]])


def test_a_vector_of_floats_is_a_label_in_training_and_may_be_weights_in_evaluation():
    batches = pairs(np.ones(8, np.float32))
    assert_same(weights_after(batches), weights_after(PIXELS, batch_size=4))
    with pytest.raises(InputError, match="`y`.*is a label.*got float32.*`sample_weight`"):
        eager_trainer().evaluate(batches, verbose=0)


def test_weights_are_one_an_image():
    with pytest.raises(InputError, match=r"`sample_weight` must have shape \[N\]"):
        evaluated(PIXELS, batch_size=4, sample_weight=np.ones([8, 1], np.float32))


def test_training_refuses_weights():
    trainer = tiny_trainer()
    before = trainer.get_weights()
    for options in (
        {"sample_weight": np.ones(8)},
        {"y": LABELS, "class_weight": dict.fromkeys(range(8), 1.0)},
    ):
        with pytest.raises(InputError, match="`sample_weight` and `class_weight` must be None"):
            fit(trainer, 1, **options)
    assert_same(before, trainer.get_weights())


def test_single_batches_train_and_are_evaluated():
    trainer = tiny_trainer()
    before = trainer.get_weights()
    logs = trainer.train_on_batch(PIXELS, return_dict=True)
    assert np.isfinite(logs["bits_per_dim"])
    assert any(np.any(a != b) for a, b in zip(before, trainer.get_weights(), strict=True))
    logs = trainer.test_on_batch(PIXELS, return_dict=True)
    assert logs == trainer.evaluate(PIXELS, batch_size=8, verbose=0, return_dict=True)


@pytest.mark.parametrize("argument", ["loss", "loss_weights", "metrics", "weighted_metrics"])
def test_losses_and_metrics_are_refused(argument):
    with pytest.raises(InputError, match=f"`{argument}` must be None.*DensityLayer"):
        DensityTrainer(tiny_distribution()).compile("adam", **{argument: ["mse"]})


def test_optimizers_that_change_gradients_are_refused():
    trainer = DensityTrainer(tiny_distribution())
    adam = keras.optimizers.Adam
    for optimizer in (
        keras.optimizers.LossScaleOptimizer(adam()),
        adam(loss_scale_factor=2.0),
    ):
        with pytest.raises(InputError, match="`optimizer` must be without loss scaling"):
            trainer.compile(optimizer)
    with pytest.raises(InputError, match="`num_accumulated_parts`"):
        trainer.compile(adam(gradient_accumulation_steps=2))


@pytest.mark.parametrize(
    "callback",
    [
        keras.callbacks.EarlyStopping(restore_best_weights=True),
        keras.callbacks.ReduceLROnPlateau(),
        keras.callbacks.ModelCheckpoint("a.keras", save_best_only=True),
    ],
)
def test_callbacks_that_wait_for_a_loss_are_refused(callback):
    trainer = tiny_trainer()
    match = f"`monitor` of {type(callback).__name__}.*got 'val_loss'. Use monitor='val_bits"
    for callbacks in (callback, [callback], keras.callbacks.CallbackList([callback])):
        with pytest.raises(InputError, match=match):
            fit(trainer, 1, callbacks, validation_data=PIXELS)
    assert int(trainer.optimizer.iterations) == 0


def test_a_list_of_callbacks_of_keras_is_taken():
    trainer = tiny_trainer()
    callbacks = keras.callbacks.CallbackList(add_history=True, model=trainer)
    for _ in range(2):
        trainer.fit(PIXELS, batch_size=4, epochs=1, callbacks=callbacks, verbose=0)
    assert trainer.epoch_sums.numpy()[-1] == 2


@pytest.mark.parametrize("jit_compile", [False, True])
def test_terminate_on_nan_may_be_there_since_steps_raise(jit_compile):
    trainer = tiny_trainer(jit_compile=jit_compile)
    fit(trainer, 1, keras.callbacks.TerminateOnNaN())
    weight = trainer.images_distribution.trainable_variables[0]
    weight.assign(tf.fill(weight.shape, np.nan))
    with pytest.raises(tf.errors.InvalidArgumentError, match="is not finite"):
        fit(trainer, 1, keras.callbacks.TerminateOnNaN())
