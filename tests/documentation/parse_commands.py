"""Checks the arguments of commands and runs none: `python parse_commands.py FILE`.

FILE is JSON, a list of commands such as ["train.py", "--flagfile=digits.flags"]. Each runs up to
where it would start TensorFlow, in a process of its own, and what it says goes to the standard
error stream. Of those that refuse their arguments the numbers are printed.
"""

import importlib
import json
import os
import sys

from tf_marscf.commands import command_line, explore, train
from tf_marscf.config import MarScfConfig


def main():
    """Parses all commands."""
    with open(sys.argv[1], encoding="utf-8") as file:
        commands = json.load(file)
    # The one that is checked stands for all that it reads: directories of the documentation's.
    train.initial_model_options = lambda _: command_line.flag_values(MarScfConfig)
    command_line.model_in = str
    explore.model_or_saved_model = explore.bound_socket = lambda *_: None
    explore.check_gradio = lambda: None
    command_line.start_tensorflow = lambda *_: os._exit(0)
    for number, (script, *arguments) in enumerate(commands):
        process = os.fork()
        if process == 0:
            parse(script, arguments)
        _, status = os.waitpid(process, 0)
        if status:
            print(number)


def parse(script, arguments):
    """Starts a command in this process, which ends here."""
    sys.argv = [f"bin/{script}", *arguments]
    importlib.import_module(f"tf_marscf.commands.{script.removesuffix('.py')}").run()
    os._exit(3)  # It ran to its end: TensorFlow was started, or nothing was checked.


if __name__ == "__main__":
    main()
