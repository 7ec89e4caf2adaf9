"""Commands as a text that a user can run again."""

import os
import shlex
import sys


def called_command(name):
    """How the user calls a command of this package, such as "train": as this process was called.

    Returns:
        Such as "marscf-train", where a console script runs, or else "python bin/train.py".
    """
    if os.path.basename(sys.argv[0]).startswith("marscf-"):
        return f"marscf-{name.replace('_', '-')}"
    return f"python bin/{name}.py"


def command_text(name, flags, *arguments):
    """A command with its flags, quoted for a shell.

    Args:
        name: of the command, such as "train".
        flags: dict from names to values; those of None are left out.
        *arguments: what stands before the flags.
    """
    words = [*called_command(name).split(), *arguments]
    for flag, value in flags.items():
        if value is None:
            continue
        if isinstance(value, bool):
            words.append(f"--{flag}" if value else f"--no{flag}")
        elif isinstance(value, (tuple, list)):
            words.append(f"--{flag}={','.join(map(str, value))}")
        else:
            words.append(f"--{flag}={value}")
    return shlex.join(words)
