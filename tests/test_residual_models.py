"""Models of residual blocks, in all that is done with a model."""

import math

import numpy as np
import pytest
import tensorflow as tf

import tf_marscf
from tests.running_commands import error_line, run_command
from tests.small_models import random_images, small_model
from tests.small_trainers import random_pixels, small_distribution, small_trainer, weights_of
from tf_marscf.errors import InputError
from tf_marscf.fields_without_effect import fields_without_effect
from tf_marscf.files.atomic_file import read_json
from tf_marscf.serving.export import export_model

# Two levels, of 256 and 128 dimensions: log-dets are series.
LARGE = {"image_shape": (16, 16, 1), "coupling": "residual", "residual_num_terms": 20}


@pytest.mark.parametrize("prior", ["mar", "gaussian"])
def test_training_learns(prior):
    distribution = small_distribution(coupling="residual", prior=prior, num_levels=1)
    pixels = np.repeat(random_pixels(16)[:, :1], 8, axis=1)  # Rows are equal: that can be learned.
    distribution.initialize(pixels, seed=0)
    trainer = small_trainer(distribution)
    before = trainer.evaluate(pixels, verbose=0)
    trainer.fit(pixels, batch_size=16, epochs=20, verbose=0)
    assert trainer.evaluate(pixels, verbose=0) < before - 0.02


@pytest.mark.slow
def test_compiled_steps_are_those_of_graphs():
    """Series of random length and their gradients, by XLA, too."""
    pixels, results = random_pixels(4), []
    for jit_compile in (False, True):
        distribution = small_distribution(coupling="residual", num_levels=1, dtype="float64")
        trainer = small_trainer(distribution, jit_compile=jit_compile)
        trainer.fit(pixels, batch_size=4, epochs=3, shuffle=False, verbose=0)
        results.append(weights_of(distribution))
    for own, other in zip(*results, strict=True):
        np.testing.assert_allclose(own, other, rtol=1e-7, atol=1e-9)


@pytest.mark.slow
def test_an_export_is_the_model(tmp_path):
    model = small_model(**LARGE)
    tf_marscf.save(tf_marscf.Dequantized(model, num_grey_levels=17), tmp_path / "run")
    served = tf.saved_model.load(str(export_model(tmp_path / "run", tmp_path / "served")))
    images = random_images(3, 16, 16, 1)
    scores = served.signatures["log_prob_float"](values=images)
    np.testing.assert_allclose(scores["log_prob"], model.log_prob(images), rtol=1e-5)
    pixels = tf.cast(17.0 * (images + 0.5), tf.uint8)
    latents = served.signatures["encode"](images=pixels)["latents"]
    np.testing.assert_array_equal(served.signatures["decode"](latents=latents)["images"], pixels)


def test_the_error_bound_is_that_of_all_steps():
    model = small_model(**LARGE)
    for weight in model.levels[0].level_bijector.trainable_variables:
        weight.assign(10.0 * weight)  # Kernels at their bound: c is that of the network.
    bounds = []
    for level, num_dimensions in zip(model.levels, (256, 128), strict=True):
        _, step = level.level_bijector.bijectors
        constant = float(step.coupling.network.function().constant)
        bounds.append(num_dimensions * constant**21 / (21 * (1.0 - constant)))
    assert bounds[0] == pytest.approx(256 * 0.9**21 / (21 * 0.1), rel=1e-3)
    assert float(model.log_det_error_bound()) == pytest.approx(sum(bounds), rel=1e-4)
    assert float(small_model(coupling="residual").log_det_error_bound()) == 0.0
    assert float(small_model().log_det_error_bound()) == 0.0


def test_an_evaluation_states_the_error_bound(tmp_path):
    distribution = tf_marscf.Dequantized(small_model(**LARGE))
    tf_marscf.save(distribution, tmp_path / "run")
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, [4, 16, 16, 1], np.uint8)
    np.savez(tmp_path / "images.npz", train=images, test=images)
    evaluation = tmp_path / "evaluation.json"
    result = run_command(
        "evaluate.py",
        f"--train_dir={tmp_path / 'run'}",
        "--dataset=npz",
        f"--data_dir={tmp_path / 'images.npz'}",
        f"--json={evaluation}",
    )
    assert "log-dets are series with terms left out: off by at most" in result.stdout
    bound = float(distribution.distribution.log_det_error_bound()) / (256 * math.log(2.0))
    content = read_json(evaluation)
    assert content["log_det_error_bound"] == pytest.approx(bound, rel=1e-4)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"residual_coefficient": 1.0},
            "`residual_coefficient` must be a number above 0 and below 1; got 1.0",
        ),
        (
            {"residual_coefficient": 0.0},
            "`residual_coefficient` must be a number above 0 and below 1; got 0.0",
        ),
        ({"residual_num_terms": 0}, "`residual_num_terms` must be an integer >= 1; got 0"),
        ({"residual_num_probes": 0}, "`residual_num_probes` must be an integer >= 1; got 0"),
        ({"network_dtype": "bfloat16"}, "`network_dtype` must be None with coupling='residual'"),
    ],
)
def test_unsuitable_options_are_named(options, message):
    with pytest.raises(InputError, match=message):
        small_model(coupling="residual", **options)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--coupling=affine", "--residual_coefficient=0.5"], "--coupling=affine"),
        (["--coupling=residual", "--max_log_scale=2"], "--coupling=residual"),
        (["--coupling=residual", "--network_dtype=bfloat16"], "network_dtype"),
    ],
)
def test_flags_without_effect_are_refused(tmp_path, flags, message):
    result = run_command("train.py", f"--train_dir={tmp_path / 'run'}", "--dataset=digits", *flags)
    assert result.returncode != 0
    assert message in error_line(result)
    assert not (tmp_path / "run").exists()


def test_each_field_belongs_to_some_coupling():
    of_affine = fields_without_effect({"coupling": "affine"})
    assert "residual_num_terms" in of_affine and "num_blocks" in of_affine
    assert "max_log_scale" not in of_affine
    of_residual = fields_without_effect({"coupling": "residual"})
    assert "max_log_scale" in of_residual and "num_blocks" in of_residual
    assert "residual_num_terms" not in of_residual


@pytest.mark.slow
def test_a_command_trains_goes_on_and_reports(tmp_path):
    run = f"--train_dir={tmp_path / 'run'}"
    model = ["--coupling=residual", "--num_levels=2", "--num_steps=1", "--hidden_channels=4"]
    model += ["--prior=gaussian", "--dataset=digits", "--max_images=32", "--batch_size=16"]
    for epochs in (1, 2):
        result = run_command("train.py", run, *model, f"--num_epochs={epochs}")
        assert result.returncode == 0, result.stderr
        assert "test bits/dim" in result.stdout
    result = run_command("report.py", run)
    assert result.returncode == 0, result.stderr
