"""Numbers in TensorBoard's event files."""

import math
from pathlib import Path

import tensorflow as tf


def read_scalars(directory):
    """Reads all tags that hold one number a step.

    A run that was stopped and went on writes a new file and repeats the steps since its last
    checkpoint. What an earlier file says of steps from the first one of a later file on is
    superseded.

    Args:
        directory: where the event files are, such as TRAIN_DIR/logs/train.

    Returns:
        `(scalars, problems)`: a dict from tag to a dict from step to Python float, steps in order;
        and a list of sentences on what could not be read or is not finite, and is left out.
    """
    scalars, problems = {}, []
    # The names begin with the time of their first entry.
    for path in sorted(Path(directory).glob("*.tfevents.*")):
        entries = list(_entries(path, problems))
        if not entries:
            continue
        first_step = min(step for _, step, _ in entries)
        for values in scalars.values():
            for step in [step for step in values if step >= first_step]:
                del values[step]
        for tag, step, value in entries:
            scalars.setdefault(tag, {})[step] = value
    for tag, values in scalars.items():
        wrong = sorted(step for step, value in values.items() if not math.isfinite(value))
        for step in wrong:
            del values[step]
        if wrong:
            problems.append(
                f"{len(wrong)} values of {tag} are not finite, the first at step {wrong[0]}: they "
                "are left out."
            )
    return {tag: dict(sorted(values.items())) for tag, values in scalars.items()}, problems


def _entries(path, problems):
    """Yields tag, step and value of each number in a file."""
    try:
        for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
            event = tf.compat.v1.Event.FromString(record)
            for value in event.summary.value:
                number = _number(value)
                if number is not None:
                    yield value.tag, event.step, number
    except tf.errors.DataLossError as error:
        # The last record of a run that is being written, or was killed, may be cut off.
        if "truncated record" not in str(error):
            problems.append(f"{path.name} is damaged: what lies behind the damage is not shown.")


def _number(value):
    """The number of a summary value, or None for pictures and the like."""
    if value.WhichOneof("value") == "simple_value":
        return value.simple_value
    if value.WhichOneof("value") != "tensor" or value.tensor.tensor_shape.dim:
        return None
    array = tf.make_ndarray(value.tensor)
    return float(array) if array.dtype.kind in "fiu" else None
