"""Fields of config classes: each carries its rule, its help and its flag.

    @dataclasses.dataclass(frozen=True, kw_only=True)
    class SmallConfig(Config):
        '''What a small model needs.'''

        num_steps: int = integer(4, "K, steps of flow a level.")

From the field come the check (`SmallConfig(num_steps=0)` is an `InputError`), the attribute's entry
in the docstring of the class, and the flag `--num_steps` of the commands that take the class (see
`commands.command_line.define_flags`). Only rules between several fields stand in `__post_init__`.

A field whose default is None may be None, whatever its rule.
"""

import dataclasses
import inspect
import math
import numbers
import textwrap

from tf_marscf.errors import InputError
from tf_marscf.files.paths import local_path

REQUIRED = dataclasses.MISSING


class Config:
    """Base of frozen, keyword-only dataclasses whose fields are made by the functions below.

    Raises:
        InputError: from the constructor, naming field, rule and value seen.
    """

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        own = {
            name: value for name, value in vars(cls).items() if isinstance(value, dataclasses.Field)
        }
        fields = {**getattr(cls, "__dataclass_fields__", {}), **own}
        cls.__doc__ = f"{(cls.__doc__ or '').rstrip()}\n\n    Attributes:\n{_entries(fields)}\n"

    def __post_init__(self):
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if value is not None or field.default is not None:
                self._set(field.name, field.metadata["check"](field.name, value))

    def _set(self, name, value):
        object.__setattr__(self, name, value)

    def to_dict(self):
        """A dict that JSON can hold and the constructor takes."""
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in dataclasses.asdict(self).items()
        }

    def changes(self):
        """The part of `to_dict` that differs from the defaults."""
        defaults = field_defaults(type(self))
        return {
            name: value
            for name, value in self.to_dict().items()
            if name not in defaults or getattr(self, name) != defaults[name]
        }


def takes_fields(*config_classes, **others):
    """A class decorator: the constructor's arguments are the fields of configs, and `others`.

    Sets the signature of the class, and writes the fields in the place of `{fields}` into its
    docstring. Its `__init__(self, *args, **kwargs)` calls `bound_arguments`.

    Args:
        *config_classes: whose fields are the first arguments.
        **others: further arguments, and their defaults.
    """
    fields = {
        field.name: field for config in config_classes for field in dataclasses.fields(config)
    }
    defaults = {
        name: inspect.Parameter.empty if field.default is REQUIRED else field.default
        for name, field in fields.items()
    }
    signature = inspect.Signature(
        [
            inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD, default=default)
            for name, default in (defaults | others).items()
        ]
    )

    def decorate(cls):
        cls.__signature__ = signature
        cls.__doc__ = cls.__doc__.replace("        {fields}", _entries(fields))
        return cls

    return decorate


def bound_arguments(cls, args, kwargs):
    """The arguments of a constructor of `takes_fields`, with defaults: a dict by name.

    Raises:
        TypeError: naming one that is missing or unknown, as Python does.
    """
    try:
        arguments = cls.__signature__.bind(*args, **kwargs)
    except TypeError as error:
        raise TypeError(f"{cls.__name__}() {error}") from None
    arguments.apply_defaults()
    return dict(arguments.arguments)


def config_from(config_class, values):
    """A config with those of the values, a dict, that are its fields."""
    names = [field.name for field in dataclasses.fields(config_class)]
    return config_class(**{name: values[name] for name in names})


def _entries(fields):
    """The fields, a dict by name, as entries of a docstring."""
    wrap = textwrap.TextWrapper(100, initial_indent=" " * 8, subsequent_indent=" " * 12).fill
    return "\n".join(wrap(f"{name}: {field.metadata['help']}") for name, field in fields.items())


def field_defaults(config_class):
    """The defaults of a config class, a dict; fields that must be given have none."""
    return {
        field.name: field.default
        for field in dataclasses.fields(config_class)
        if field.default is not REQUIRED
    }


def fields_with_flags(config_class):
    """Yields each field that has a flag, and the flag's name."""
    for field in dataclasses.fields(config_class):
        flag = field.metadata["flag"]
        if flag:
            yield field, field.name if flag is True else flag


def same_field(config_class, name, default=REQUIRED):
    """The field of another config class again, with its default or another one."""
    (field,) = (field for field in dataclasses.fields(config_class) if field.name == name)
    default = field.default if default is REQUIRED else default
    return dataclasses.field(default=default, metadata=field.metadata)


