"""Signals that ask a run to end."""

import contextlib
import signal

from tf_marscf.errors import StoppedError

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


@contextlib.contextmanager
def default_signals():
    """Lets Ctrl-C end the process at once while TensorFlow waits, and Python does not run.

    Python's handlers are there again afterwards: TensorFlow puts one of its own for SIGTERM in
    their place, which does nothing.
    """
    previous = {number: signal.signal(number, signal.SIG_DFL) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


class StopSignals:
    """Context manager that turns SIGTERM and SIGINT into an orderly end.

    Inside `deferred` a signal is only noted: a training loop saves first. Outside of it there is
    nothing to save, and the signal raises `StoppedError` at once.

    Attributes:
        number: of the signal that came last; 0 for none.
    """

    def __init__(self):
        self.number = 0
        self._is_deferred = False
        self._previous = {}

    def __enter__(self):
        self._previous = {number: signal.signal(number, self._handle) for number in _SIGNALS}
        return self

    def __exit__(self, *exception):
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _handle(self, number, frame):
        self.number = number
        if not self._is_deferred:
            self.stop(number, "")

    @contextlib.contextmanager
    def deferred(self):
        """Notes signals instead of raising."""
        self._is_deferred = True
        try:
            yield
        finally:
            self._is_deferred = False

    def stop(self, number, message):
        """Raises the `StoppedError` of a signal."""
        name = signal.Signals(number).name
        # As of a shell: 143 for SIGTERM, 130 for Ctrl-C. The run is not finished.
        raise StoppedError(f"stopped by {name}{message}", 128 + number)
