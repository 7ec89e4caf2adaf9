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


def test_averages_move_as_weights_do_and_are_scored_in_their_place():
    config = DensityBenchmarkConfig(**SMALL, models=("mar",), warm_up_images=0)
    dataset = load_configured_dataset(config.data)
    (model,) = matched_models(config, dataset.image_shape, config.num_levels)
    trainer = ComparisonTrainer(model, dataset, dataset.test.take(10), config, 0, (0.9, 0.05))
    variables = model.trainable_variables
    before = [variable.numpy() for variable in variables]
    new = trainer.evaluate()
    assert trainer.evaluate(0.9) == trainer.evaluate(0.05) == new
    trainer.train(1)
    after = [variable.numpy() for variable in variables]
    # Step 0: decays are at most 1 / 10.
    for decay, kept in ((0.9, 0.1), (0.05, 0.05)):
        averages = trainer._averages[decay].images_distribution.trainable_variables
        for average, old, weight in zip(averages, before, after, strict=True):
            np.testing.assert_allclose(average, kept * old + (1 - kept) * weight, atol=1e-6)
    scores = [trainer.evaluate(decay)[0] for decay in (0.0, 0.05, 0.9)]
    assert len({new[0], *scores}) == 4
    for variable, weight in zip(variables, after, strict=True):
        np.testing.assert_array_equal(variable, weight)


def test_a_trainer_goes_on_from_a_checkpoint(tmp_path):
    unbroken, killed, other = (make_trainer(warm_up_images=100) for _ in range(3))
    unbroken.train(5)
    killed.train(2)
    path = killed.checkpoint().write(str(tmp_path / "checkpoint"))
    other.checkpoint().read(path).assert_consumed()
    other.go_on_from(2, 0.5)
    other.train(3)
    assert other.steps == 5 and other.seconds > 0.5
    assert other.evaluate() == pytest.approx(unbroken.evaluate(), abs=1e-5)


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
        ({"models": ("mar", "vae")}, "`models` must be some of .*got 'mar,vae'"),
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


@pytest.mark.slow
def test_an_interrupted_benchmark_is_gone_on_with_and_leaves_no_trainings(tmp_path):
    options = SMALL | {"models": ("mar", "gaussian"), "num_training_steps": 2, "evaluate_every": 1}
    config = DensityBenchmarkConfig(**options)
    lines = []

    def interrupt(line):
        lines.append(line)
        if len(lines) == 1 + 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        DensityBenchmark(config, tmp_path).run(interrupt)
    assert len(list((tmp_path / "density_trainings").iterdir())) == 2
    again = []
    result = DensityBenchmark(config, tmp_path).run(again.append)
    steps = {kind: [row["step"] for row in result["rows"] if row["model"] == kind]
             for kind in config.models}  # fmt: skip
    assert steps == {"mar": [0, 1, 2], "gaussian": [0, 1, 2]}
    assert set(lines[1:4]) <= set(again)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "density.csv",
        "density.json",
        "density.png",
    ]
