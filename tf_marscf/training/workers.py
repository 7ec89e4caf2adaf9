"""What the workers of a run tell each other."""

import contextlib
import functools
import hashlib
import json

import numpy as np
import tensorflow as tf

from tf_marscf._version import __version__
from tf_marscf.errors import InputError, RunError, first_line

# What TensorFlow raises in a worker whose cluster is no longer whole.
_CLUSTER_ERRORS = (
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
    tf.errors.UnavailableError,
)


class Workers:
    """The processes that train together; of a strategy without a cluster this one alone.

    Args:
        strategy: the `tf.distribute.Strategy`.
    """

    def __init__(self, strategy):
        self._strategy = strategy
        self._resolver = strategy.cluster_resolver

    @property
    def is_chief(self):
        """Whether this process writes files: the first worker, or the only one."""
        return self._resolver is None or self._resolver.task_id in (None, 0)

    def gather(self, values):
        """One tuple of integers a worker: the `values` that each of them calls this with."""
        if self._resolver is None:
            return [tuple(values)]
        # Rows of the others are zeros here, so that one sum gathers: TensorFlow's gathering is two.
        rows = np.zeros([self._resolver.cluster_spec().num_tasks("worker"), len(values)], np.int64)
        rows[self._resolver.task_id] = values
        rows = self._sum(tf.constant(rows)).numpy()
        rows //= self._strategy.num_replicas_in_sync // len(rows)
        return [tuple(map(int, row)) for row in rows]

    @functools.cached_property
    def _sum(self):
        """A graph, traced once for each shape, of the sum over all replicas."""

        @tf.function(autograph=False)
        def sum_over_replicas(value):
            values = self._strategy.run(tf.identity, args=(value,))
            return self._strategy.reduce(tf.distribute.ReduceOp.SUM, values, axis=None)

        return sum_over_replicas

    def check_same(self, settings):
        """Checks that all workers have the same `settings`, a dict that JSON can hold.

        Raises:
            InputError: on all workers, if they have not, or are of different versions.
        """
        names = _digest([__version__, *settings])
        rows = self.gather([names, _digest(settings)])
        if len(set(rows)) == 1:
            return
        if any(row[0] != names for row in rows):
            raise InputError(
                f"all workers must run the same version of tf_marscf; this one has {__version__}."
            )
        rows = self.gather([_digest(value) for value in settings.values()])
        found = [
            f"{name}={value!r}"
            for (name, value), column in zip(settings.items(), zip(*rows, strict=True), strict=True)
            if len(set(column)) > 1
        ]
        raise InputError(
            "all workers must have the same flags and data; they differ, and this one has: "
            f"{', '.join(found)}."
        )

    @contextlib.contextmanager
    def needed(self):
        """Turns what TensorFlow raises where another worker is missing into a `RunError`."""
        try:
            yield
        except _CLUSTER_ERRORS as error:
            if self._resolver is None:
                raise
            raise RunError(
                "another worker ended, or cannot be reached; started again on all workers, the "
                f"same command continues. TensorFlow says: {_cause(error)}"
            ) from error


def _cause(error):
    """What TensorFlow says of the cluster, in one line; it comes after a listing of the program."""
    _, mark, text = error.message.partition("Collective ops is aborted by: ")
    return first_line(RunError(" ".join(text.split()))) if mark else first_line(error)


def _digest(value):
    """An integer below 2^56, of what JSON can hold; the sum of 127 of them fits into int64."""
    return int.from_bytes(hashlib.sha256(json.dumps(value).encode()).digest()[:7])
