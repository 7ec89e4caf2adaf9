"""Training: schedule, trainer, checkpoints, resume."""

import dataclasses
import json
import os
import shutil

import numpy as np
import pytest
import tensorflow as tf

from tests.event_log import read_events
from tests.small_trainers import (
    MODEL_OPTIONS,
    SIMPLE_OPTIONS,
    random_pixels,
    small_distribution,
    weights_of,
)
from tf_marscf.config import check_model_options
from tf_marscf.data import DataConfig, evaluation_pipeline, load_dataset
from tf_marscf.errors import NonFiniteLossError, RunError
from tf_marscf.evaluation.bits_per_dim import evaluate_bits_per_dim
from tf_marscf.evaluation.evaluation_config import EvaluationConfig
from tf_marscf.evaluation.evaluation_report import measure_bits_per_dim
from tf_marscf.runs.checkpoint_store import CheckpointStore
from tf_marscf.runs.restored_run import RestoredRun
from tf_marscf.runs.run_config import RestoredRunConfig, RunConfig
from tf_marscf.runs.trained_model import averaged_checkpoint, restore_model
from tf_marscf.sampling.sample_stream import SampleStream, draw_samples
from tf_marscf.training.callbacks import SaveSamples
from tf_marscf.training.run_directory import RunLog
from tf_marscf.training.training_config import TrainingConfig
from tf_marscf.training.training_run import TrainingRun
from tf_marscf.training.warm_up_schedule import WarmUpSchedule

AVERAGED = {"average_decay": 0.9, "log_every": 8}


def training_config(**kwargs):
    defaults = {
        "batch_size": 64,
        "num_epochs": 2,
        "warm_up_images": 100,
        "learning_rate": 2e-3,
        "num_sample_images": 4,
        "sample_every": 1,
    }
    return TrainingConfig(**(defaults | kwargs))


def training_run(directory, model_options=None, **kwargs):
    return TrainingRun(
        str(directory),
        DataConfig(name="digits"),
        MODEL_OPTIONS | (model_options or {}),
        training_config(**kwargs),
        progress="none",
    )


def test_warm_up_is_linear_then_constant():
    schedule = WarmUpSchedule(0.1, batch_size=5, warm_up_images=20)
    rates = [float(schedule(step)) for step in range(6)]
    np.testing.assert_allclose(rates, [0.025, 0.05, 0.075, 0.1, 0.1, 0.1], rtol=1e-6)


def test_cosine_decay_ends_at_zero_and_is_half_in_the_middle():
    schedule = WarmUpSchedule(0.1, batch_size=2, warm_up_images=20, decay_images=60)
    assert float(schedule(10)) == pytest.approx(0.1)
    assert float(schedule(20)) == pytest.approx(0.05)
    assert float(schedule(30)) == pytest.approx(0.0, abs=1e-9)


def test_schedule_goes_on_with_another_batch_size_where_it_was():
    """20 steps of 2 images, then of 8: the rate depends on images seen alone."""
    options = {"warm_up_images": 10, "decay_images": 200}
    whole = WarmUpSchedule(0.1, batch_size=2, **options)
    resumed = WarmUpSchedule(0.1, batch_size=8, first_step=20, first_image=40, **options)
    for step in range(20, 30):
        assert float(resumed(step)) == pytest.approx(float(whole(20 + 4 * (step - 20))))


