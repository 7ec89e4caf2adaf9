"""Errors that end a command with one line, and warnings that do not.

Whatever else a command raises is a bug, and keeps its traceback.
"""

import sys


class InputError(ValueError):
    """An argument or a file is not what it must be; the message has its name, the rule, the value.

    Raised where input is checked and read, and nowhere else.
    """

    # By this, AutoGraph knows that a `tf.function` may raise the same error with a longer message.
    __init__ = Exception.__init__


class InputTypeError(InputError, TypeError):
    """An argument is of the wrong type."""


class MissingInputError(InputError, FileNotFoundError):
    """A file or directory that an argument names does not exist."""

    def __str__(self):
        return str(self.args[0])


class MissingPackageError(InputError, ImportError):
    """An argument asks for what an optional package does, which cannot be imported."""


class RunError(Exception):
    """Something outside of the program went wrong; the message says what to do about it."""


class NonFiniteLossError(RunError):
    """Training met a loss or gradient that is NaN or infinite."""


class StoppedError(Exception):
    """A signal ended the program in an orderly way.

    Attributes:
        exit_status: of the process: 128 and the signal's number, as of a shell.
    """

    def __init__(self, message, exit_status):
        super().__init__(message)
        self.exit_status = exit_status


def warn(text):
    """Writes a warning to the standard error stream."""
    print(f"warning: {text}", file=sys.stderr)


def first_line(error):
    """What an error says, in one line of at most some 300 characters."""
    message = (getattr(error, "message", None) or str(error)).strip()
    line = message.splitlines()[0] if message else type(error).__name__
    return line if len(line) <= _MAX_LINE else f"{line[:_MAX_LINE]} ..."


_MAX_LINE = 300
