"""The README's code, as written."""

import pathlib
import re

import pytest

README = (pathlib.Path(__file__).resolve().parents[1] / "README.md").read_text(encoding="utf-8")


def python_blocks():
    return re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)


def test_the_ten_lines_run(capsys):
    block = python_blocks()[0]
    exec(compile(block, "README.md", "exec"), {})
    printed = capsys.readouterr().out
    assert "shape=(16,)" in printed
    assert "uint8" in printed
    round_trip_error = float(re.search(r"tf.Tensor\((\S+), shape=\(\)", printed)[1])
    assert round_trip_error < 1e-4


def test_every_named_flagfile_and_command_exists():
    root = pathlib.Path(__file__).resolve().parents[1]
    names = set(re.findall(r"bin/\w+\.py|\w+\.flags", README))
    assert {"bin/train.py", "digits.flags", "cifar.flags"} <= names
    for name in names:
        assert (root / name).is_file(), name


@pytest.mark.parametrize("target", ["demo", "test"])
def test_the_two_commands_are_in_the_makefile(target):
    makefile = (pathlib.Path(__file__).resolve().parents[1] / "Makefile").read_text()
    assert f"make {target}" in README
    assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE)
