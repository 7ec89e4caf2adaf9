"""One process a training directory."""

import fcntl
import os
import socket

from tf_marscf.errors import RunError

_FILE_NAME = "run.lock"


class RunLock:
    """A context manager that keeps other processes out of a training directory.

    The lock belongs to the open file, so that the operating system releases it however the process
    ends, `kill -9` included. The file itself stays.

    Args:
        train_dir: the training directory; created if missing.

    Raises:
        RunError: on entry, if another process has the directory.
    """

    def __init__(self, train_dir):
        self._train_dir = train_dir
        self._file = None

    def __enter__(self):
        os.makedirs(self._train_dir, exist_ok=True)
        # Not "w": another process's entry must stay.
        file = open(os.path.join(self._train_dir, _FILE_NAME), "a+", encoding="utf-8")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            owner = file.read().strip() or "another process"
            file.close()
            raise RunError(
                f"`train_dir` {os.fspath(self._train_dir)!r} is in use by {owner}; stop it, or "
                "give another directory."
            ) from None
        file.truncate(0)
        file.write(f"process {os.getpid()} on {socket.gethostname()}\n")
        file.flush()
        self._file = file
        return self

    def __exit__(self, *exception):
        self._file.close()
