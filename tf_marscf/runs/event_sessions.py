"""Which session of a training run wrote an event file: a number in the file's name."""

import os
import re

_SUFFIX = re.compile(r"\.session_(\d+)_after_step_(\d+)$")


def session_suffix(session, step):
    """The end of the names of a session's event files.

    Args:
        session: number of the session, from 1.
        step: the training step after which it goes on, 0 for a new run.
    """
    return f".session_{session}_after_step_{step}"


def session_of(name):
    """Session and step of an event file's name; None where it has none, as of earlier versions."""
    found = _SUFFIX.search(name)
    return found and (int(found[1]), int(found[2]))


def next_session(directories):
    """The number after those of all sessions that wrote into directories, which may be missing."""
    names = [name for path in directories if os.path.isdir(path) for name in os.listdir(path)]
    return 1 + max((session_of(name)[0] for name in names if session_of(name)), default=0)
