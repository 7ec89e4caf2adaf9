"""Models with classes: what trains them, what is refused, and that a run of them can be resumed."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import tf_marscf
from tests.running_commands import error_line, run_command, start_command
from tests.small_trainers import random_pixels, small_distribution, small_trainer, weights_of
from tf_marscf.data import DataConfig, WeightedImages
from tf_marscf.errors import InputError
from tf_marscf.evaluation.evaluation_config import EvaluationConfig
from tf_marscf.evaluation.evaluation_report import write_evaluation
from tf_marscf.runs.checkpoint_store import CheckpointStore
from tf_marscf.training.training_config import TrainingConfig
from tf_marscf.training.training_run import TrainingRun

PIXELS, LABELS = random_pixels(8), np.array([0, 1, 2, 0, 1, 2, 2, 2])
OPTIONS = {"num_levels": 1, "prior": "gaussian", "hidden_channels": 4, "num_classes": 3}
MISSING = r"`y`, the second of \(images, label\), must be the images' classes, int32 or int64 \[N\]"


def class_trainer(**kwargs):
    return small_trainer(small_distribution(**OPTIONS), run_eagerly=True, **kwargs)


def fit(trainer, labels=LABELS, **kwargs):
    trainer.fit(PIXELS, labels, batch_size=8, verbose=0, shuffle=False, **kwargs)
    return weights_of(trainer.images_distribution)


def evaluate(trainer, **kwargs):
    scores = trainer.evaluate(PIXELS, LABELS, 8, verbose=0, return_dict=True, **kwargs)
    return scores["bits_per_dim"]


def class_weights(trainer):
    prior = trainer.images_distribution.distribution.latent_prior
    return prior.shift.numpy(), prior.log_scale.numpy()


def test_the_label_trains_the_weights_of_its_class():
    trainer = class_trainer()
    fit(trainer, np.where(LABELS == 2, 1, LABELS))
    for table in class_weights(trainer):
        assert np.all(np.any(table[:2] != 0.0, axis=(1, 2, 3)))
        np.testing.assert_array_equal(table[2], 0.0)
    assert evaluate(trainer) > 0.0


def test_parts_of_a_batch_keep_their_labels():
    whole, parts = fit(class_trainer()), fit(class_trainer(num_accumulated_parts=4))
    for one, other in zip(whole, parts, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_evaluation_is_the_mean_of_the_densities_given_labels():
    trainer = class_trainer()
    fit(trainer)
    weights = np.array([1.0, 1.0, 0.0, 2.0, 0.0, 0.0, 0.0, 1.0])
    scored = evaluate(trainer, sample_weight=weights)
    bits = trainer.images_distribution.bits_per_dim(PIXELS, seed=[20200620, 0], label=LABELS)
    assert scored == pytest.approx(np.average(bits, weights=weights), rel=1e-6)
    with pytest.raises(InputError, match=MISSING):
        trainer.evaluate(PIXELS, batch_size=8, verbose=0, sample_weight=weights)
    log_probs = trainer.predict((PIXELS, LABELS), batch_size=8, verbose=0)
    assert log_probs.shape == (8,)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (None, f"{MISSING}.*num_classes=3.*; got None"),
        (LABELS[:, np.newaxis], f"{MISSING}.*; got shape"),
        (LABELS.astype(np.uint8), "`label` .* int32 or int64; got uint8"),
        (LABELS.astype(np.float32), "`label` .* int32 or int64; got float32"),
        (LABELS + 1, r"`label` .* from 0 to 2 \(num_classes=3\); got 3"),
    ],
)
def test_labels_that_are_missing_or_wrong(labels, message):
    with pytest.raises(InputError, match=message):
        fit(class_trainer(), labels)


def test_weighted_images_have_no_label():
    batches = tf.data.Dataset.from_tensors(WeightedImages(PIXELS, np.ones(8, np.float32)))
    with pytest.raises(InputError, match=MISSING):
        class_trainer().evaluate(batches, verbose=0)


def test_a_layer_takes_images_and_label():
    layer = tf_marscf.DensityLayer(small_distribution(**OPTIONS))
    inputs = keras.Input((8, 8, 1), dtype="uint8"), keras.Input((), dtype="int32")
    model = keras.Model(inputs, layer(inputs))
    assert model.output_shape == (None,)
    np.testing.assert_allclose(
        model((PIXELS, LABELS.astype(np.int32))), layer((PIXELS, LABELS)), rtol=1e-5
    )
    names = [weight.name.split(".")[-1] for weight in layer.trainable_weights]
    assert {"shift", "log_scale"} <= set(names)
    with pytest.raises(InputError, match=r"must be a pair \(images, label\).*; got"):
        layer(tf.constant(PIXELS))


def run_of(directory, num_classes=10, num_epochs=2, **training):
    options = {"batch_size": 32, "sample_every": 1, "num_sample_images": 12} | training
    return TrainingRun(
        str(directory),
        DataConfig(name="digits"),
        {"num_levels": 1, "num_steps": 1, "hidden_channels": 16, "prior": "gaussian"}
        | {"num_classes": num_classes},
        TrainingConfig(num_epochs=num_epochs, **options),
        progress="none",
    )


def test_labels_out_of_range_are_named_before_anything_is_written(tmp_path):
    rule = r"labels of the train images of digits must be from 0 to 4 \(num_classes=5\); got"
    with pytest.raises(InputError, match=rule):
        run_of(tmp_path / "run", num_classes=5)
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_a_short_run_tells_digits_apart(tmp_path):
    """By chance it would be one of ten."""
    run_of(tmp_path / "run", num_epochs=8, learning_rate=1e-2, warm_up_images=1000).run()
    assert (tmp_path / "run" / "samples" / "epoch_0001.png").exists()
    content, _ = write_evaluation(EvaluationConfig(train_dir=str(tmp_path / "run")))
    assert content["classes"]["accuracy"] > 0.6
    assert content["bits_per_dim"] < content["classes"]["bits_per_dim"]


TRAINING = (
    "--dataset=digits --num_classes=10 --prior=gaussian --num_levels=1 --num_steps=1 "
    "--hidden_channels=4 --batch_size=64 --num_epochs=2 --num_sample_images=12 --progress=none "
    "--sample_every=0 --checkpoint_every=5 --augmentation=horizontal_flip"
).split()


@pytest.mark.slow
def test_a_killed_run_goes_on_with_its_images_and_labels(tmp_path):
    whole = run_command("train.py", f"--train_dir={tmp_path / 'whole'}", *TRAINING)
    assert whole.returncode == 0, whole.stderr
    process = start_command("train.py", f"--train_dir={tmp_path / 'broken'}", *TRAINING)
    latest = CheckpointStore(tmp_path / "broken", "latest")
    while not latest.paths():
        assert process.returncode is None
    process.kill()
    process.communicate(60)
    again = run_command("train.py", f"--train_dir={tmp_path / 'broken'}", *TRAINING)
    assert again.returncode == 0, again.stderr
    assert "continuing after step" in again.stdout
    results = [(tmp_path / name / "results.json").read_text() for name in ("whole", "broken")]
    assert results[0] == results[1]
    readers = [
        tf.train.load_checkpoint(
            str(CheckpointStore(tmp_path / name, "latest").paths()[0] / "checkpoint")
        )
        for name in ("whole", "broken")
    ]
    for name in readers[0].get_variable_to_shape_map():
        if "OBJECT_GRAPH" not in name:
            np.testing.assert_array_equal(*(reader.get_tensor(name) for reader in readers))


@pytest.mark.slow
def test_flags_that_do_not_suit_the_classes_are_named(tmp_path):
    process = run_command("train.py", f"--train_dir={tmp_path}", *TRAINING, "--num_classes=9")
    assert process.returncode == 2
    assert "must be from 0 to 8 (num_classes=9); got 9" in error_line(process)
    process = run_command("train.py", f"--train_dir={tmp_path}", *TRAINING, "--num_classes=1")
    assert process.returncode == 2
    assert "`num_classes` must be an integer >= 2; got 1" in error_line(process)
