"""What happened to a run, in words."""

import os
import time

_FILE_NAME = "run.log"


class RunLog:
    """Lines with a time, on the screen and at the end of `run.log` in the training directory.

    Args:
        train_dir: the training directory, or None to write nowhere.
    """

    def __init__(self, train_dir):
        self._path = None if train_dir is None else os.path.join(train_dir, _FILE_NAME)

    def write(self, line):
        """Adds a line."""
        if self._path is None:
            return
        with open(self._path, "a", encoding="utf-8") as file:
            file.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {line}\n")
        print(line, flush=True)
