"""What XLA compiles trains, scores and samples as what it does not."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.framework import config as framework_config

from tests.running_commands import TINY_MODEL, error_line, run_command
from tests.small_models import randomize
from tests.small_trainers import (
    SIMPLE_OPTIONS,
    random_pixels,
    small_distribution,
    small_trainer,
    variational_distribution,
    weights_of,
)
from tf_marscf.errors import InputError
from tf_marscf.evaluation.image_scores import score_images
from tf_marscf.interpolation.interpolation import Interpolator
from tf_marscf.interpolation.interpolation_config import ProjectionConfig
from tf_marscf.kernels import choices, devices
from tf_marscf.sampling.sample_stream import SampleStream

OPTIONS = [
    {"num_levels": 1},
    {"num_levels": 1, "prior_network": "causal", "prior_num_layers": 1, "num_classes": 3},
    {"coupling": "mixlogcdf", **SIMPLE_OPTIONS},
]


def randomized(options):
    distribution = small_distribution(dtype="float64", **options)
    randomize(distribution)
    return distribution


def batches(distribution, num_images=6, size=4):
    data = random_pixels(num_images)
    if distribution.num_classes is not None:
        data = (data, np.arange(num_images) % distribution.num_classes)
    return tf.data.Dataset.from_tensor_slices(data).batch(size)


def compiled_functions(graph):
    """How many functions of a concrete function XLA compiles."""
    functions = graph.graph.as_graph_def().library.function
    return sum(function.attr["_XlaMustCompile"].b for function in functions)


def test_auto_compiles_where_there_is_a_gpu(monkeypatch):
    assert [choices.is_compiled(option) for option in ("auto", True, False)] == [False, True, False]
    monkeypatch.setattr(devices, "has_gpu", lambda: True)
    assert [choices.is_compiled(option) for option in ("auto", True, False)] == [True, True, False]
    monkeypatch.setattr(devices, "is_watched", lambda: True)
    assert not choices.is_compiled("auto")


def test_a_trainer_compiles_as_it_was_told(tmp_path):
    trainer = small_trainer(small_distribution(**SIMPLE_OPTIONS), jit_compile="auto")
    assert not trainer.compiles_steps
    assert trainer.get_compile_config()["jit_compile"] == "auto"
    trainer.compile("sgd", jit_compile=True)
    assert trainer.compiles_steps
    trainer.save(tmp_path / "trainer.keras")
    assert keras.saving.load_model(tmp_path / "trainer.keras").compiles_steps
    trainer.compile("sgd", jit_compile=True, run_eagerly=True)
    assert not trainer.compiles_steps
    with pytest.raises(InputError, match="`jit_compile` must be 'auto', True or False; got 'yes'"):
        trainer.compile("sgd", jit_compile="yes")


def test_steps_are_compiled_where_operations_are_deterministic():
    """Keras would compile none then, with a warning."""
    trainer = small_trainer(small_distribution(**SIMPLE_OPTIONS), jit_compile=True)
    tf.config.experimental.enable_op_determinism()
    try:
        trainer.compile(trainer.optimizer, jit_compile=True)
        for step in (trainer.train_step, trainer.test_step, trainer.predict_step):
            run = tf.function(lambda step=step: step(random_pixels(4)), autograph=False)
            assert compiled_functions(run.get_concrete_function()) == 1
    finally:
        framework_config.disable_op_determinism()


@pytest.mark.slow
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_scores_and_samples_are_those_that_are_not_compiled(options):
    distribution = randomized(options)
    plain, compiled = (
        score_images(distribution, batches(distribution), 2, 5, jit_compile)
        for jit_compile in (False, True)
    )
    np.testing.assert_allclose(compiled.terms, plain.terms, rtol=1e-9, atol=1e-9)
    if distribution.num_classes is not None:
        np.testing.assert_allclose(compiled.class_log_probs, plain.class_log_probs, rtol=1e-9)
    plain, compiled = (
        SampleStream(distribution, 3, 4, jit_compile=jit_compile).draw_batch(6).images
        for jit_compile in (False, True)
    )
    np.testing.assert_array_equal(compiled, plain)


@pytest.mark.slow
def test_scores_with_learned_noise_are_those_that_are_not_compiled():
    distribution = variational_distribution(dtype="float64", **SIMPLE_OPTIONS)
    randomize(distribution)
    plain, compiled = (
        score_images(distribution, batches(distribution), 2, 5, jit_compile)
        for jit_compile in (False, True)
    )
    np.testing.assert_allclose(compiled.terms, plain.terms, rtol=1e-9, atol=1e-9)


@pytest.mark.slow
def test_evaluations_and_predictions_are_those_that_are_not_compiled():
    distribution = randomized(SIMPLE_OPTIONS)
    pixels, results = random_pixels(6), []
    for jit_compile in (False, True):
        trainer = small_trainer(distribution, jit_compile=jit_compile)
        scores = trainer.evaluate(pixels, batch_size=4, verbose=0, return_dict=True)
        log_probs = trainer.predict(pixels, batch_size=4, verbose=0)
        results.append([scores["bits_per_dim"], *log_probs])
    np.testing.assert_allclose(*results, rtol=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("options", OPTIONS[::2], ids=str)
def test_an_interpolation_is_the_one_that_is_not_compiled(options):
    model = randomized(options).distribution
    first, second = (
        tf.random.stateless_uniform([1, 8, 8, 1], [seed, 7], -0.5, 0.5, tf.float64)
        for seed in (0, 1)
    )
    config = ProjectionConfig(num_iterations=3, distance="mean_square")
    plain, compiled = (
        Interpolator(model, first, second, 2, jit_compile=jit_compile).interpolate(config)
        for jit_compile in (False, True)
    )
    np.testing.assert_array_equal(compiled.is_retried, plain.is_retried)
    for name in ("images", "log_prior", "log_prob", "image_distances"):
        one, other = (getattr(result.projected, name) for result in (compiled, plain))
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-6)


@pytest.mark.slow
def test_a_class_that_is_none_is_found_outside_of_what_is_compiled():
    distribution = small_distribution(num_classes=3, **SIMPLE_OPTIONS)
    data = tf.data.Dataset.from_tensors((random_pixels(2), tf.constant([0, 3])))
    with pytest.raises(InputError, match="`label` of .* from 0 to 2 .*; got 3"):
        score_images(distribution, data, jit_compile=True)
    trainer = small_trainer(distribution, jit_compile=True)
    before = weights_of(distribution)
    for run in (trainer.fit, trainer.evaluate):
        with pytest.raises(tf.errors.InvalidArgumentError, match="`label` of "):
            run(data, verbose=0)
    for earlier, later in zip(before, weights_of(distribution), strict=True):
        np.testing.assert_array_equal(earlier, later)


@pytest.mark.slow
def test_a_loss_that_is_not_finite_stops_a_compiled_run(tmp_path):
    """With deterministic operations, the default; the run was not compiled before."""
    of_mar_priors = ("--prior_hidden_channels=4", "--prior_num_layers=1")
    model = [flag for flag in TINY_MODEL if flag not in of_mar_priors]
    arguments = ["--dataset=digits", "--prior=gaussian", f"--train_dir={tmp_path / 'run'}", *model]
    arguments.append("--sample_every=0")
    first = run_command("train.py", *arguments)
    assert first.returncode == 0, first.stderr
    kept = sorted(path.name for path in (tmp_path / "run" / "checkpoints").rglob("*"))
    # 1e30 is finite, and so a valid argument, but no step with it is.
    process = run_command(
        "train.py", *arguments, "--num_epochs=3", "--learning_rate=1e30", "--jit_compile"
    )
    assert process.returncode == 1
    assert "Model doesn't support" not in process.stderr  # Keras's words where it compiles nothing.
    assert "steps are compiled by XLA (jit_compile=True)" in process.stdout
    assert "changed: jit_compile was 'auto' and is True" in process.stdout
    line = error_line(process)
    assert "not finite" in line and "Last good checkpoint" in line
    assert sorted(path.name for path in (tmp_path / "run" / "checkpoints").rglob("*")) == kept
