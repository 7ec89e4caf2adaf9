"""What the commands in bin/ share: flags from config classes, and errors in one line."""

import dataclasses
import os
import signal
import sys

from absl import app, flags, logging

from tf_marscf.errors import InputError, RunError, StoppedError
from tf_marscf.files.local_path import local_path
from tf_marscf.kernels.devices import (
    MAX_CORES_FOR_ONE_THREAD,
    set_default_intra_op_threads,
)

# --help lists the flags that the main module defines; those defined here are the command's own.
flags.disclaim_key_flags()

_USAGE_STATUS = 2
_FAILURE_STATUS = 1


class _PathParser(flags.ArgumentParser):
    """Checks a path when the flags are parsed, before anything else."""

    syntactic_help = "a path on this machine"

    def __init__(self, name):
        super().__init__()
        self._name = name

    def parse(self, argument):
        """The path, `~` expanded; raises `InputError`, a `ValueError`."""
        return local_path(self._name, argument)


def define_path(name, default, text, required=False):
    """Defines a flag for a file or directory; see `local_path` for what it takes.

    Args:
        name: name of the flag.
        default: its default, or None.
        text: its help.
        required: whether the command needs it.
    """
    flags.DEFINE(
        _PathParser(name),
        name,
        default,
        text,
        serializer=flags.ArgumentSerializer(),
        required=required,
    )


def define_flags(config_class, helps):
    """Defines one flag for a field of a config class, with the field's default.

    Args:
        config_class: a dataclass.
        helps: dict from the field's name to `(define function, help)`, such as
            `(flags.DEFINE_integer, "what it is")`.
    """
    defaults = {field.name: field.default for field in dataclasses.fields(config_class)}
    for name, (define, text) in helps.items():
        define(name, defaults[name], text)


def start_tensorflow():
    """Imports TensorFlow as the flags say; commands call it once the flags are checked."""
    from tf_marscf.kernels.tensor_float_32 import set_tensor_float_32

    set_tensor_float_32(flags.FLAGS.tensor_float_32)


def flag_values(names):
    """The values of flags, by name."""
    return {name: flags.FLAGS[name].value for name in names}


def _fail(message, status):
    print(f"error: {' '.join(str(message).split())}", file=sys.stderr)
    sys.exit(status)


def _parse_flags(arguments):
    try:
        remaining = flags.FLAGS(arguments)
    except UnicodeDecodeError as error:
        _fail(f"--flagfile must be a text file in UTF-8; {error}", _USAGE_STATUS)
    except (flags.Error, ValueError) as error:  # A ValueError: `--noNAME=VALUE`.
        _fail(error, _USAGE_STATUS)
    if len(remaining) > 1:
        _fail(f"unknown argument {remaining[1]!r}; options start with --", _USAGE_STATUS)
    return remaining


def run(main, one_thread_on_few_cores=True):
    """Runs a command: parses the flags, calls `main()` and turns expected errors into one line.

    `--intra_op_threads` is a flag of every command. Where it and TensorFlow's environment variable
    are missing, operations have one thread on few cores, if `one_thread_on_few_cores`.

    An `InputError` or a wrong flag ends the process with status 2; a `RunError`, or an `OSError`
    such as that of a full disk, with status 1; a `StoppedError` with its own, and Ctrl-C with 130.
    Anything else is a bug, and keeps its traceback.
    """
    # Errors only, from TensorFlow's C++ runtime; it reads this when it is imported.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    default = f"1 on at most {MAX_CORES_FOR_ONE_THREAD} cores, which is faster, and 0 on more"
    flags.DEFINE_integer(
        "intra_op_threads",
        None,
        "Threads inside of one operation on CPUs; 0: one a core. Default: TF_NUM_INTRAOP_THREADS "
        f"of the environment, else {default if one_thread_on_few_cores else 0}.",
        lower_bound=0,
    )

    flags.DEFINE_boolean(
        "tensor_float_32",
        False,
        "Let networks use TensorFloat-32 on GPUs: faster, with 10 bits of mantissa.",
    )

    def call_main(_):
        logging.set_verbosity(logging.WARNING)
        try:
            set_default_intra_op_threads(flags.FLAGS.intra_op_threads, one_thread_on_few_cores)
            main()
        except InputError as error:
            _fail(error, _USAGE_STATUS)
        except (RunError, OSError) as error:
            _fail(error, _FAILURE_STATUS)
        except StoppedError as error:
            print(error)
            sys.exit(error.exit_status)
        except KeyboardInterrupt:
            _fail("interrupted", 128 + signal.SIGINT)

    app.run(call_main, flags_parser=_parse_flags)
