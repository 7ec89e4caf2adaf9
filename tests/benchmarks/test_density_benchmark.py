import csv
import json
import math

import numpy as np
import pytest

from tf_marscf.benchmarks.comparison_configs import DensityBenchmarkConfig
from tf_marscf.benchmarks.comparison_models import matched_models
from tf_marscf.benchmarks.comparison_trainer import ComparisonTrainer
from tf_marscf.benchmarks.density_benchmark import DensityBenchmark
from tf_marscf.data import load_configured_dataset
from tf_marscf.figures import render_png

SMALL = {
    "num_steps": 1,
    "num_levels": 1,
    "hidden_channels": 8,
    "prior_hidden_channels": 4,
    "prior_num_layers": 1,
    "batch_size": 16,
    "max_images": 40,
    "num_evaluation_images": 10,
}


def make_trainer(**kwargs):
    config = DensityBenchmarkConfig(**(SMALL | {"models": ("mar",)} | kwargs))
    dataset = load_configured_dataset(config.data)
    (model,) = matched_models(config, dataset.image_shape, config.num_levels)
    return ComparisonTrainer(model, dataset, dataset.test.take(10), config)


def test_training_lowers_bits_per_dim_and_is_the_same_twice():
    first, second = make_trainer(warm_up_images=0), make_trainer(warm_up_images=0)
    before = first.evaluate()
    assert first.evaluate() == before == second.evaluate()
    first.train(10)
    for _ in range(5):
        second.train(2)
    assert first.evaluate() == pytest.approx(second.evaluate(), abs=1e-5)
    assert first.evaluate()[0] < before[0]
    assert first.steps == second.steps == 10


def test_a_spent_budget_of_seconds_ends_training():
    trainer = make_trainer()
    trainer.train(100, max_seconds=1e-9)
    assert trainer.steps == 1
    assert trainer.seconds > 1e-9
    trainer.train(100, max_seconds=1e-9)
    assert trainer.steps == 1


def test_a_loss_that_is_not_finite_stops_training_before_a_weight_changes():
    trainer = make_trainer()
    trainer.train(1)
    broken = trainer.model.trainable_variables[0]
    broken.assign(np.full(broken.shape, np.nan))
    others = [variable.numpy() for variable in trainer.model.trainable_variables[1:]]
    trainer.train(5)
    assert trainer.stopped == "loss or gradient not finite at step 2"
    assert trainer.evaluate() == (None, None)
    assert trainer.stopped == "bits/dim of 10 of 10 held-out images not finite"
    assert trainer.steps == 1
    for variable, value in zip(trainer.model.trainable_variables[1:], others, strict=True):
        np.testing.assert_array_equal(variable, value)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"models": ("mar", "pixel_cnn")}, "`models` must be of .*got 'mar,pixel_cnn'"),
        ({"batch_size": 0}, "`batch_size` must be an integer >= 1; got 0"),
        ({"num_training_steps": 0}, "`num_training_steps` must be an integer >= 1; got 0"),
        ({"training_seconds": math.nan}, "`training_seconds` must be a finite number > 0; got nan"),
        ({"learning_rate": -1.0}, "`learning_rate` must be a finite number > 0"),
        ({"evaluate_every": 0}, "`evaluate_every` must be an integer >= 1"),
    ],
)
def test_wrong_arguments_are_named(arguments, expected):
    with pytest.raises(ValueError, match=expected):
        DensityBenchmarkConfig(**arguments)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"batch_size": 64}, "`batch_size` must be at most the 40 training images of digits"),
        ({"num_levels": 4}, "`image_shape` must have a height divisible by 2\\^num_levels = 16"),
        ({"dataset": "nothing"}, "`dataset` must be one of"),
    ],
)
def test_arguments_that_do_not_suit_the_data_are_refused_first(arguments, expected, tmp_path):
    with pytest.raises(ValueError, match=expected):
        DensityBenchmark(DensityBenchmarkConfig(**(SMALL | arguments)), tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_without_a_budget_there_are_500_steps():
    assert DensityBenchmarkConfig().num_training_steps == 500
    assert DensityBenchmarkConfig(training_seconds=3.0).num_training_steps is None


@pytest.mark.slow
def test_files_hold_the_curves_of_all_models(tmp_path):
    config = DensityBenchmarkConfig(**SMALL, num_training_steps=3, evaluate_every=2)
    lines = []
    result = DensityBenchmark(config, tmp_path).run(lines.append)

    assert json.loads((tmp_path / "density.json").read_text()) == result
    assert result["data"] == {
        "image_shape": [8, 8, 1],
        "num_grey_levels": 17,
        "num_train_images": 40,
        "num_evaluation_images": 10,
    }
    with open(tmp_path / "density.csv", encoding="utf-8") as file:
        table = list(csv.DictReader(file))
    assert tuple(table[0]) == tuple(DensityBenchmark.columns)
    for kind in config.models:
        rows = [row for row in result["rows"] if row["model"] == kind]
        assert [row["step"] for row in rows] == [0, 2, 3]
        seconds = [row["training_seconds"] for row in rows]
        assert seconds[0] == 0.0 and seconds == sorted(seconds)
        assert all(0.0 < row["bits_per_dim"] < 100.0 for row in rows)
        assert all(row["standard_error"] > 0.0 for row in rows)
        written = [row for row in table if row["model"] == kind]
        assert [float(row["bits_per_dim"]) for row in written] == [
            row["bits_per_dim"] for row in rows
        ]
    # A model that broke has a note in place of the rest of its curve.
    whole = render_png(lambda figure: DensityBenchmark.draw(figure, result))
    result["rows"][-1] |= {"bits_per_dim": None, "standard_error": None, "stopped": "not finite"}
    assert render_png(lambda figure: DensityBenchmark.draw(figure, result)) != whole
    assert (tmp_path / "density.png").read_bytes().startswith(b"\x89PNG")
    assert lines[-1].startswith("wrote ")
