"""A field of a config class carries its rule, its help and its flag."""

import dataclasses
import subprocess
import sys

import pytest

from tests.running_commands import ROOT
from tf_marscf.config_fields import (
    REQUIRED,
    Config,
    boolean,
    choice,
    fields_with_flags,
    integer,
    number,
    number_by_level,
    path,
    same_field,
    some_of,
    string,
    switch,
)
from tf_marscf.errors import InputError


@dataclasses.dataclass(frozen=True, kw_only=True)
class SmallConfig(Config):
    """What a small model needs."""

    num_steps: int = integer(4, "K, steps of flow a level.")
    rate: float = number(0.5, "Of learning.", above=0)
    kind: str = choice("plain", ("plain", "fancy"), "Of the model.")
    parts: tuple = some_of(("a", "b"), ("a", "b", "c"), "Of the result.")
    is_fast: bool = boolean(False, "Whether it is fast.", flag="fast")
    output: str = path(None, "Where it goes; default: nowhere.")
    num_images: int = integer(None, "Images; default: all.", least=2, flag=False)


@dataclasses.dataclass(frozen=True, kw_only=True)
class LargeConfig(SmallConfig):
    """What a large model needs."""

    num_steps: int = integer(32, "Many steps.", most=64)
    name: str = string(REQUIRED, "Of the model.")
    width: int = same_field(SmallConfig, "num_steps", 512)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"num_steps": 0}, "`num_steps` must be an integer >= 1; got 0"),
        ({"num_steps": None}, "`num_steps` must be an integer >= 1; got None"),
        ({"num_steps": 2**63}, r"`num_steps` must be below 2\^63; got 9223372036854775808"),
        ({"rate": float("inf")}, "`rate` must be a finite number > 0; got inf"),
        ({"rate": True}, "`rate` must be a finite number > 0; got True"),
        ({"kind": "third"}, r"`kind` must be one of \('plain', 'fancy'\); got 'third'"),
        ({"parts": ["a", "d"]}, r"`parts` must be some of \('a', 'b', 'c'\); got 'a,d'"),
        ({"parts": ()}, "`parts` must be some of"),
        ({"is_fast": 1}, "`is_fast` must be True or False; got 1"),
        ({"output": "gs://bucket/x"}, "`output` must be a path on this machine"),
        ({"num_images": 1}, "`num_images` must be an integer >= 2; got 1"),
    ],
)
def test_wrong_values_are_named(fields, message):
    with pytest.raises(InputError, match=message):
        SmallConfig(**fields)


@dataclasses.dataclass(frozen=True, kw_only=True)
class LevelsConfig(Config):
    """With a number a level."""

    scale: float = number_by_level(1.0, "Of the noise.", least=0)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (2, 2.0),
        ("2", None),
        (["2"], 2.0),
        (["0.5", "2"], (0.5, 2.0)),
        ((0.5, 2), (0.5, 2.0)),
        ([2], (2.0,)),
        ([], None),
        (["x"], None),
        (["0.5", ""], None),
        ([0.5, "2"], None),
        ([0.5, -1.0], None),
        (["nan"], None),
        ([True], None),
        ({"0": 1.0}, None),
    ],
)
def test_a_number_or_one_a_level(given, kept):
    if kept is None:
        with pytest.raises(InputError, match="`scale` must be a "):
            LevelsConfig(scale=given)
        return
    config = LevelsConfig(scale=given)
    assert config.scale == kept
    assert LevelsConfig(**config.to_dict()) == config


@dataclasses.dataclass(frozen=True, kw_only=True)
class SwitchConfig(Config):
    """With what a machine may decide."""

    speed: bool | str = switch("auto", "Whether it is fast.")


@dataclasses.dataclass(frozen=True, kw_only=True)
class BothConfig(SmallConfig, SwitchConfig):
    """Of two bases."""


def test_a_switch_is_on_off_or_left_to_the_machine():
    for value in ("auto", True, False):
        assert SwitchConfig(speed=value).speed is value
    for value in ("yes", "true", 1, None, ["auto"]):
        with pytest.raises(InputError, match="`speed` must be 'auto', True or False; got "):
            SwitchConfig(speed=value)


def test_the_docstring_of_a_class_of_two_bases_lists_the_fields_of_both():
    assert "num_steps: K, steps of flow a level." in BothConfig.__doc__
    assert "speed: Whether it is fast." in BothConfig.__doc__


def test_the_flag_of_a_switch_is_one_of_a_boolean_and_may_be_auto():
    program = (
        "from absl import flags\n"
        "from tests.test_config_fields import SwitchConfig\n"
        "from tf_marscf.commands import command_line\n"
        "command_line.define_flags(SwitchConfig)\n"
        "for words in [], ['--speed'], ['--nospeed'], ['--speed=auto'], ['--speed=true'], "
        "['--speed=False'], ['--nospeed', '--speed=auto']:\n"
        "    flags.FLAGS(['program', *words])\n"
        "    print(SwitchConfig(**command_line.flag_values(SwitchConfig)).speed)\n"
        "print(\"(default: 'auto')\" in flags.FLAGS.get_help())\n"
        "flags.FLAGS(['program', '--speed=2'])\n"
    )
    process = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT
    )
    assert process.stdout.split() == "auto True False auto True False auto True".split()
    assert process.stderr.rstrip().endswith("flag --speed=2: must be auto, true or false")


def test_what_differs_from_the_defaults():
    config = SmallConfig(num_steps=5, parts=["c"], num_images=None)
    assert config.parts == ("c",)
    assert config.changes() == {"num_steps": 5, "parts": ["c"]}
    assert SmallConfig(**config.to_dict()) == config
    assert list(config.to_dict()) == [field.name for field in dataclasses.fields(SmallConfig)]


def test_a_class_may_take_over_fields_and_change_them():
    config = LargeConfig(name="fancy")
    assert (config.num_steps, config.width, config.kind) == (32, 512, "plain")
    with pytest.raises(InputError, match="`num_steps` must be an integer in 1 ... 64; got 65"):
        LargeConfig(name="fancy", num_steps=65)
    with pytest.raises(InputError, match="`width` must be an integer >= 1; got 0"):
        LargeConfig(name="fancy", width=0)
    with pytest.raises(TypeError, match="name"):
        LargeConfig()


def test_the_docstring_lists_the_fields():
    assert "num_steps: K, steps of flow a level." in SmallConfig.__doc__
    assert "num_steps: Many steps." in LargeConfig.__doc__
    assert "kind: Of the model. One of: plain, fancy." in LargeConfig.__doc__


def test_flags_have_names_kinds_and_values_of_their_fields():
    names = [flag for _, flag in fields_with_flags(SmallConfig)]
    assert names == ["num_steps", "rate", "kind", "parts", "fast", "output"]
    program = (
        "from absl import flags\n"
        "from tests.test_config_fields import SmallConfig\n"
        "from tf_marscf.commands import command_line\n"
        "command_line.define_flags(SmallConfig, num_steps=7)\n"
        "flags.FLAGS(['program', '--fast', '--parts=a,c', '--output=~/x', '--rate=2'])\n"
        "print(SmallConfig(**command_line.flag_values(SmallConfig)).changes())"
    )
    process = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=True,
        env={"PATH": "", "HOME": "/home/of/mine"},
    )  # fmt: skip
    changes = {"num_steps": 7, "rate": 2.0, "parts": ["a", "c"], "is_fast": True}
    assert process.stdout == f"{changes | {'output': '/home/of/mine/x'}}\n"
