"""What a value must be: rules for the fields of configs and for the entries of JSON files.

A rule is a function of a value and of its name. It returns the value to keep, or raises an
`InputError` with the name, what the value must be, and the value seen.
"""

import math
import numbers
import re

from tf_marscf.errors import InputError

_MAX_SIDE = 65_535  # Pixels, of an image; so says JPEG.
_INTEGER = re.compile("[0-9]{1,9}")
_GREATEST_NUMBER = 1e300  # Python and JSON have integers beyond all floats.


def rule(holds, meaning):
    """A rule: what a predicate says, in words that follow "must be"."""

    def check(value, name):
        if not holds(value):
            raise _error(name, meaning, value)
        return value

    return check


def _error(name, meaning, value):
    seen = repr(value)
    seen = seen if len(seen) <= 60 else f"{seen[:60]}..."
    return InputError(f"{name} must be {meaning}; got {seen}.")


_check_object = rule(lambda value: isinstance(value, dict), "an object")


def number(least=-math.inf, above=-math.inf, below=math.inf, meaning=None):
    """A rule: a finite number of at least `least`, above `above` and below `below`."""
    if meaning is None and below < math.inf:
        meaning = f"in [{least:g}, {below:g})"
    elif meaning is None:
        bounds = f" >= {least:g}" if math.isfinite(least) else ""
        meaning = "a finite number" + (f" > {above:g}" if math.isfinite(above) else bounds)

    def is_number(value):
        is_real = isinstance(value, numbers.Real) and not isinstance(value, bool)
        is_finite = is_real and abs(value) <= _GREATEST_NUMBER
        return is_finite and least <= value < below and value > above

    return rule(is_number, meaning)


def integer(least=0, most=math.inf, num_bits=53):
    """A rule: an integer from `least` to `most`, and below 2^num_bits; kept as a Python `int`."""
    bounds = f">= {least}" if most == math.inf else f"in {least} ... {most}"

    def is_integer(value):
        is_whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
        return is_whole and least <= value <= most

    check_integer = rule(is_integer, f"an integer {bounds}")
    check_size = rule(lambda value: value < 2**num_bits, f"below 2^{num_bits}")
    return lambda value, name: int(check_size(check_integer(value, name), name))


def number_by_level(least=-math.inf, meaning=None):
    """A rule: a number of at least `least`, or one a level; kept as a float, or a tuple of some.

    What uses it knows how many levels there are.
    """
    check_number = number(least, meaning=meaning)

    def check(value, name):
        if not isinstance(value, list | tuple):
            return float(check_number(value, name))
        if not value:
            raise _error(name, "a number, or one a level", value)
        return tuple(float(check_number(item, name)) for item in value)

    return check


def integers(length):
    """A rule: `length` integers from 1 to 2^31 - 1; kept as a tuple."""
    check_item = integer(1, num_bits=31)

    def check(values, name):
        try:
            items = () if isinstance(values, str | bytes | dict) else tuple(values)
        except TypeError:
            items = ()
        if len(items) != length:
            raise _error(name, f"{length} integers >= 1", values)
        return tuple(check_item(item, name) for item in items)

    return check


def size(*words):
    """A rule: height and width of images, or one integer for both; kept as a tuple.

    In their place one of some words; in lists, as flags have them, texts stand for integers.
    """
    check_side = integer(1, _MAX_SIDE)
    meaning = f"N or HEIGHT,WIDTH, integers in 1 ... {_MAX_SIDE}"
    meaning = " or ".join([*map(repr, words), meaning])

    def check(value, name):
        is_list = isinstance(value, list | tuple)
        items = [_integer_of(item) for item in value] if is_list else [value]
        if len(items) == 1 and isinstance(items[0], str) and items[0] in words:
            return items[0]
        try:
            sides = [check_side(item, name) for item in items]
        except InputError:
            sides = []
        if len(sides) not in (1, 2):
            is_flag = is_list and all(isinstance(item, str) for item in value)
            raise _error(name, meaning, ",".join(value) if is_flag else value)
        return sides[0], sides[-1]

    return check


def _integer_of(item):
    """The integer that a text stands for; else what it was, which rules refuse."""
    is_integer = isinstance(item, str) and _INTEGER.fullmatch(item.strip())
    return int(item) if is_integer else item


def different_strings(values, name):
    """A rule: one or more strings, all different; kept as a tuple."""
    values = list(values) if isinstance(values, tuple) else values
    checked = list_of(text(), least=1)(values, name)
    if len(set(checked)) < len(checked):
        raise _error(name, "different strings", checked)
    return tuple(checked)


def text(*choices, meaning=None):
    """A rule: a string, one of `choices` if there are any."""

    def is_text(value):
        if not isinstance(value, str) or (choices and value not in choices):
            return False
        # JSON can hold halves of characters, which no file can.
        return value.encode(errors="ignore").decode() == value

    return rule(is_text, meaning or (f"one of {choices}" if choices else "a string"))


def optional(check):
    """A rule: None, or what another rule says."""
    return lambda value, name: None if value is None else check(value, name)


def list_of(check, least=0):
    """A rule: a list of at least `least` values, each as another rule says."""

    def check_all(values, name):
        if not isinstance(values, list) or len(values) < least:
            raise _error(name, f"a list of {least} or more", values)
        return [check(value, f"{name}[{index}]") for index, value in enumerate(values)]

    return check_all


def dict_of(check):
    """A rule: a dict of values, each as another rule says."""

    def check_all(values, name):
        values = _check_object(values, name)
        return {key: check(value, f"{name}.{key}") for key, value in values.items()}

    return check_all


def entries(**rules):
    """A rule: a dict with entries as of `check_entries`."""
    return lambda value, name: check_entries(value, rules, name)


def check_entries(content, rules, name="it"):
    """Checks that a dict has entries of these names, each as its rule says; others are free.

    Raises:
        InputError: naming the entry, the rule and the value seen.
    """
    _check_object(content, name)
    for key, check in rules.items():
        if key not in content:
            raise InputError(f"{name} must have an entry {key!r}; it has none.")
        check(content[key], key if name == "it" else f"{name}.{key}")
    return content
