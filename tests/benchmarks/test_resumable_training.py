"""Trainings that take turns, and go on where a program was killed."""

import json
import math

import numpy as np
import pytest
import tensorflow as tf

from tf_marscf.benchmarks.resumable_training import (
    ResumableTraining,
    TrainingBudget,
    train_in_turns,
)


class CountingTrainer:
    """Trains a number: each step adds its own index, and takes half a second."""

    def __init__(self):
        self.steps, self.seconds, self.stopped = 0, 0.0, None
        self.value = tf.Variable(0.0)

    def train(self, num_steps, max_seconds=math.inf):
        for _ in range(num_steps):
            if self.seconds >= max_seconds:
                return
            self.value.assign_add(self.steps)
            self.steps += 1
            self.seconds += 0.5

    def checkpoint(self, **others):
        return tf.train.Checkpoint(weights=[self.value], **others)

    def go_on_from(self, steps, seconds):
        self.steps, self.seconds = steps, seconds


def training_in(directory, facts=(), make_trainer=CountingTrainer, name="one"):
    return ResumableTraining(
        name,
        {"facts": list(facts)},
        directory,
        make_trainer,
        lambda trainer: [{"step": trainer.steps, "value": float(trainer.value)}],
    )


def no_trainer():
    raise AssertionError("there is nothing to train")


@pytest.mark.parametrize(
    ("budget", "state", "share", "turn"),
    [
        (TrainingBudget(10, None, 4, False), (0, 0.0), 0.0, (4, math.inf)),
        (TrainingBudget(10, None, 4, False), (8, 5.0), 0.8, (2, math.inf)),
        (TrainingBudget(10, 8.0, 4, False), (5, 2.0), 0.5, (3, 8.0)),
        (TrainingBudget(10, 8.0, 4, True), (5, 2.0), 0.25, (3, 8.0)),
        (TrainingBudget(10, 8.0, 4, True), (10, 2.0), 0.25, (2, 8.0)),
        (TrainingBudget(10, 8.0, 4, True), (5, 8.5), 0.5, (3, math.inf)),
        (TrainingBudget(None, 8.0, 4, True), (5, 8.0), 1.0, (3, math.inf)),
    ],
)
def test_budgets_of_steps_and_seconds(budget, state, share, turn):
    assert budget.share(*state) == share
    assert budget.turn(*state) == turn


def test_both_budgets_have_an_evaluation_of_their_own(tmp_path):
    training = training_in(tmp_path)
    list(train_in_turns([training], TrainingBudget(9, 1.5, 4, True)))
    assert [row["step"] for row in training.rows] == [0, 3, 4, 8, 9]
    first_spent = training_in(tmp_path, facts=["other"])
    list(train_in_turns([first_spent], TrainingBudget(9, 1.5, 4, False)))
    assert [row["step"] for row in first_spent.rows] == [0, 3]


def test_it_goes_on_where_it_was(tmp_path):
    budget = TrainingBudget(9, None, 4, True)
    killed = training_in(tmp_path)
    for _ in range(2):
        killed.take_turn(budget)
    restored = training_in(tmp_path)
    assert (restored.steps, restored.seconds, restored.share(budget)) == (4, 2.0, 4 / 9)
    list(train_in_turns([restored], budget))
    assert [row["value"] for row in restored.rows] == [0.0, 6.0, 28.0, 36.0]
    assert restored.seconds == 4.5
    # Done: the model is not even made.
    done = training_in(tmp_path, make_trainer=no_trainer)
    assert list(train_in_turns([done], budget)) == []
    assert done.rows == restored.rows
    # Other facts, another training.
    assert training_in(tmp_path, facts=["other"]).rows == []


def test_a_damaged_checkpoint_is_passed_over_for_the_one_before(tmp_path, capsys):
    budget = TrainingBudget(8, None, 4, True)
    list(train_in_turns([training_in(tmp_path)], budget))
    (newest,) = tmp_path.glob("*/checkpoints/latest/step_00000008")
    for path in newest.glob("checkpoint*"):
        path.write_bytes(b"damaged")
    training = training_in(tmp_path)
    assert training.steps == 4
    list(train_in_turns([training], budget))
    assert [row["value"] for row in training.rows] == [0.0, 6.0, 28.0]
    assert "is refused" in capsys.readouterr().err
    assert list(tmp_path.glob("*/checkpoints/latest/refused_step_00000008"))


def test_another_machine_is_told_of(tmp_path, monkeypatch, capsys):
    budget = TrainingBudget(4, None, 4, True)
    list(train_in_turns([training_in(tmp_path)], budget))
    module = "tf_marscf.benchmarks.resumable_training"
    monkeypatch.setattr(f"{module}.machine_facts", lambda: {"num_cpus": 1000})
    training_in(tmp_path)
    assert "one: its seconds are those of two machines" in capsys.readouterr().err


def test_trainings_take_turns_and_only_the_failing_one_ends(tmp_path, capsys):
    class Failing(CountingTrainer):
        def train(self, num_steps, max_seconds=math.inf):
            raise MemoryError("too large")

    budget = TrainingBudget(8, None, 4, True)
    trainings = [
        training_in(tmp_path, make_trainer=make_trainer, name=name)
        for name, make_trainer in (("good", CountingTrainer), ("bad", Failing))
    ]
    turns = [(one.name, len(rows)) for one, rows in train_in_turns(trainings, budget, True)]
    assert turns == [("good", 1), ("bad", 1), ("good", 1), ("bad", 0), ("good", 1)]
    assert trainings[1].failed == "MemoryError: too large"
    assert "too large" in capsys.readouterr().err
    with pytest.raises(MemoryError):
        list(train_in_turns([training_in(tmp_path, make_trainer=Failing, name="bad")], budget))


def test_records_are_exact(tmp_path):
    value = float(np.nextafter(0.1, 1.0))
    training = ResumableTraining(
        "one", {}, tmp_path, CountingTrainer, lambda trainer: [{"value": value}]
    )
    training.take_turn(TrainingBudget(1, None, 1, True))
    again = ResumableTraining("one", {}, tmp_path, no_trainer, None)
    assert again.rows == [{"value": value}] == json.loads(json.dumps(training.rows))
