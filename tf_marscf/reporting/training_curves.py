"""The numbers in the TensorBoard logs of a training run.

TensorBoard's own EventAccumulator orders files by their times and not by their sessions, says
nothing of damage, and keeps all pictures in memory.
"""

import dataclasses
import math
import os
from pathlib import Path

import tensorflow as tf
from google.protobuf.message import DecodeError

from tf_marscf.errors import first_line
from tf_marscf.training.training_log import session_of

LOGS = "logs"
COLUMNS = ("split", "tag", "step", "value")


@dataclasses.dataclass(frozen=True)
class TrainingCurves:
    """Numbers over training steps.

    Attributes:
        train: dict from tag, as `TrainingLog` writes them, to a dict from step to number.
        validation: likewise.
        problems: sentences on what could not be read.
    """

    train: dict
    validation: dict
    problems: tuple = ()

    @classmethod
    def load(cls, train_dir):
        """Reads the logs of a training directory; no logs give no curves."""
        train, problems = read_scalars(os.path.join(train_dir, LOGS, "train"))
        validation, others = read_scalars(os.path.join(train_dir, LOGS, "validation"))
        return cls(train, validation, (*problems, *others))

    def __bool__(self):
        return bool(self.train or self.validation)

    @property
    def last_step(self):
        """The last step that any curve has."""
        return max(row["step"] for row in self.rows())

    def rows(self):
        """A dict of split, tag, step and value for each number."""
        return [
            dict(zip(COLUMNS, (split, tag, step, value), strict=True))
            for split in ("train", "validation")
            for tag, values in getattr(self, split).items()
            for step, value in values.items()
        ]

    def best_validation(self):
        """Step and bits/dim of the lowest validation value; None without any."""
        points = [
            (value, step) for values in self.validation.values() for step, value in values.items()
        ]
        return min(points)[::-1] if points else None


def read_scalars(directory):
    """Reads all tags that hold one number a step from the event files of a directory.

    A run that was stopped and went on writes a new file and repeats the steps since its last
    checkpoint. What earlier files say of steps after the one where a session went on is
    superseded. Sessions are ordered by their numbers (`session_of`), since no clock is sure not to
    be set back. Files without a number, of earlier versions, come before, by the time in their
    names, and go on at the first step that they hold.

    Returns:
        `(scalars, problems)`: a dict from tag to a dict from step to Python float, steps in order;
        and a list of sentences on what could not be read or is not finite, and is left out.
    """
    points, problems = [], []
    paths = Path(directory).glob("*.tfevents.*")
    for path in sorted(paths, key=lambda path: (session_of(path.name) or (0, 0), path.name)):
        entries = list(_entries(path, problems))
        session = session_of(path.name)
        if session or entries:
            last_step = session[1] if session else min(step for _, step, _ in entries) - 1
            points = [point for point in points if point[1] <= last_step] + entries
    scalars, finite = {}, {}
    for tag, step, value in points:
        scalars.setdefault(tag, {})[step] = value
    for tag, values in scalars.items():
        finite[tag] = {step: values[step] for step in sorted(values) if math.isfinite(values[step])}
        wrong = sorted(values.keys() - finite[tag].keys())
        if wrong:
            problems.append(
                f"{len(wrong)} values of {tag} are not finite, the first at step {wrong[0]}: they "
                "are left out."
            )
    return {tag: values for tag, values in finite.items() if values}, problems


def _entries(path, problems):
    """Yields tag, step and value of each number in a file."""
    if not path.is_file():
        problems.append(f"{path.name} is no file, and is not shown.")
        return
    try:
        for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
            yield from _event(record)
    except (tf.errors.DataLossError, DecodeError) as error:
        # The last record of a run that is being written, or was killed, may be cut off.
        if "truncated record" not in str(error):
            problems.append(f"{path.name} is damaged: what comes after the damage is not shown.")
    except tf.errors.OpError as error:
        problems.append(f"{path.name} cannot be read: {first_line(error)}")


def _event(record):
    """Tag, step and value of each number in a record, which may be any bytes."""
    event = tf.compat.v1.Event.FromString(record)
    try:
        numbers = [(value.tag, event.step, _number(value)) for value in event.summary.value]
    # What a tensor of somebody's file lacks decides what is raised.
    except Exception as error:
        raise DecodeError(str(error)) from error
    return [entry for entry in numbers if entry[2] is not None]


def _number(value):
    """The number of a summary value, or None for pictures and the like."""
    if value.WhichOneof("value") == "simple_value":
        return value.simple_value
    if value.WhichOneof("value") != "tensor" or value.tensor.tensor_shape.dim:
        return None
    array = tf.make_ndarray(value.tensor)
    return float(array) if array.dtype.kind in "fiu" else None
