"""The import of TensorFlow, without what it says of a machine that has no GPU.

TensorFlow's C++ runtime writes lines before it reads `TF_CPP_MIN_LOG_LEVEL`: that oneDNN is on,
that there is no CUDA driver, and a heading above both. Another, an error by its level, says that
CUDA does not start, which is none where there is no NVIDIA device. No variable of the environment
turns them off: level 3 leaves the early ones, and hides real errors; without oneDNN, results are
others.

So a process of its own holds the standard error stream while TensorFlow is imported and looks for
devices, and then writes on what is not noise. If the import fails, or ends the program, which the
other process outlives, all is written.
"""

import contextlib
import glob
import os
import re
import signal
import sys

LEVEL_VARIABLE = "TF_CPP_MIN_LOG_LEVEL"
_ERRORS_ONLY = "2"
_LEVELS = {b"I": 0, b"W": 1, b"E": 2, b"F": 3}
# "I0000 00:00:1795832529.49    9914 port.cc:153] ", or, of older code, "2026-11-28 02:15:29.49: I
# tensorflow/core/util/port.cc:153] ".
_LINE_OF_CPP = re.compile(
    rb"(?:\d{4}-\d\d-\d\d [\d:.]+: )?([IWEF])(?:\d{4} [\d:.]+ +\d+)? \S+\.(?:cc|h):\d+\] "
)
_HEADING = b"WARNING: All log messages before absl::InitializeLog() is called are written to STDERR"
_NO_CUDA = b"failed call to cuInit"
_IS_IMPORTED = b"\0imported\n"  # The last line that is held, if all went well.
_STANDARD_ERROR = 2


def import_tensorflow():
    """Imports TensorFlow and lets it look for devices; its runtime writes errors only.

    `TF_CPP_MIN_LOG_LEVEL` of the environment wins, also over what comes too early for it: 1 lets
    warnings through, 0 everything. It is set for the processes that this one starts.
    """
    os.environ.setdefault(LEVEL_VARIABLE, _ERRORS_ONLY)
    level = os.environ[LEVEL_VARIABLE]
    level = int(level) if level.isdecimal() else 0  # As TensorFlow reads it.
    with _without_noise(level) if level else contextlib.nullcontext():
        import tensorflow as tf

        tf.config.list_physical_devices()


def is_noise(line, level, has_device):
    """Whether a line says nothing to those who asked for a level.

    Args:
        line: bytes.
        level: 0 for all, 1 for warnings, 2 for errors, 3 for fatal errors.
        has_device: whether there is an NVIDIA device, so that CUDA ought to start.
    """
    if line.startswith(_HEADING):
        return level > 0
    found = _LINE_OF_CPP.match(line)
    if found is None:
        return False
    return _LEVELS[found[1]] < level or (level > 0 and not has_device and _NO_CUDA in line)


@contextlib.contextmanager
def _without_noise(level):
    """Holds the standard error stream, and drops noise unless an error is raised inside."""
    try:
        original, (reading, writing) = os.dup(_STANDARD_ERROR), os.pipe()
        child = os.fork()
    except OSError:  # There is no such stream, or no room for a process.
        yield
        return
    if child == 0:
        os.close(writing)
        _write_on(reading, level)
    os.close(reading)
    _flush()
    os.dup2(writing, _STANDARD_ERROR)
    os.close(writing)
    try:
        yield
        _flush()
        os.write(_STANDARD_ERROR, _IS_IMPORTED)
    finally:
        _flush()
        os.dup2(original, _STANDARD_ERROR)
        os.close(original)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(child, 0)


def _flush():
    if sys.stderr is not None:
        sys.stderr.flush()


def _write_on(reading, level):
    """What the other process does: reads to the end, writes, and ends."""
    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)  # They reach the program as well.
        with os.fdopen(reading, "rb") as stream:
            lines = stream.readlines()
        if lines and lines[-1].endswith(_IS_IMPORTED):
            lines[-1] = lines[-1].removesuffix(_IS_IMPORTED)
            has_device = _has_nvidia_device()
            lines = [line for line in lines if not is_noise(line, level, has_device)]
        with os.fdopen(_STANDARD_ERROR, "wb") as stream:
            stream.writelines(lines)
    finally:
        os._exit(0)


def _has_nvidia_device():
    """Whether this process may see one."""
    if os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1"):
        return False
    return bool(glob.glob("/dev/nvidia[0-9]*")) or os.path.exists("/dev/dxg")
