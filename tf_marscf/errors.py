"""Errors that end a command with one line."""


class RunError(Exception):
    """Something outside of the program went wrong; the message says what to do about it."""


class NonFiniteLossError(RunError):
    """Training met a loss or gradient that is NaN or infinite."""