def test_schedule_round_trips_through_its_config():
    schedule = WarmUpSchedule(0.1, batch_size=2, warm_up_images=20, decay_images=60)
    copy = WarmUpSchedule.from_config(schedule.get_config())
    assert float(copy(17)) == float(schedule(17))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("batch_size", 0),
        ("batch_size", 1.5),
        ("num_epochs", -1),
        ("num_epochs", True),
        ("learning_rate", 0.0),
        ("learning_rate", float("nan")),
        ("clip_norm", float("inf")),
        ("decay", "linear"),
        ("augmentation", "mirror"),
        ("warm_up_images", -1),
        ("seed", -1),
        ("seed", 2**31),
        ("checkpoint_every", 0),
        ("average_decay", 1.0),
        ("early_stopping_epochs", -1),
        ("num_accumulated_parts", 0),
        ("network_dtype", "float16"),
        ("jit_compile", "yes"),
        ("strategy", "two"),
    ],
)
def test_training_config_names_the_wrong_field_and_value(field, value):
    with pytest.raises(ValueError, match=f"`{field}`.*{value!r}"):
        TrainingConfig(**{field: value})


def test_batch_is_a_multiple_of_its_parts_and_of_the_devices():
    with pytest.raises(ValueError, match="`batch_size`.*batch_size=64, num_accumulated_parts=3"):
        training_config(num_accumulated_parts=3)
    with pytest.raises(ValueError, match="`batch_size` must be a multiple of 6.*got 64"):
        training_config(num_accumulated_parts=2).check_num_replicas(3)
    with pytest.raises(ValueError, match="`evaluation_batch_size` must be a multiple of 2"):
        training_config(evaluation_batch_size=5).check_num_replicas(2)


def test_model_options_are_checked_before_the_image_shape_is_known():
    check_model_options(MODEL_OPTIONS)
    with pytest.raises(ValueError, match="`coupling`.*'additive'"):
        check_model_options(MODEL_OPTIONS | {"coupling": "additive"})
    with pytest.raises(ValueError, match="`num_levels`.*0"):
        check_model_options(MODEL_OPTIONS | {"num_levels": 0})


@pytest.fixture(scope="module")
def finished_run(tmp_path_factory):
    directory = tmp_path_factory.mktemp("run")
    return directory, training_run(directory, **AVERAGED).run()


def newest_step(directory):
    return int(CheckpointStore(directory, "latest").paths()[0].name.removeprefix("step_"))


def test_run_writes_everything(finished_run):
    directory, results = finished_run
    written = {path.name for path in directory.iterdir()}
    assert written == {
        "config.json",
        "checkpoints",
        "logs",
        "results.json",
        "run.lock",
        "run.log",
        "samples",
        "samples.png",
    }
    assert sorted(os.listdir(directory / "samples")) == ["epoch_0001.png", "epoch_0002.png"]
    assert json.loads((directory / "results.json").read_text()) == results
    assert results["num_test_images"] == 300
    assert any("tfevents" in name for name in os.listdir(directory / "logs" / "validation"))


def test_log_holds_the_terms_of_every_step(finished_run):
    directory, _ = finished_run
    train = read_events(directory / "logs" / "train")
    assert set(train) == {
        "bits_per_dim",
        "gradient_norm",
        "learning_rate",
        "images_per_second",
        "prior_bits_per_dim/level_1",
        "prior_bits_per_dim/level_2",
        "log_det_bits_per_dim/level_1",
        "log_det_bits_per_dim/level_2",
        "samples",
    }
    # Entries every eight steps of 2 * 20.
    assert sorted(train["bits_per_dim"]) == [8, 16, 24, 32, 40]
    for step, value in train["bits_per_dim"].items():
        terms = sum(train[tag][step] for tag in train if "/level_" in tag)
        assert value == pytest.approx(terms + np.log2(17), rel=1e-6)
    assert train["learning_rate"][40] == pytest.approx(2e-3)
    assert all(value > 0 for value in train["images_per_second"].values())
    # A step; width, height and the encoded picture.
    assert sorted(train["samples"]) == [20, 40]
    assert train["samples"][20][2].startswith(b"\x89PNG")
    validation = read_events(directory / "logs" / "validation")
    assert sorted(validation) == ["average_bits_per_dim", "bits_per_dim"]
    assert sorted(validation["bits_per_dim"]) == [20, 40]


