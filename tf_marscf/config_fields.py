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
import textwrap

from tf_marscf import rules
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
        fields = {}
        for base in reversed(cls.__mro__[1:]):
            fields |= vars(base).get("__dataclass_fields__", {})
        fields |= vars(cls)
        cls.__doc__ = f"{(cls.__doc__ or '').rstrip()}\n\n    Attributes:\n{_entries(fields)}\n"

    def __post_init__(self):
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if value is not None or field.default is not None:
                self._set(field.name, field.metadata["check"](value, f"`{field.name}`"))

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
        values = self.to_dict()
        return {
            field.name: values[field.name]
            for field in dataclasses.fields(self)
            if field.name in values and getattr(self, field.name) != field.default
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
    """Those of a dict that are fields, as entries of a docstring."""
    wrap = textwrap.TextWrapper(100, initial_indent=" " * 8, subsequent_indent=" " * 12).fill
    return "\n".join(
        wrap(f"{name}: {field.metadata['help']}")
        for name, field in fields.items()
        if isinstance(field, dataclasses.Field)
    )


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
    return _field(default, rules.integer(least, most, num_bits), "integer", text, flag)


def number(default, text, least=-math.inf, above=-math.inf, below=math.inf, rule=None, flag=True):
    """A field: a finite number of at least `least`, above `above` and below `below`."""
    return _field(default, rules.number(least, above, below, rule), "number", text, flag)


def number_by_level(default, text, least=-math.inf, rule=None, flag=True):
    """A field: a finite number of at least `least`, or a tuple of one a level.

    Of a flag it takes texts as well, a single one for all levels.
    """
    check_numbers = rules.number_by_level(least, rule)

    def check(value, name):
        if isinstance(value, list | tuple) and all(isinstance(item, str) for item in value):
            numbers = [_number_of(item) for item in value]
            value = numbers[0] if len(numbers) == 1 else numbers
        return check_numbers(value, name)

    return _field(default, check, "list", text, flag)


def _number_of(text):
    """The number that a text stands for; the text itself, which rules refuse, if it is none."""
    try:
        return float(text)
    except ValueError:
        return text


def size(default, text, words=(), flag=True):
    """A field: height and width of images, a tuple, or one of some `words` in their place.

    One integer stands for both. Of a flag it takes texts as well.
    """
    return _field(default, rules.size(*words), "list", text, flag)


def boolean(default, text, flag=True):
    """A field: True or False."""
    check = rules.rule(lambda value: isinstance(value, bool), "True or False")
    return _field(default, check, "boolean", text, flag)


def switch(default, text, flag=True):
    """A field: True, False, or "auto", for what the machine decides."""
    check = rules.rule(
        lambda value: isinstance(value, bool) or (isinstance(value, str) and value == "auto"),
        "'auto', True or False",
    )
    return _field(default, check, "switch", text, flag)


def choice(default, choices, text, rule=None, flag=True):
    """A field: one of several strings."""
    text = f"{text} One of: {', '.join(choices)}."
    return _field(default, rules.text(*choices, meaning=rule), "string", text, flag)


def some_of(default, choices, text, rule="some of", flag=True):
    """A field: a tuple of one or more of several strings."""

    def check(values, name):
        values = tuple(values)
        if not values or any(value not in choices for value in values):
            seen = ",".join(map(str, values))
            raise InputError(f"{name} must be {rule} {tuple(choices)}; got {seen!r}.")
        return values

    return _field(default, check, "list", f"{text} Some of: {', '.join(choices)}.", flag)


def string(default, text, flag=True):
    """A field: a string."""
    return _field(default, rules.text(), "string", text, flag)


def path(default, text, flag=True):
    """A field: a path on this machine, as a string; see `local_path`."""

    def check(value, name):
        return local_path(name.strip("`"), value)

    return _field(default, check, "path", text, flag)


def strings(default, text):
    """A field without a flag: a tuple of one or more different strings."""
    return _field(default, rules.different_strings, "list", text, flag=False)


def sequence(default, text, flag=True):
    """A field: a tuple; the class, or what uses it, checks its items."""
    return _field(default, lambda values, name: tuple(values), "list", text, flag)


def integers(default, text, length):
    """A field without a flag: a tuple of `length` integers, each at least 1."""
    return _field(default, rules.integers(length), "list", text, flag=False)


def integer_by_level(default, text):
    """A field: an integer, or one a level; the class knows how many those are."""
    return _field(default, lambda value, name: value, "integers", text, flag=True)


def _field(default, check, kind, text, flag):
    """A field of a config class.

    The check is a rule of `rules.py`, the kind one of `commands.command_line`; the text is for
    `--help` and docstrings; `flag` is a name, True for the field's own, False for no flag.
    """
    metadata = {"check": check, "kind": kind, "help": text, "flag": flag}
    return dataclasses.field(default=default, metadata=metadata)
