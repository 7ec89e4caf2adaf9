"""Progress: a bar on a terminal, whole lines now and then elsewhere."""

import io
import sys

import pytest
import tqdm

from tf_marscf.progress import ProgressLines, is_terminal, progress_bar, time_text, watched


class Clock:
    """Seconds that a test sets."""

    def __init__(self):
        self.seconds = 100.0

    def __call__(self):
        return self.seconds


class Terminal(io.StringIO):
    def isatty(self):
        return True


def lines_of(total, seconds_a_call, numbers, **options):
    """What is written of calls that count `numbers`."""
    clock, stream = Clock(), io.StringIO()
    lines = ProgressLines(total, "drawing", stream=stream, clock=clock, **options)
    for number, seconds in zip(numbers, seconds_a_call, strict=True):
        clock.seconds += seconds
        lines.update(number)
    assert "\r" not in stream.getvalue()
    assert not stream.getvalue() or stream.getvalue().endswith("\n")
    return stream.getvalue().splitlines()


def test_a_line_after_each_tenth_of_quick_work():
    lines = lines_of(1000, [0.01] * 1000, [1] * 1000, unit="samples")
    assert [line.split(",")[0] for line in lines] == [
        f"drawing: {share}% of 1" for share in range(10, 101, 10)
    ]
    assert lines[0] == "drawing: 10% of 1,000 samples, 1.0 s, about 9.0 s left"
    assert lines[-1] == "drawing: 100% of 1,000 samples, 10 s"


def test_a_line_after_thirty_seconds_of_slow_work():
    lines = lines_of(100, [12.0] * 6, [1] * 6)
    assert lines == ["drawing: 3%, 36 s, about 19 min left", "drawing: 6%, 72 s, about 19 min left"]


def test_the_first_call_in_which_much_is_prepared_tells_the_rate_only_alone():
    first, second = lines_of(4, [60.0, 2.0], [1, 1], unit="batches")
    assert first == "drawing: 25% of 4 batches, 60 s, about 3 min left"
    assert second == "drawing: 50% of 4 batches, 62 s, about 4.0 s left"


def test_what_was_done_before_is_no_part_of_the_rate():
    (line,) = lines_of(100, [30.0], [5], unit="steps", done=50)
    assert line == "drawing: 55% of 100 steps, 30 s, about 4 min left"


def test_nothing_is_said_twice():
    stream = io.StringIO()
    lines = ProgressLines(2, "drawing", stream=stream)
    lines.advance(2)
    for _ in range(3):
        lines.show_if_due()
    assert stream.getvalue().count("100%") == 1


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.04, "0.0 s"), (9.9, "9.9 s"), (9.96, "10 s"), (119.0, "119 s"), (120.0, "2 min"),
     (7000.0, "117 min"), (7200.0, "2.0 h"), (86400.0, "24.0 h")],
)  # fmt: skip
def test_times_are_those_of_people(seconds, text):
    assert time_text(seconds) == text


def test_a_bar_is_for_terminals(monkeypatch):
    assert not is_terminal(None)
    monkeypatch.setattr(sys, "stderr", Terminal())
    with progress_bar(3, "drawing", "samples") as bar:
        assert isinstance(bar, tqdm.tqdm)
        bar.update(3)
    assert "\r" in sys.stderr.getvalue()
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert list(watched([7, 8, 9], 3, "drawing", "samples")) == [7, 8, 9]
    shares = [line.split()[1] for line in sys.stderr.getvalue().splitlines()]
    assert shares == ["33%", "67%", "100%"]


@pytest.mark.parametrize("stream", [io.StringIO, Terminal])
def test_what_is_not_to_be_shown_is_not(stream, monkeypatch):
    monkeypatch.setattr(sys, "stderr", stream())
    assert list(watched([7, 8], 2, "drawing", "samples", is_shown=False)) == [7, 8]
    assert sys.stderr.getvalue() == ""