def test_best_checkpoint_is_that_of_the_lowest_validation_score(finished_run):
    """Here the weights, not yet their average."""
    directory, _ = finished_run
    validation = read_events(directory / "logs" / "validation")
    lowest = {tag: min(values.values()) for tag, values in validation.items()}
    images = evaluation_pipeline(load_dataset("digits").validation, 64)
    best = restore_model(RunConfig.load(directory), str(directory), "best")
    score = evaluate_bits_per_dim(best, images, seed=20200620).mean
    assert score == pytest.approx(min(lowest.values()), abs=2e-3)


def test_training_stops_early_without_improvement_and_stays_stopped(tmp_path):
    """A learning rate of 1e-30 improves nothing."""
    options = {"num_epochs": 9, "learning_rate": 1e-30, "early_stopping_epochs": 2}
    training_run(tmp_path, SIMPLE_OPTIONS, **options).run()
    assert newest_step(tmp_path) == 3 * 20
    training_run(tmp_path, SIMPLE_OPTIONS, **options).run()
    assert newest_step(tmp_path) == 3 * 20


def test_evaluations_every_few_steps(tmp_path):
    """Two passes of 20 steps, an evaluation every 15: after steps 15, 30 and 45."""
    run = training_run(tmp_path, SIMPLE_OPTIONS, evaluate_every=15)
    run.run()
    assert newest_step(tmp_path) == 45
    validation = read_events(tmp_path / "logs" / "validation")
    assert sorted(validation["bits_per_dim"]) == [15, 30, 45]
    # Epochs are counted anew: 45 steps are two passes of 20, and five steps.
    training_run(tmp_path, SIMPLE_OPTIONS, num_epochs=3).run()
    assert newest_step(tmp_path) == 60


def test_latest_is_the_average_where_there_is_one(finished_run):
    directory, _ = finished_run
    config = RunConfig.load(directory)
    latest = restore_model(config, str(directory), "latest")
    path = CheckpointStore(directory, "latest").paths()[0] / "checkpoint"
    saved = tf.train.load_checkpoint(str(path))
    names = [
        name
        for name in saved.get_variable_to_shape_map()
        if name.endswith("log_scale/.ATTRIBUTES/VARIABLE_VALUE") and name.startswith("average/")
    ]
    stored = {saved.get_tensor(name).tobytes() for name in names}
    act_norm = latest.distribution.level_bijector.bijectors[1].act_norm
    assert act_norm.log_scale.numpy().tobytes() in stored


def test_of_a_run_with_an_average_an_average_is_published(finished_run, capsys):
    """Here the best weights are not averaged."""
    directory, _ = finished_run
    config = RunConfig.load(directory)
    assert averaged_checkpoint(config, str(directory)) == "latest"
    assert "not averaged: the latest average" in capsys.readouterr().err
    no_average = dataclasses.replace(config, training={"average_decay": 0.0})
    assert averaged_checkpoint(no_average, str(directory)) == "best"


def test_latest_stands_in_for_best_before_the_first_evaluation(finished_run, tmp_path, capsys):
    directory, _ = finished_run
    shutil.copytree(directory / "checkpoints" / "latest", tmp_path / "checkpoints" / "latest")
    restore_model(RunConfig.load(directory), str(tmp_path), "best")
    assert "no checkpoint 'best' yet: 'latest' is used" in capsys.readouterr().err


def test_average_can_be_turned_on_and_off_between_runs(tmp_path):
    for epoch, decay in enumerate((0.0, 0.9, 0.0)):
        training_run(tmp_path, SIMPLE_OPTIONS, num_epochs=1 + epoch, average_decay=decay).run()
        assert newest_step(tmp_path) == 20 * (1 + epoch)


