"""Errors that end a command with one line, and warnings that do not."""

import sys


class RunError(Exception):
    """Something outside of the program went wrong; the message says what to do about it."""


class NonFiniteLossError(RunError):
    """Training met a loss or gradient that is NaN or infinite."""


class StoppedError(Exception):
    """A signal ended the program in an orderly way.

    Attributes:
        exit_status: of the process.
    """

    def __init__(self, message, exit_status=0):
        super().__init__(message)
        self.exit_status = exit_status


def warn(text):
    """Writes a warning to the standard error stream."""
    print(f"warning: {text}", file=sys.stderr)
