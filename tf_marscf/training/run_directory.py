"""The directory of a training run: who has it, what happened, and what an earlier run left."""

import contextlib
import dataclasses
import fcntl
import os
import socket
import time
from pathlib import Path

from tf_marscf.errors import RunError
from tf_marscf.runs.checkpoint_store import CheckpointStore
from tf_marscf.runs.run_config import RunConfig

RESULTS_FILE = "results.json"


@contextlib.contextmanager
def run_lock(train_dir):
    """Keeps other processes out of a training directory, which is created if missing.

    The operating system releases the lock however the process ends; the file stays. A `RunError` on
    entry if another process has the directory.
    """
    os.makedirs(train_dir, exist_ok=True)
    # Not "w": another process's entry must stay.
    with open(os.path.join(train_dir, "run.lock"), "a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            owner = file.read().strip() or "another process"
            raise RunError(
                f"`train_dir` {os.fspath(train_dir)!r} is in use by {owner}; stop it, or give "
                "another directory."
            ) from None
        file.truncate(0)
        file.write(f"process {os.getpid()} on {socket.gethostname()}\n")
        file.flush()
        yield


class RunLog:
    """Lines with a time, on the screen and at the end of `run.log`; of no directory, nowhere."""

    def __init__(self, train_dir):
        self._path = None if train_dir is None else os.path.join(train_dir, "run.log")

    def write(self, line):
        """Adds a line."""
        if self._path is None:
            return
        with open(self._path, "a", encoding="utf-8") as file:
            file.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {line}\n")
        print(line, flush=True)

    def warn(self, text):
        """Adds a warning."""
        self.write(f"warning: {text}")


def load_earlier_config(train_dir, config):
    """The `RunConfig` of the run in a directory; None if there is none to go on from.

    A `RunError` if it is a run of another model, dequantization or data set than that of `config`,
    or there are imported weights, or what is left of a run that lost its checkpoints.
    """
    latest = CheckpointStore(train_dir, "latest")
    remains = _remains(train_dir)
    if not latest.paths() and not remains:
        return None
    earlier = RunConfig.load(train_dir)
    if earlier.training is None:
        raise RunError(
            f"`train_dir` {train_dir!r} holds weights and no training run. To train on from them, "
            "give another directory, and this one as `initial_weights`."
        )
    if not latest.paths():
        raise RunError(
            f"`train_dir` {train_dir!r} holds {', '.join(remains)} of a run, and no checkpoint in "
            "checkpoints/latest to go on from. Put a copy of one back, or give another directory."
        )
    for name in ("model", "data", "pixels", "dequantization"):
        before, now = (dataclasses.asdict(getattr(part, name)) for part in (earlier, config))
        before.pop("data_dir", None)  # Where the data lie does not change what they are.
        if before.get("class_names") is None:
            before.pop("class_names", None)  # Earlier versions did not keep them.
        changed = changes_of(before, now)
        if changed:
            raise RunError(
                f"`train_dir` {train_dir!r} holds a run with another {name}: {', '.join(changed)}. "
                "Give another directory, or the arguments of that run to continue it."
            )
    # Its state is part of the checkpoints, which were all Adamax's before there was a choice.
    before = earlier.training.get("optimizer", "adamax")
    if config.training["optimizer"] != before:
        raise RunError(
            f"`optimizer` must be that of the run in {train_dir!r}, {before!r}, to go on with it; "
            f"got {config.training['optimizer']!r}. For another, give another directory, and this "
            "one as `initial_weights`."
        )
    return earlier


def _remains(train_dir):
    """Names of what only a run that had checkpoints can have written."""
    best, latest = (CheckpointStore(train_dir, kind) for kind in ("best", "latest"))
    paths = [*best.paths(), *best.refused_paths(), *latest.refused_paths()]
    paths += [path for path in [Path(train_dir, RESULTS_FILE)] if path.exists()]
    return [str(path.relative_to(train_dir)) for path in paths]


def changes_of(before, now):
    """What differs between two dicts, in words; a new field is no change."""
    return [
        f"{field} was {before[field]!r} and is {value!r}"
        for field, value in now.items()
        if field in before and before[field] != value
    ]
