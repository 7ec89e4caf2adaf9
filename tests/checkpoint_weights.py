"""What the checkpoints of a training run hold."""

import tensorflow as tf

from tf_marscf.runs.checkpoint_store import CheckpointStore


def latest_step(directory):
    """The step of the newest checkpoint of the state; 0 if there is none."""
    paths = CheckpointStore(directory, "latest").paths()
    return int(paths[0].name.removeprefix("step_")) if paths else 0


def latest_weights(directory):
    """All arrays of the newest checkpoint of the state, by name."""
    path = CheckpointStore(directory, "latest").paths()[0]
    reader = tf.train.load_checkpoint(str(path / "checkpoint"))
    return {
        name: reader.get_tensor(name)
        for name in reader.get_variable_to_shape_map()
        if "OBJECT_GRAPH" not in name
    }
