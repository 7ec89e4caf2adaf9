"""What the entries of a JSON file must be: rules, and errors that name the entry.

A rule is a function of a value and of the entry's name, which raises `InputError`.
"""

import math

from tf_marscf.errors import InputError

_GREATEST_NUMBER, _GREATEST_INTEGER = 1e300, 2**53  # JSON has integers beyond all floats.


def check_entries(content, rules, where="it"):
    """Checks the entries of a dict; those without a rule are free.

    Args:
        content: the dict.
        rules: dict from the names of entries that must be there to rules.
        where: what holds them, for errors.

    Raises:
        InputError: naming the entry, the rule and the value seen.
    """
    if not isinstance(content, dict):
        raise InputError(f"{where} must be an object; got {_short(content)}.")
    for name, rule in rules.items():
        if name not in content:
            raise InputError(f"{where} must have an entry {name!r}; it has none.")
        rule(content[name], name if where == "it" else f"{where}.{name}")


def number(least=-math.inf):
    """A rule: a finite number."""

    def is_number(value):
        is_real = isinstance(value, (int, float)) and not isinstance(value, bool)
        return is_real and abs(value) <= _GREATEST_NUMBER and value >= least

    return _rule(is_number, "a finite number" + (f" >= {least:g}" if math.isfinite(least) else ""))


def integer(least=0):
    """A rule: an integer of at least `least`."""

    def is_integer(value):
        is_whole = isinstance(value, int) and not isinstance(value, bool)
        return is_whole and least <= value <= _GREATEST_INTEGER

    return _rule(is_integer, f"an integer >= {least}")


def text(*choices):
    """A rule: a string, one of `choices` if there are any."""

    def is_text(value):
        if not isinstance(value, str) or (choices and value not in choices):
            return False
        # JSON can hold halves of characters, which no file can.
        return value.encode(errors="ignore").decode() == value

    return _rule(is_text, f"one of {choices}" if choices else "a string")


def optional(rule):
    """A rule: None, or what another rule says."""
    return lambda value, where: None if value is None else rule(value, where)


def list_of(rule, least=0):
    """A rule: a list of at least `least` values, each as another rule says."""

    def check(values, where):
        if not isinstance(values, list) or len(values) < least:
            raise InputError(f"{where} must be a list of {least} or more; got {_short(values)}.")
        for index, value in enumerate(values):
            rule(value, f"{where}[{index}]")

    return check


def dict_of(rule):
    """A rule: a dict of values, each as another rule says."""

    def check(values, where):
        if not isinstance(values, dict):
            raise InputError(f"{where} must be an object; got {_short(values)}.")
        for name, value in values.items():
            rule(value, f"{where}.{name}")

    return check


def entries(**rules):
    """A rule: a dict with entries as of `check_entries`."""
    return lambda value, where: check_entries(value, rules, where)


def _rule(holds, meaning):
    def check(value, where):
        if not holds(value):
            raise InputError(f"{where} must be {meaning}; got {_short(value)}.")

    return check


def _short(value):
    seen = repr(value)
    return seen if len(seen) <= 60 else f"{seen[:60]}..."
