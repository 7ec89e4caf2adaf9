"""Trainings of several models that take turns, and that a killed program goes on with."""

import dataclasses
import hashlib
import json
import math
import os
import re
import sys
import traceback

import tensorflow as tf

from tf_marscf.benchmarks.measurement import machine_facts
from tf_marscf.errors import RunError, first_line, warn
from tf_marscf.progress import ProgressLines
from tf_marscf.runs.checkpoint_store import CheckpointStore

# In what files of TensorFlow's checkpoints call the variable "record".
_RECORD_KEY = "record/.ATTRIBUTES/VARIABLE_VALUE"


@dataclasses.dataclass(frozen=True)
class TrainingBudget:
    """How long each model is trained, and when it is evaluated.

    Attributes:
        num_steps: steps, or None.
        seconds: seconds of training, or None.
        evaluate_every: steps between evaluations.
        spends_all: whether training goes on until both are spent; else the first one ends it.
    """

    num_steps: int | None
    seconds: float | None
    evaluate_every: int
    spends_all: bool

    def share(self, steps, seconds):
        """The part of the budget, from 0 to 1, that is spent."""
        parts = [
            min(spent / limit, 1.0)
            for spent, limit in ((steps, self.num_steps), (seconds, self.seconds))
            if limit is not None
        ]
        return min(parts) if self.spends_all else max(parts)

    def turn(self, steps, seconds):
        """`(num_steps, max_seconds)` until the next evaluation.

        Evaluated are multiples of `evaluate_every`, and where a part of the budget is spent.
        """
        end = (steps // self.evaluate_every + 1) * self.evaluate_every
        if self.num_steps is not None and steps < self.num_steps:
            end = min(end, self.num_steps)
        is_limited = self.seconds is not None and seconds < self.seconds
        return end - steps, self.seconds if is_limited else math.inf


class ResumableTraining:
    """The training of one model and what was found on its way.

    After each evaluation all of its state is saved, in one checkpoint, so that another object of
    the same directory goes on from there: by steps to the very same results, if TensorFlow's
    operations are deterministic. Seconds are added up.

    Args:
        name: what the training is called.
        facts: all that decides what is found, but for the budget, as JSON can hold it. Trainings of
            other facts have other directories, so that nothing is mixed.
        directory: where each training has a directory of its own.
        make_trainer: function without arguments; a new `ComparisonTrainer`. It is called when there
            is something left to train.
        make_rows: function of a trainer that evaluates it; a list of dicts that JSON can hold.

    Raises:
        RunError: if no checkpoint of those there are can be read.

    Attributes:
        name: the name.
        directory: of this training alone.
        rows: what `make_rows` returned so far, one list of all.
        steps, seconds: spent so far.
        stopped: None, or why the model cannot be trained on: a value that is not finite.
        failed: None, or the error that ended its last turn; the next program tries again.
    """

    def __init__(self, name, facts, directory, make_trainer, make_rows):
        self.name = name
        self.rows, self.steps, self.seconds, self.stopped, self.failed = [], 0, 0.0, None, None
        digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:12]
        words = re.sub(r"\W+", "_", name)
        self.directory = os.path.join(directory, f"{words}_{digest}")
        self._store = CheckpointStore(self.directory, "latest")
        self._make_trainer = make_trainer
        self._make_rows = make_rows
        self._trainer = None
        self._machine = self._earlier_machine = machine_facts()
        # Weights are read when they are needed: of a training that is done, its rows are enough.
        self._store.restore(self._read_record)
        if self._machine != self._earlier_machine:
            warn(f"{name}: its seconds are those of two machines, or versions of packages")

    def share(self, budget):
        """The part of a `TrainingBudget`, from 0 to 1, that is done; 1 if nothing is left to do."""
        if self.stopped or self.failed:
            return 1.0
        return budget.share(self.steps, self.seconds) if self.rows else 0.0

    def take_turn(self, budget):
        """Trains until the next evaluation, evaluates and saves; returns the new rows."""
        if self._trainer is None:
            self._trainer = self._restored_trainer()
        trainer = self._trainer
        if self.rows:  # A new model is evaluated first.
            trainer.train(*budget.turn(self.steps, self.seconds))
        rows = self._make_rows(trainer)
        self.steps, self.seconds, self.stopped = trainer.steps, trainer.seconds, trainer.stopped
        self.rows += rows
        record = {
            "rows": self.rows,
            "steps": self.steps,
            "seconds": self.seconds,
            "stopped": self.stopped,
            "machine": self._machine,
        }
        record = tf.Variable(json.dumps(record), trainable=False)
        self._store.save(trainer.checkpoint(record=record), self.steps)
        return rows

    def release(self):
        """Forgets the model, which takes memory."""
        self._trainer = None

    def _restored_trainer(self):
        trainer, record = self._make_trainer(), tf.Variable("", trainable=False)

        def read(prefix):
            self._read_record(prefix)
            trainer.checkpoint(record=record).read(prefix).assert_consumed()

        path, refused = self._store.restore(read)
        for damaged, reason in refused:
            warn(f"checkpoint {str(damaged)!r} is refused: {reason}")
            self._store.set_aside(damaged)
        if path is not None:
            trainer.go_on_from(self.steps, self.seconds)
        return trainer

    def _read_record(self, prefix):
        record = json.loads(tf.train.load_checkpoint(prefix).get_tensor(_RECORD_KEY))
        self._earlier_machine = record["machine"]
        names = ("rows", "steps", "seconds", "stopped")
        self.rows, self.steps, self.seconds, self.stopped = (record[name] for name in names)


def train_in_turns(trainings, budget, carries_on=False, description="training"):
    """Lets trainings take turns until all are done: whatever else the machine does hits all alike.

    Args:
        trainings: `ResumableTraining`s.
        budget: a `TrainingBudget`.
        carries_on: whether the others go on when one fails. Its `failed` says why, the standard
            error stream has the traceback. What is wrong with files hits all, and is raised.
        description: what lines of progress say is done, on the standard error stream.

    Yields:
        `(training, rows)` after each turn; no rows if it failed.
    """
    done = sum(training.share(budget) for training in trainings)
    lines = ProgressLines(max(len(trainings), 1), description, done=done)
    while active := [training for training in trainings if training.share(budget) < 1.0]:
        for training in active:
            try:
                rows = training.take_turn(budget)
            except (RunError, OSError):
                raise
            except Exception as error:
                if not carries_on:
                    raise
                traceback.print_exc(file=sys.stderr)
                training.failed, rows = f"{type(error).__name__}: {first_line(error)}", []
                training.release()
            before, done = done, sum(one.share(budget) for one in trainings)
            lines.update(done - before)
            yield training, rows
