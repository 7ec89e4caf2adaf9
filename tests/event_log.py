"""Reading of TensorBoard logs."""

import tensorflow as tf
from tensorboard.backend.event_processing.event_file_loader import LegacyEventFileLoader


def read_events(directory):
    """The values of a directory's event files: dict from tag to dict from step to tensor."""
    events = {}
    for path in sorted(directory.glob("events.out.tfevents.*")):
        for event in LegacyEventFileLoader(str(path)).Load():
            for value in event.summary.value:
                events.setdefault(value.tag, {})[event.step] = tf.make_ndarray(value.tensor)
    return events


def read_scalars(directory):
    """As `read_events`, for tags that hold one number a step."""
    return {
        tag: {step: float(value) for step, value in values.items()}
        for tag, values in read_events(directory).items()
        if all(value.ndim == 0 for value in values.values())
    }
