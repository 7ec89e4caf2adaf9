"""Checkpoints that appear whole or not at all."""

import os
import re
import shutil
from pathlib import Path

import tensorflow as tf

from tf_marscf.errors import RunError

_NAME = re.compile(r"step_(\d+)")
_FILE_NAME = "checkpoint"
# What TensorFlow raises for files that are damaged, or not of the objects that should be read.
_READ_ERRORS = (
    AssertionError,
    LookupError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
    tf.errors.OpError,
)


class CheckpointStore:
    """The checkpoints of one kind in a training directory, each in a directory of its own.

    `checkpoints/KIND/step_00001200/` is written under a temporary name, flushed to the disk and
    renamed, so that whatever has such a name is complete. The newest `keep` stay.

    Args:
        train_dir: the training directory.
        kind: name of the kind, such as "latest".
        keep: how many checkpoints stay.
    """

    def __init__(self, train_dir, kind, keep=2):
        self._directory = Path(train_dir, "checkpoints", kind)
        self._keep = keep

    @property
    def directory(self):
        """Where the checkpoints are."""
        return self._directory

    def paths(self):
        """The checkpoints' directories, newest first."""
        if not self._directory.is_dir():
            return []
        found = (path for path in self._directory.iterdir() if _NAME.fullmatch(path.name))
        return sorted(found, key=_step, reverse=True)

    def save(self, checkpoint, step):
        """Writes a checkpoint and removes the oldest.

        Args:
            checkpoint: a `tf.train.Checkpoint`.
            step: training steps done, the checkpoint's name.

        Returns:
            The path of its directory.

        Raises:
            RunError: if it cannot be written, such as on a full disk; those before it stay.
        """
        path = self._directory / f"step_{step:08d}"
        partial = path.with_name(f".{path.name}.partial")
        try:
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir(parents=True)
            checkpoint.write(str(partial / _FILE_NAME))
            for file in partial.iterdir():
                _flush(file)
            if path.exists():
                self._remove(path)
            os.rename(partial, path)
            _flush(self._directory)
        except (OSError, tf.errors.OpError) as error:
            shutil.rmtree(partial, ignore_errors=True)
            kept = self.paths()
            raise RunError(
                f"checkpoint {str(path)!r} cannot be written: {_first_line(error)} "
                f"Last good checkpoint: {str(kept[0]) if kept else 'none yet'}."
            ) from error
        for old in self.paths()[self._keep :]:
            self._remove(old)
        return path

    def restore(self, read, refuse):
        """Reads the newest checkpoint that can be read.

        Args:
            read: called with the prefix of a checkpoint's files; raises what TensorFlow does if
                they are not what they should be.
            refuse: called with path and reason of each checkpoint that cannot be read.

        Returns:
            The path of the checkpoint that was read; None if there are no checkpoints at all.

        Raises:
            RunError: if there are checkpoints and none can be read.
        """
        refused = []
        for path in self.paths():
            try:
                read(str(path / _FILE_NAME))
                return path
            except _READ_ERRORS as error:
                reason = _first_line(error)
                refuse(path, reason)
                refused.append(f"{str(path)!r} ({reason})")
        if refused:
            raise RunError(f"no checkpoint can be read: {'; '.join(refused)}")
        return None

    def set_aside(self, path):
        """Renames a checkpoint so that it no longer counts as one; its files stay."""
        target = path.with_name(f"refused_{path.name}")
        shutil.rmtree(target, ignore_errors=True)
        os.rename(path, target)

    def remove_partial(self):
        """Removes what a killed process left unfinished; the caller has the only process."""
        for partial in self._directory.glob(".*.partial"):
            shutil.rmtree(partial)

    def _remove(self, path):
        """Removes a checkpoint; killed half-way, it is a partial one."""
        partial = path.with_name(f".{path.name}.old.partial")
        shutil.rmtree(partial, ignore_errors=True)
        os.rename(path, partial)
        shutil.rmtree(partial)


def _step(path):
    return int(_NAME.fullmatch(path.name)[1])


def _flush(path):
    """Waits until a file or directory is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _first_line(error):
    message = getattr(error, "message", None) or str(error)
    return message.strip().splitlines()[0] if message.strip() else type(error).__name__
