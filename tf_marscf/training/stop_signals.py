"""Signals that ask a run to end."""

import contextlib
import signal

from tf_marscf.errors import StoppedError


class StopSignals:
    """Context manager that turns SIGTERM and SIGINT into an orderly end.

    Inside `deferred` a signal is only noted, and `requested` tells: a training loop saves first.
    Outside of it there is nothing to save, and the signal raises `StoppedError` at once.
    """

    _SIGNALS = (signal.SIGTERM, signal.SIGINT)

    def __init__(self):
        self._number = None
        self._is_deferred = False
        self._previous = {}

    def __enter__(self):
        self._previous = {number: signal.signal(number, self._handle) for number in self._SIGNALS}
        return self

    def __exit__(self, *exception):
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _handle(self, number, frame):
        self._number = number
        if not self._is_deferred:
            self.stop("")

    @property
    def requested(self):
        """Whether a signal has come."""
        return self._number is not None

    @contextlib.contextmanager
    def deferred(self):
        """Notes signals instead of raising."""
        self._is_deferred = True
        try:
            yield
        finally:
            self._is_deferred = False

    def stop(self, message):
        """Raises the `StoppedError` of the signal that was noted."""
        name = signal.Signals(self._number).name
        # As of a shell: 143 for SIGTERM, 130 for Ctrl-C. The run is not finished.
        raise StoppedError(f"stopped by {name}{message}", 128 + self._number)
