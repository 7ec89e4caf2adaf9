"""Distribution strategies by name."""

import json
import os
import re

from tf_marscf.errors import InputError, RunError, first_line
from tf_marscf.training.stop_signals import default_signals

STRATEGIES = ("auto", "one", "mirrored", "multi_worker")
_CLUSTER_VARIABLE = "TF_CONFIG"
_ADDRESS = re.compile(r"[^\s/:]+:[0-9]+|\[[0-9a-fA-F:]+\]:[0-9]+")


def check_strategy(name):
    """Checks a strategy's name, and TF_CONFIG if that is used, before TensorFlow starts."""
    if name not in STRATEGIES:
        raise InputError(f"`strategy` must be one of {STRATEGIES}; got {name!r}.")
    if name == "multi_worker" or (name == "auto" and os.environ.get(_CLUSTER_VARIABLE)):
        _check_cluster()


def _check_cluster():
    """Checks that TF_CONFIG has the workers' addresses and this process's index."""
    text = os.environ.get(_CLUSTER_VARIABLE)
    rule = (
        f"`strategy` multi_worker needs the environment variable {_CLUSTER_VARIABLE} as JSON: "
        '{"cluster": {"worker": ["HOST:PORT", ...]}, "task": {"type": "worker", "index": N}}, '
        "with different addresses, of workers only"
    )
    if not text:
        raise InputError(f"{rule}; got none.")
    try:
        config = json.loads(text)
        workers, task = config["cluster"]["worker"], config["task"]
        is_valid = (
            set(config["cluster"]) == {"worker"}
            and all(map(_ADDRESS.fullmatch, workers))
            and len(set(workers)) == len(workers)
            and task["type"] == "worker"
            and 0 <= int(task["index"]) < len(workers)
        )
    except (json.JSONDecodeError, KeyError, TypeError, ValueError):
        is_valid = False
    if not is_valid:
        raise InputError(f"{rule}; got {text!r}.")


def make_strategy(name):
    """Builds the strategy of a checked name, before TensorFlow runs anything.

    It is "one" device; "mirrored" over all GPUs of this machine (or, without GPUs, its logical
    CPUs); "multi_worker" over the processes that TF_CONFIG lists; or "auto": multi_worker where
    TF_CONFIG is set, mirrored where there are several GPUs, else one.
    """
    import tensorflow as tf

    if name == "auto":
        if os.environ.get(_CLUSTER_VARIABLE):
            name = "multi_worker"
        else:
            name = "mirrored" if len(tf.config.list_physical_devices("GPU")) > 1 else "one"
    if name == "multi_worker":
        return _strategy_of_workers()
    if name == "mirrored":
        kind = "GPU" if tf.config.list_physical_devices("GPU") else "CPU"
        devices = [device.name for device in tf.config.list_logical_devices(kind)]
        return tf.distribute.MirroredStrategy(devices)
    return tf.distribute.get_strategy()


def _strategy_of_workers():
    """The strategy of all workers, once they have met."""
    import tensorflow as tf

    config = json.loads(os.environ[_CLUSTER_VARIABLE])
    index, workers = int(config["task"]["index"]), config["cluster"]["worker"]
    others = [worker for worker in workers if worker != workers[index]]
    try:
        with default_signals():
            print(f"worker {index} waits for {', '.join(others) or 'no other'}", flush=True)
            return tf.distribute.MultiWorkerMirroredStrategy()
    except tf.errors.OpError as error:
        raise RunError(
            f"worker {index} of {_CLUSTER_VARIABLE} cannot start at {workers[index]}, or meet "
            f"{', '.join(others)}. TensorFlow says: {first_line(error)}"
        ) from error


def distribute_batches(strategy, batches, global_batch_size):
    """A data set that gives every replica its rows of each batch: replica r of R the r-th part.

    The first axis of all tensors in `batches`, which are the same on all workers, is
    `global_batch_size` long, a multiple of the number of replicas.
    """
    import tensorflow as tf

    num_replicas = strategy.num_replicas_in_sync
    if num_replicas == 1:
        return batches
    part_size = global_batch_size // num_replicas

    def pipeline(context):
        num_local = num_replicas // context.num_input_pipelines
        first = context.input_pipeline_id * num_local

        def local_parts(*batch):
            parts = tf.nest.map_structure(
                lambda value: tf.reshape(value, [num_replicas, part_size, *value.shape[1:]])[
                    first : first + num_local
                ],
                batch,
            )
            return parts if len(parts) > 1 else parts[0]

        return batches.map(local_parts).unbatch().prefetch(2 * num_local)

    return strategy.distribute_datasets_from_function(pipeline)
