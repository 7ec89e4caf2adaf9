"""What workers tell each other, without a cluster; with one, see `test_several_workers.py`."""

import types

import pytest
import tensorflow as tf

from tf_marscf._version import __version__
from tf_marscf.errors import InputError, RunError
from tf_marscf.training import workers
from tf_marscf.training.workers import Workers

SETTINGS = {"batch_size": 64, "prior_dilations": [1, 2], "prior_family": None}


def workers_of(*gathered):
    """A `Workers` whose other worker has gathered these rows, one a call."""
    resolver = types.SimpleNamespace(task_id=0)
    found = Workers(types.SimpleNamespace(cluster_resolver=resolver))
    rows = iter(gathered)
    found.gather = lambda values: [tuple(values), next(rows)]
    return found


def rows_of(settings):
    """What a worker with these settings tells: of all of them, then of each."""
    digest = workers._digest
    names = digest([__version__, *settings])
    return (names, digest(settings)), tuple(map(digest, settings.values()))


def test_a_process_alone_is_the_chief_and_agrees_with_itself():
    alone = Workers(tf.distribute.get_strategy())
    assert alone.is_chief
    assert alone.gather([3, 4]) == [(3, 4)]
    alone.check_same(SETTINGS)


def test_same_settings_are_told_once():
    workers_of(rows_of(SETTINGS)[0]).check_same(SETTINGS)


def test_different_settings_are_named_with_their_values():
    other = SETTINGS | {"batch_size": 32, "prior_dilations": [1, 1]}
    with pytest.raises(InputError, match=r"has: batch_size=64, prior_dilations=\[1, 2\]\.$"):
        workers_of(*rows_of(other)).check_same(SETTINGS)


def test_another_version_is_named(monkeypatch):
    rows = rows_of(SETTINGS)
    monkeypatch.setattr(workers, "__version__", "0.0.9")
    with pytest.raises(InputError, match="the same version of tf_marscf; this one has 0.0.9"):
        workers_of(*rows).check_same(SETTINGS)


def test_a_lost_worker_is_a_run_error_that_says_what_tensorflow_found():
    error = tf.errors.UnavailableError(
        None,
        None,
        "Graph execution error:\n\nDetected at node CollectiveReduceV2\n\n"
        "Collective ops is aborted by: Error from\n/job:worker/task:1: it crashed.",
    )
    with pytest.raises(RunError, match="says: Error from /job:worker/task:1: it crashed.$"):
        with workers_of().needed():
            raise error
    with pytest.raises(tf.errors.UnavailableError):
        with Workers(tf.distribute.get_strategy()).needed():
            raise error
