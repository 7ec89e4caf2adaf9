"""Prints the bytes that a training step all-reduces, of two devices that use collectives."""

import json
import sys

import tensorflow as tf

from tests.small_trainers import small_distribution, small_trainer, variational_distribution


def collective_bytes(graph_def):
    """Of all inputs of all collective operations of a graph on its first device, by operation."""
    found = {}
    for nodes in (graph_def.node, *(function.node_def for function in graph_def.library.function)):
        for node in nodes:
            if node.op.startswith("Collective") and node.device.endswith(":0"):
                shape = tf.TensorShape(node.attr["_output_shapes"].list.shape[0])
                size = shape.num_elements() * tf.as_dtype(node.attr["T"].type).size
                found[node.op] = found.get(node.op, 0) + size
    return found


def main(options):
    """Traces a step of a small trainer; nothing is run."""
    options = json.loads(options)
    tf.config.set_logical_device_configuration(
        tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
    )
    strategy = tf.distribute.MultiWorkerMirroredStrategy._from_local_devices(["CPU:0", "CPU:1"])
    is_variational = options.pop("is_variational", False)
    with strategy.scope():
        new = variational_distribution if is_variational else small_distribution
        trainer = small_trainer(new(**options), num_accumulated_parts=2)

    @tf.function(autograph=False)
    def step(pixels):
        strategy.run(trainer.train_step, args=(pixels,))

    pixels = tf.TensorSpec([4, 8, 8, 1], tf.uint8)
    graph = step.get_concrete_function(pixels).graph
    print(json.dumps(collective_bytes(graph.as_graph_def(add_shapes=True))))


if __name__ == "__main__":
    main(*sys.argv[1:])