def wild_distribution(share):
    """Images of which a share is not finite."""
    distribution = small_distribution(**SIMPLE_OPTIONS)
    decode = type(distribution.distribution).decode_noise

    def decode_noise(noise):
        images = decode(distribution.distribution, noise)
        num_samples = images.shape[0]
        is_wrong = tf.range(num_samples) < int(share * num_samples)
        return tf.where(is_wrong[:, None, None, None], np.inf, images)

    distribution.distribution.decode_noise = decode_noise
    return distribution


def test_samples_that_are_not_finite_are_counted_and_left_out():
    reports = []
    samples = draw_samples(wild_distribution(0.25), 8, seed=0, batch_size=4, report=reports.append)
    assert samples.shape == (6, 8, 8, 1)
    assert reports == ["2 of 8 samples are not finite, and left out."]
    with pytest.raises(RunError, match="none of 4 samples is finite"):
        draw_samples(wild_distribution(1.0), 4, seed=0, batch_size=4)


def test_training_goes_on_without_a_picture_and_says_so(tmp_path):
    log = RunLog(tmp_path)
    stream = SampleStream(wild_distribution(1.0), seed=0, batch_size=4)
    callback = SaveSamples(tmp_path, stream, random_pixels(4), 1, log, lambda picture: None)
    callback.on_epoch_end(0)
    assert "warning: no picture after epoch 1: none of 4" in (tmp_path / "run.log").read_text()
    assert not list(tmp_path.glob("*.png"))


def test_moved_data_is_no_other_data(tmp_path):
    run = training_run(tmp_path, SIMPLE_OPTIONS, num_epochs=1)
    run.run()
    config = run.config
    moved = dataclasses.replace(config, data=dataclasses.replace(config.data, data_dir="/old"))
    moved.save(tmp_path)
    training_run(tmp_path, SIMPLE_OPTIONS, num_epochs=1)


def test_evaluate_reproduces_the_result_from_the_directory_alone(finished_run):
    directory, results = finished_run
    config = EvaluationConfig(train_dir=directory, batch_size=64)
    evaluated = measure_bits_per_dim(RestoredRun(config))
    assert evaluated.mean == pytest.approx(results["test_bits_per_dim"], rel=1e-6)
    assert evaluated.num_images == 300


def test_more_draws_of_noise_tighten_the_bound(finished_run):
    directory, _ = finished_run
    one, many = (
        measure_bits_per_dim(
            RestoredRun(EvaluationConfig(train_dir=directory, num_samples=num_samples))
        )
        for num_samples in (1, 8)
    )
    assert many.mean < one.mean


def test_restored_weights_are_exact(finished_run):
    directory, _ = finished_run
    config = RunConfig.load(directory)
    first, second = (restore_model(config, str(directory), "latest") for _ in range(2))
    for earlier, later in zip(weights_of(first), weights_of(second), strict=True):
        np.testing.assert_array_equal(earlier, later)
    pixels = random_pixels(3)
    np.testing.assert_array_equal(
        first.bits_per_dim(pixels, seed=1), second.bits_per_dim(pixels, seed=1)
    )


@pytest.mark.parametrize("optimizer", ["adamax", "adam"])
def test_continued_run_equals_an_unbroken_one(tmp_path, optimizer):
    unbroken_dir, continued_dir = tmp_path / "unbroken", tmp_path / "continued"
    options = AVERAGED | {"optimizer": optimizer}
    results = training_run(unbroken_dir, SIMPLE_OPTIONS, **options).run()
    training_run(continued_dir, SIMPLE_OPTIONS, num_epochs=1, **options).run()
    continued = training_run(continued_dir, SIMPLE_OPTIONS, **options).run()
    assert continued["test_bits_per_dim"] == pytest.approx(results["test_bits_per_dim"], rel=1e-4)
    config = RunConfig.load(unbroken_dir)
    for unbroken, resumed in zip(
        weights_of(restore_model(config, str(unbroken_dir), "latest")),
        weights_of(restore_model(config, str(continued_dir), "latest")),
        strict=True,
    ):
        np.testing.assert_allclose(unbroken, resumed, rtol=1e-3, atol=1e-4)


