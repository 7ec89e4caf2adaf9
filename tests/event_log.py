"""Reading of TensorBoard logs."""

import struct

import tensorflow as tf
from tensorflow.core.util import event_pb2


def read_events(directory):
    """The values of a directory's event files: dict from tag to dict from step to tensor."""
    events = {}
    for path in sorted(directory.glob("events.out.tfevents.*")):
        content = path.read_bytes()
        offset = 0
        # A record: its length in 8 bytes, 4 bytes of checksum, the content, 4 bytes of checksum.
        while offset + 12 <= len(content):
            (length,) = struct.unpack_from("<Q", content, offset)
            event = event_pb2.Event.FromString(content[offset + 12 : offset + 12 + length])
            offset += 16 + length
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
