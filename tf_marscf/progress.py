"""How far long work is: a bar on a terminal, whole lines now and then in a pipe or a file.

Whatever shows progress asks here where it is shown: nothing else looks for a terminal.
"""

import sys
import time

import tqdm

# A line is due after each of so many parts of the work, or after so many seconds.
_NUM_PARTS = 10
_SECONDS = 30.0


def is_terminal(stream):
    """Whether a stream, which may be None, is a terminal, on which a bar can move."""
    return stream is not None and stream.isatty()


def time_text(seconds):
    """A time as people say it, such as "0.4 s", "35 s", "12 min" or "7.5 h"."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    if seconds < 119.5:
        return f"{seconds:.0f} s"
    if seconds < 119.5 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


class ProgressLines:
    """Writes lines such as "scoring: 40% of 1,000 images, 12 s, about 18 s left".

    The time left is that of the rest at the rate of what was done since the first call, in which
    TensorFlow prepares what is called again; before there is a second one, at the rate of that.

    Args:
        total: how much work there is, a number > 0.
        description: what is done.
        unit: what `total` counts; None for shares alone.
        done: how much was done before.
        stream: where the lines go; default: the standard error stream.
        clock: a function without arguments that returns seconds.
    """

    def __init__(self, total, description, unit=None, done=0, stream=None, clock=time.monotonic):
        self._total, self._done = total, done
        self._description = description
        self._of_units = "" if unit is None else f" of {total:,} {unit}"
        self._stream, self._clock = stream, clock
        self._num_calls = 0
        self._start = self._last_seconds = clock()
        self._last_share = self._share
        # From where on the rate is taken: work and seconds.
        self._rate_from = (done, self._start)

    @property
    def _share(self):
        return min(round(self._done / self._total, 9), 1.0)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        return None

    def update(self, number=1):
        """Counts work that was done, and writes a line if one is due."""
        self.advance(number)
        self.show_if_due()

    def advance(self, number=1):
        """Counts work that was done."""
        self._done += number
        self._num_calls += 1
        if self._num_calls == 1:
            self._after_first = (self._done, self._clock())
        else:
            self._rate_from = self._after_first

    def show_if_due(self):
        """Writes a line after each tenth of the work, after 30 seconds, and at the end."""
        now, share = self._clock(), self._share
        is_further = share >= 1.0 or _part(share) > _part(self._last_share)
        if share > self._last_share and (is_further or now - self._last_seconds >= _SECONDS):
            self._last_share, self._last_seconds = share, now
            stream = sys.stderr if self._stream is None else self._stream
            print(self._line(now), file=stream, flush=True)

    def _line(self, now):
        spent = time_text(now - self._start)
        text = f"{self._description}: {self._share:.0%}{self._of_units}, {spent}"
        done, since = self._rate_from
        if self._share < 1.0 and self._done > done:
            left = (self._total - self._done) * (now - since) / (self._done - done)
            text += f", about {time_text(left)} left"
        return text


def _part(share):
    """The number of whole parts in a share, to rounding."""
    return int(share * _NUM_PARTS + 1e-9)


def progress_bar(total, description, unit, is_shown=True):
    """What shows progress on the standard error stream: a context with a method `update(number)`.

    Args:
        total: how much work there is.
        description: what is done.
        unit: what `total` counts, such as "samples".
        is_shown: whether anything is shown.

    Returns:
        A `tqdm.tqdm` on a terminal, else `ProgressLines`.
    """
    if is_shown and not is_terminal(sys.stderr):
        return ProgressLines(max(total, 1), description, unit)
    return tqdm.tqdm(
        total=total, desc=description, unit=f" {unit}", disable=not is_shown, mininterval=1.0
    )


def watched(values, total, description, unit, is_shown=True):
    """Passes values on, and shows how many of them are done with; see `progress_bar`."""
    with progress_bar(total, description, unit, is_shown) as bar:
        for value in values:
            yield value
            bar.update(1)
