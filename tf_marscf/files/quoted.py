"""Names and texts out of files, as errors show them."""

_MAX_LENGTH = 80


def quoted(name):
    """A name in quotes, in one line of at most some 80 characters."""
    return repr(name if len(name) <= _MAX_LENGTH else f"{name[:_MAX_LENGTH]} ...")


def shortened(text):
    """A text in one line of at most some 80 characters."""
    return quoted(text)[1:-1]
