"""What a source distribution and a wheel hold, and that an installed wheel brings the commands."""

import configparser
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile

import pytest

from tests.commands.test_ways_to_call import NAMES
from tests.running_commands import ROOT, error_line
from tf_marscf import __version__

pytestmark = pytest.mark.slow
_LIST = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
_BUILD = "from setuptools import build_meta; build_meta.build_{kind}({directory!r})"


def build(kind, source, directory):
    """Builds a distribution as an installer does, in the environment that is there."""
    program = _BUILD.format(kind=kind, directory=str(directory))
    process = subprocess.run(
        [sys.executable, "-c", program], cwd=source, capture_output=True, text=True, check=False
    )
    assert process.returncode == 0, process.stderr
    (path,) = directory.iterdir()
    return path


@pytest.fixture(scope="module", name="files")
def fixture_files():
    """The project's files, relative to its folder."""
    if not (ROOT / ".git").exists():
        pytest.skip("what belongs to the project is known in a checkout")
    lines = subprocess.run(_LIST, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return sorted(line for line in lines.splitlines() if (ROOT / line).is_file())


@pytest.fixture(scope="module", name="sdist")
def fixture_sdist(files, tmp_path_factory):
    """The source distribution of a copy of the project."""
    source = tmp_path_factory.mktemp("source")
    for file in files:
        (source / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / file, source / file)
    return build("sdist", source, tmp_path_factory.mktemp("sdist"))


@pytest.fixture(scope="module", name="wheel")
def fixture_wheel(sdist, tmp_path_factory):
    """The wheel of the source distribution."""
    place = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(sdist) as archive:
        archive.extractall(place, filter="data")
    (source,) = place.iterdir()
    return build("wheel", source, tmp_path_factory.mktemp("wheel"))


def test_the_source_distribution_has_every_file(files, sdist):
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert set(files) - names <= {".gitignore"}
    some = {"digits.flags", "recipes/paper/digits.flags", "docs/gpu.md", "Makefile"}
    assert some | {"examples/run_stablehlo.py", "tests/conftest.py", "CHANGELOG.md"} <= names


def test_the_wheel_has_the_package_and_the_flagfiles(files, wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
        (metadata,) = (name for name in archive.namelist() if name.endswith("/METADATA"))
        metadata = archive.read(metadata).decode()
        (entries,) = (name for name in archive.namelist() if name.endswith("/entry_points.txt"))
        scripts = configparser.ConfigParser()
        scripts.read_string(archive.read(entries).decode())
    flagfiles = {file for file in files if re.fullmatch(r"(recipes/\w+/)?\w+\.flags", file)}
    assert names == {file for file in files if file.startswith("tf_marscf/")} | {
        f"tf_marscf/flagfiles/{file}" for file in flagfiles
    }
    assert "tf_marscf/reporting/templates/page.html" in names
    assert dict(scripts["console_scripts"]) == {
        f"marscf-{name.replace('_', '-')}": f"tf_marscf.commands.{name}:run" for name in NAMES
    }
    assert re.search(r"^Requires-Python: (>=3.11,<3.14|<3.14,>=3.11)$", metadata, re.MULTILINE)
    distutils = r"^Requires-Dist: setuptools>=\d+; python_version >= [\"']3.12[\"']$"
    assert re.search(distutils, metadata, re.MULTILINE)


def test_an_installed_wheel_brings_the_commands(wheel, tmp_path):
    place, directory = tmp_path / "installed", tmp_path / "elsewhere"
    directory.mkdir()
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index",
         "--no-compile", "--target", place, wheel],
        check=True, capture_output=True,
    )  # fmt: skip

    def run(name, *arguments):
        return subprocess.run(
            [place / "bin" / name, *arguments], capture_output=True, text=True, cwd=directory,
            check=False, env={"PATH": "", "PYTHONPATH": str(place)},
        )  # fmt: skip

    for name in NAMES:
        script = f"marscf-{name.replace('_', '-')}"
        assert run(script, "--version").stdout == f"{script} {__version__}\n"
    # Its flagfiles and their recipes are found by name; a wrong value says so before all work.
    for arguments in ([], ["--recipe=paper"]):
        process = run("marscf-train", "--flagfile=digits.flags", *arguments, "--num_epochs=0")
        assert process.returncode == 2
        assert "`num_epochs` must be an integer >= 1; got 0" in error_line(process)
    process = run("marscf-train", "--flagfile=digits.flags", "--recipe=none")
    assert "default, flow_plus_plus, paper; got 'none'" in error_line(process)
    process = run("marscf-train", "--flagfile=missing.flags")
    assert "missing.flags" in error_line(process)
    # A file that is here wins.
    (directory / "digits.flags").write_text("--dataset=digits\n--train_dir=x\n--batch_size=0\n")
    process = run("marscf-train", "--flagfile", "digits.flags")
    assert "`batch_size` must be an integer >= 1; got 0" in error_line(process)