def integer(default, text, least=1, most=math.inf, num_bits=63, flag=True):
    """A field: an integer from `least` to `most`, and below 2^num_bits."""

    def check(name, value):
        return check_integer(name, value, least, most, num_bits)

    return _field(default, check, "integer", text, flag)


def number(default, text, least=-math.inf, above=-math.inf, below=math.inf, rule=None, flag=True):
    """A field: a finite number of at least `least`, above `above` and below `below`."""
    if rule is None and below < math.inf:
        rule = f"in [{least:g}, {below:g})"
    elif rule is None:
        rule = f"a finite number >= {least:g}" if above < least else f"a finite number > {above:g}"

    def check(name, value):
        is_number = isinstance(value, numbers.Real) and not isinstance(value, bool)
        if not is_number or not (least <= value < below and above < value):
            raise _error(name, rule, value)
        return value

    return _field(default, check, "number", text, flag)


def boolean(default, text, flag=True):
    """A field: True or False."""

    def check(name, value):
        if not isinstance(value, bool):
            raise _error(name, "True or False", value)
        return value

    return _field(default, check, "boolean", text, flag)


def choice(default, choices, text, rule=None, flag=True):
    """A field: one of several strings."""

    def check(name, value):
        if not isinstance(value, str) or value not in choices:
            raise _error(name, rule or f"one of {tuple(choices)}", value)
        return value

    return _field(default, check, "string", f"{text} One of: {', '.join(choices)}.", flag)


def some_of(default, choices, text, rule="some of", flag=True):
    """A field: a tuple of one or more of several strings."""

    def check(name, values):
        values = tuple(values)
        if not values or any(value not in choices for value in values):
            raise _error(name, f"{rule} {tuple(choices)}", ",".join(map(str, values)))
        return values

    return _field(default, check, "list", f"{text} Some of: {', '.join(choices)}.", flag)


def string(default, text, flag=True):
    """A field: a string."""

    def check(name, value):
        if not isinstance(value, str):
            raise _error(name, "a string", value)
        return value

    return _field(default, check, "string", text, flag)


def path(default, text, flag=True):
    """A field: a path on this machine, as a string; see `local_path`."""
    return _field(default, local_path, "path", text, flag)


def sequence(default, text, flag=True):
    """A field: a tuple; the class, or what uses it, checks its items."""

    def check(name, values):
        return tuple(values)

    return _field(default, check, "list", text, flag)


def integers(default, text, length):
    """A field without a flag: a tuple of `length` integers, each at least 1."""

    def check(name, values):
        return check_integers(name, values, length)

    return _field(default, check, "list", text, flag=False)


def check_integer(name, value, least=1, most=math.inf, num_bits=63):
    """The Python `int` that a value is; an `InputError` where it is none within the limits."""
    if (
        isinstance(value, bool)
        or not isinstance(value, numbers.Integral)
        or not least <= value <= most
    ):
        rule = f"an integer >= {least}" if most == math.inf else f"an integer in {least} ... {most}"
        raise _error(name, rule, value)
    if value >= 2**num_bits:
        raise _error(name, f"below 2^{num_bits}", value)
    return int(value)


def check_integers(name, values, length):
    """The tuple of `length` integers from 1 to 2^31 - 1 that values are, or an `InputError`."""
    try:
        items = () if isinstance(values, str | bytes | dict) else tuple(values)
    except TypeError:
        items = ()
    if len(items) != length:
        raise _error(name, f"{length} integers >= 1", values)
    return tuple(check_integer(name, item, num_bits=31) for item in items)


def integer_by_level(default, text):
    """A field without a flag: an integer, or one a level; the class knows how many those are."""
    return _field(default, lambda name, value: value, "list", text, flag=False)


def _field(default, check, kind, text, flag):
    """A field of a config class.

    Args:
        default: its default, or `REQUIRED`.
        check: a function of the field's name and a value; returns the value to keep, or raises.
        kind: of the flag: "integer", "number", "boolean", "string", "path" or "list".
        text: sentences for `--help` and the docstring.
        flag: name of the flag; True for the field's own name, False where there is no flag.
    """
    metadata = {"check": check, "kind": kind, "help": text, "flag": flag}
    return dataclasses.field(default=default, metadata=metadata)


def _error(name, rule, value):
    return InputError(f"`{name}` must be {rule}; got {value!r}.")