def test_continuing_with_another_architecture_is_refused(finished_run):
    directory, _ = finished_run
    before = (directory / "config.json").read_text()
    with pytest.raises(RunError, match="num_steps was 1 and is 2"):
        training_run(directory, {"num_steps": 2})
    assert (directory / "config.json").read_text() == before


def test_continuing_with_another_optimizer_is_refused(finished_run):
    directory, _ = finished_run
    before = (directory / "config.json").read_text()
    for content in (
        before,
        before.replace('"optimizer": "adamax",', ""),
    ):  # Then of an old version.
        (directory / "config.json").write_text(content)
        with pytest.raises(RunError, match="`optimizer` must be .* 'adamax', .* got 'adam'"):
            training_run(directory, optimizer="adam")
        assert (directory / "config.json").read_text() == content
    (directory / "config.json").write_text(before)


def test_a_run_goes_on_with_another_jit_compile_as_of_before_auto(finished_run):
    directory, results = finished_run
    path = directory / "config.json"
    content = path.read_text()
    assert '"jit_compile": "auto"' in content
    path.write_text(content.replace('"jit_compile": "auto"', '"jit_compile": false'))
    assert training_run(directory, **AVERAGED).run() == results
    log = (directory / "run.log").read_text()
    assert "changed: jit_compile was False and is 'auto'" in log
    assert log.count("steps are not compiled by XLA (jit_compile=auto)") >= 2
    assert path.read_text() == content


def test_non_finite_loss_keeps_the_last_good_checkpoint(tmp_path):
    training_run(tmp_path, SIMPLE_OPTIONS, num_epochs=1).run()
    kept = CheckpointStore(tmp_path, "latest").paths()
    # 1e30 is finite, and so a valid argument, but no step with it is.
    with pytest.raises(NonFiniteLossError, match="not finite.*Last good checkpoint.*latest"):
        training_run(tmp_path, SIMPLE_OPTIONS, num_epochs=3, learning_rate=1e30).run()
    assert CheckpointStore(tmp_path, "latest").paths() == kept
    restored = restore_model(RunConfig.load(tmp_path), str(tmp_path), "latest")
    assert np.all(np.isfinite(restored.bits_per_dim(random_pixels(3), seed=0)))


def test_batch_larger_than_the_data_is_refused(tmp_path):
    with pytest.raises(ValueError, match="`batch_size`.*1297.*got 2000"):
        training_run(tmp_path, batch_size=2000)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_images_that_cannot_be_drawn_are_trained_on_and_evaluated(tmp_path, capsys):
    """Two channels: there is no picture, and a line says why."""
    path = tmp_path / "pairs.npz"
    pixels = np.concatenate([random_pixels(80), random_pixels(80, seed=1)], axis=-1)
    np.savez(path, train=pixels[:64], validation=pixels[64:72], test=pixels[72:])
    TrainingRun(
        str(tmp_path / "run"),
        DataConfig(name="npz", data_dir=str(path)),
        MODEL_OPTIONS | SIMPLE_OPTIONS,
        training_config(batch_size=32, num_epochs=1),
        progress="none",
    ).run()
    assert "no picture" in capsys.readouterr().out
    config = RestoredRunConfig(train_dir=tmp_path / "run", dataset="npz", data_dir=path)
    assert RestoredRun(config).dataset.image_shape == (8, 8, 2)


def test_image_size_that_does_not_fit_the_levels_is_refused(tmp_path):
    with pytest.raises(ValueError, match="`image_shape`.*num_levels=4"):
        training_run(tmp_path, {"num_levels": 4})


def test_directory_without_config_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="`train_dir`"):
        RestoredRun(EvaluationConfig(train_dir=tmp_path))


def test_broken_config_is_refused(tmp_path):
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(ValueError, match="is not a config"):
        RunConfig.load(tmp_path)
