"""The table on the first page of `kernels` names what there is."""

import ast
import pathlib

import pytest

from tf_marscf import kernels

FOLDER = pathlib.Path(kernels.__file__).parent
TESTS = pathlib.Path(__file__).parents[1]


def rows():
    """[fast, plain, test, used] of each row."""
    table = [line for line in kernels.__doc__.splitlines() if line.count("|") == 3]
    return [[cell.strip() for cell in line.split("|")] for line in table[2:]]


def names_of(path):
    """What a module defines."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)}


@pytest.mark.parametrize(("fast", "plain", "test", "used"), rows())
def test_every_row_is_of_something(fast, plain, test, used):
    modules = {path.stem: names_of(path) for path in FOLDER.glob("*.py")}
    known = set(modules).union(*modules.values())
    assert fast in known
    module, _, name = plain.rpartition(".")
    if module.startswith("reference"):
        assert name in names_of(FOLDER.parent / f"{module}.py")
    assert list(TESTS.glob(f"*/test_{test}.py"))
    assert used


def test_every_module_of_fast_ways_is_in_the_table():
    in_table = {name for row in rows() for name in row[:2]}
    # What these hold serves those in the table.
    others = {"__init__", "choices", "devices", "spectral_matrices", "threads"}
    for path in FOLDER.glob("*.py"):
        assert path.stem in others or ({path.stem} | names_of(path)) & in_table, path.name
