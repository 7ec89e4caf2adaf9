"""The answer of each command to `--version`: before all checks, and without TensorFlow."""

import sys

from tf_marscf._version import __version__

_WORDS = ("--version", "-version")


def answer_version(name, takes_number=False):
    """Ends the process with status 0 and a command's version, if that is what the user asks for.

    Args:
        name: of the command, such as "import_weights".
        takes_number: whether the command has a flag `--version=NUMBER`: alone, it asks.
    """
    words = sys.argv[1:]
    options = words[: words.index("--")] if "--" in words else words
    for word, following in zip(options, [*options[1:], "--"], strict=False):
        if word in _WORDS and (not takes_number or following.startswith("-")):
            print(f"marscf-{name.replace('_', '-')} {__version__}")
            sys.exit(0)
