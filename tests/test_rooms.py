"""Imports between rooms point one way."""

import ast
import pathlib
import re
import subprocess
import sys

import pytest

import tf_marscf

PACKAGE = pathlib.Path(tf_marscf.__file__).parent
# From the top down: a room may import those after it. What is not named here is a room, too.
ROOMS = [
    "commands",
    "explore",
    "reporting",
    "benchmarks",
    "training",
    "serving",
    "interop",
    "interpolation",
    "evaluation",
    "quality",
    "sampling",
    "saving",
    "runs",
    "data",
    "density_layer",
    "reference_dequantizer",
    "reference",
    "reference_couplings",
    "reference_networks",
    "flow",
    "distributions",
    "bijectors",
    "networks",
    "kernels",
]
REFERENCE = {
    "reference",
    "reference_couplings",
    "reference_dequantizer",
    "reference_networks",
}
# What all rooms share, and needs none of them.
COMMON = {
    "_version",
    "command_text",
    "config",
    "config_fields",
    "errors",
    "fields_without_effect",
    "figures",
    "files",
    "model_size",
    "progress",
    "quiet_import",
    "rebuilt_from_parameters",
    "rules",
    "stateless_seed",
}


def imported_modules(path):
    """The modules of this package that a file imports, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module == "tf_marscf":
            yield from (f"tf_marscf.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("tf_marscf."):
            yield node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith("tf_marscf."))


def room_of(module):
    return module.split(".")[1]


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: path.name)
def test_imports_point_down(path):
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    if parts == ("__init__",):
        return  # Public names, loaded when they are used.
    room = parts[0]
    assert room in COMMON or room in ROOMS, f"{path} is in a room that ROOMS does not know"
    for module in imported_modules(path):
        other = room_of(module)
        if room in COMMON:
            assert other in COMMON, f"{path}, which all rooms share, imports {module}"
        elif room in REFERENCE:
            assert other in {*COMMON, *REFERENCE}, f"{path} must stand alone; it imports {module}"
        elif other not in COMMON and other != room:
            assert other not in REFERENCE, f"{path} imports {module}, which tests alone use"
            assert ROOMS.index(other) > ROOMS.index(room), f"{path} imports {module}, above it"


def test_public_names_are_loaded_when_they_are_used():
    program = (
        "import sys, tf_marscf; assert 'tensorflow' not in sys.modules; "
        "assert tf_marscf.data.DataConfig(name='digits').name == 'digits'; "
        "assert 'tensorflow' not in sys.modules; assert tf_marscf.bijectors.ActNorm"
    )
    subprocess.run([sys.executable, "-c", program], cwd=PACKAGE.parent, check=True)
    for name in tf_marscf.__all__:
        assert getattr(tf_marscf, name), name
    with pytest.raises(AttributeError, match="no attribute 'bijector'"):
        tf_marscf.bijector  # noqa: B018


def test_public_names_are_in_the_readme():
    readme = (PACKAGE.parent / "README.md").read_text(encoding="utf-8")
    table = readme.partition("**Public names**")[2].partition("\n## ")[0]
    assert set(re.findall(r"`(\w+)`", table)) >= set(tf_marscf.__all__) - {"__version__"}


def test_every_file_of_tests_has_a_name_of_its_own():
    """pytest cannot collect a second one: the folders of the tests are no packages."""
    names = [path.name for path in (PACKAGE.parent / "tests").rglob("test_*.py")]
    assert len(names) > 100
    assert sorted(set(names)) == sorted(names)
