"""Distribution strategies by name."""

import json
import os

from tf_marscf.errors import InputError

STRATEGIES = ("auto", "one", "mirrored", "multi_worker")
_CLUSTER_VARIABLE = "TF_CONFIG"


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
        '{"cluster": {"worker": ["HOST:PORT", ...]}, "task": {"type": "worker", "index": N}}'
    )
    if not text:
        raise InputError(f"{rule}; got none.")
    try:
        config = json.loads(text)
        workers, task = config["cluster"]["worker"], config["task"]
        is_valid = task["type"] == "worker" and 0 <= int(task["index"]) < len(workers)
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
        return tf.distribute.MultiWorkerMirroredStrategy()
    if name == "mirrored":
        kind = "GPU" if tf.config.list_physical_devices("GPU") else "CPU"
        devices = [device.name for device in tf.config.list_logical_devices(kind)]
        return tf.distribute.MirroredStrategy(devices)
    return tf.distribute.get_strategy()


def is_chief(strategy):
    """Whether this process writes files: the first worker, or the only one."""
    resolver = strategy.cluster_resolver
    return resolver is None or resolver.task_id in (None, 0)


def gather_from_workers(strategy, values):
    """One tuple of integers a worker: the `values` that each of them calls this with."""
    if strategy.cluster_resolver is None:
        return [tuple(values)]
    import tensorflow as tf

    @tf.function(autograph=False)
    def gather():
        rows = strategy.run(lambda: tf.constant([values], tf.int64))
        return strategy.gather(rows, axis=0)

    num_workers = strategy.cluster_resolver.cluster_spec().num_tasks("worker")
    rows = gather().numpy()
    return [tuple(map(int, row)) for row in rows[:: len(rows) // num_workers]]


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
