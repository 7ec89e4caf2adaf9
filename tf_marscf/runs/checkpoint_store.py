"""Checkpoints that appear whole or not at all."""

import math
import os
import re
from pathlib import Path

import tensorflow as tf

from tf_marscf.errors import RunError, first_line
from tf_marscf.files.atomic_file import atomic_directory, remove_directory
from tf_marscf.files.paths import local_path

_NAME = re.compile(r"step_(\d+)(\.replaced)?")
_FILE_NAME = "checkpoint"
_NUMBER_FILE = "write_number"
# What the system, and not a file's content, is the cause of.
_SYSTEM_ERRORS = (
    OSError,
    MemoryError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
    tf.errors.PermissionDeniedError,
    tf.errors.ResourceExhaustedError,
    tf.errors.UnavailableError,
    tf.errors.UnimplementedError,
)
# What TensorFlow raises for files that are damaged, or not of the objects that should be read.
_WRONG_CONTENT = (AssertionError, LookupError, RuntimeError, TypeError, ValueError)


class DamagedCheckpointsError(RunError):
    """There are checkpoints, and all of them are damaged or of another model."""


class CheckpointStore:
    """The checkpoints of one kind in a training directory, each in a directory of its own.

    `checkpoints/KIND/step_00001200/` is written under a temporary name, flushed to the disk and
    renamed, so that whatever has such a name is complete. It holds the number of the write, which
    counts all checkpoints of the training directory: the newest is the one that was written last,
    whatever its step. The newest `keep` stay.

    Args:
        train_dir: the training directory.
        kind: name of the kind, such as "latest"; the checkpoints are in `directory`, a `Path`.
        keep: how many checkpoints stay.
    """

    def __init__(self, train_dir, kind, keep=2):
        self.directory = Path(local_path("train_dir", train_dir), "checkpoints", kind)
        self._keep = keep

    def paths(self):
        """The checkpoints' directories, newest first."""
        if not self.directory.is_dir():
            return []
        found = (path for path in self.directory.iterdir() if _NAME.fullmatch(path.name))
        return sorted(found, key=write_order, reverse=True)

    def refused_paths(self):
        """The directories that were set aside."""
        return sorted(self.directory.glob("refused_step_*"))

    def save(self, checkpoint, step):
        """Writes a `tf.train.Checkpoint` after a training step, and removes the oldest one.

        Returns the path of its directory. What a killed process left unfinished goes as well.

        Raises:
            RunError: if it cannot be written, such as on a full disk; those before it stay.
        """
        path = self.directory / f"step_{step:08d}"
        try:
            with atomic_directory(path, _replace) as directory:
                checkpoint.write(str(directory / _FILE_NAME))
                # Twice, so that damage is seen.
                (directory / _NUMBER_FILE).write_text(f"{self._next_number()}\n" * 2)
        except (OSError, tf.errors.OpError) as error:
            kept = self.paths()
            raise RunError(
                f"checkpoint {str(path)!r} cannot be written: {first_line(error)} "
                f"Last good checkpoint: {str(kept[0]) if kept else 'none yet'}."
            ) from error
        for old in self.paths()[self._keep :]:
            remove_directory(old)
        return path

    def restore(self, read):
        """Has `read`, a function of the prefix of its files, read the newest that is whole.

        Returns:
            `(path, refused)`: of the checkpoint that was read, None if there are none at all, and
            path and reason of each damaged one that it stands in for.

        Raises:
            DamagedCheckpointsError: if there are checkpoints and all are damaged.
            RunError: if the system does not let read one: no older one is taken for it.
        """
        refused = []
        for path in self.paths():
            try:
                _read_all_bytes(path)
                if write_order(path)[0] == math.inf:
                    raise ValueError(f"its file {_NUMBER_FILE} is damaged")
                read(str(path / _FILE_NAME))
            except _SYSTEM_ERRORS as error:
                raise RunError(
                    f"checkpoint {str(path)!r} cannot be read, which says nothing of what it "
                    f"holds: {first_line(error)}. Nothing was changed."
                ) from error
            except (*_WRONG_CONTENT, tf.errors.OpError) as error:
                refused.append((path, first_line(error)))
            else:
                return path, refused
        if refused:
            texts = [f"{str(path)!r} ({reason})" for path, reason in refused]
            raise DamagedCheckpointsError(
                f"no checkpoint can be read: {'; '.join(texts)}. Nothing was changed; put a copy "
                "of one back, or give another directory."
            )
        return None, []

    def set_aside(self, path, mark="refused"):
        """Renames a checkpoint so that it no longer counts as one; returns its new path."""
        target = path.with_name(f"{mark}_{path.name}")
        if target.exists():
            remove_directory(target)
        os.rename(path, target)
        return target

    def _next_number(self):
        """One more than that of any checkpoint of the training directory."""
        numbers = [write_order(path)[0] for path in self.directory.parent.glob("*/*step_*")]
        return 1 + max((number for number in numbers if number != math.inf), default=0)


def write_order(path):
    """`(number of the write, step)`, which orders the checkpoints of a training directory.

    The number is 0 for checkpoints of earlier versions, which come before all others by their
    steps, and infinite where it is damaged or all is missing.
    """
    step = int(_NAME.search(path.name)[1])
    try:
        lines = (path / _NUMBER_FILE).read_bytes().splitlines()
    except FileNotFoundError:
        return 0 if (path / f"{_FILE_NAME}.index").exists() else math.inf, step
    is_whole = len(lines) == 2 and lines[0] == lines[1] and lines[0].isdigit()
    return int(lines[0]) if is_whole else math.inf, step


def _read_all_bytes(directory):
    """Raises an `OSError` if the system does not let read all files of a directory."""
    for path in directory.iterdir():
        with open(path, "rb") as file:
            while file.read(2**24):
                pass


def _replace(new, path):
    """Renames a directory to `path`. What was there is a checkpoint until that is done."""
    replaced = path.with_name(f"{path.name}.replaced")
    if path.exists():
        if replaced.exists():
            remove_directory(replaced)
        os.rename(path, replaced)
    os.rename(new, path)
    if replaced.exists():
        remove_directory(replaced)
