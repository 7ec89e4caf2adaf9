"""Commands are called as scripts of bin/, or as console scripts: the same either way."""

import importlib
import re
import subprocess
import sys

import pytest

from tests.running_commands import ROOT, error_line
from tf_marscf.command_text import called_command, command_text

NAMES = sorted(path.stem for path in (ROOT / "bin").glob("*.py"))
CONSOLE_SCRIPT = """
import sys
sys.argv[0] = {script!r}
from tf_marscf.commands.{name} import run
run()
"""


def run_script(name, *arguments, directory):
    """bin/NAME.py, in a directory of its own and without a package on the path."""
    return subprocess.run(
        [sys.executable, ROOT / "bin" / f"{name}.py", *arguments],
        capture_output=True, text=True, cwd=directory, env={"PATH": ""}, check=False,
    )  # fmt: skip


def run_console_script(name, *arguments, directory):
    """What the console script of the same name does."""
    script = f"/usr/bin/marscf-{name.replace('_', '-')}"
    return subprocess.run(
        [sys.executable, "-c", CONSOLE_SCRIPT.format(script=script, name=name), *arguments],
        capture_output=True, text=True, cwd=directory, check=False,
        env={"PATH": "", "PYTHONPATH": str(ROOT)},
    )  # fmt: skip


@pytest.mark.parametrize("name", ["train", "import_weights"])
@pytest.mark.parametrize("run", [run_script, run_console_script])
def test_help_says_how_it_was_called_and_lists_the_flags(run, name, tmp_path):
    process = run(name, "--help", directory=tmp_path)
    called = f"python bin/{name}.py"
    if run is run_console_script:
        called = f"marscf-{name.replace('_', '-')}"
    assert f"`{called} --" in process.stdout.splitlines()[0]
    flag = {"train": "--[no]recompute_prior", "import_weights": "--num_heads"}[name]
    for text in (flag, "--intra_op_threads"):
        assert re.search(rf"^  {re.escape(text)}:", process.stdout, flags=re.MULTILINE)
    assert "--alsologtostderr" not in process.stdout


@pytest.mark.parametrize("run", [run_script, run_console_script])
def test_wrong_flags_are_refused_either_way(run, tmp_path):
    process = run(
        "train", "--dataset=digits", "--train_dir=x", "--num_epochs=0", directory=tmp_path
    )
    assert process.returncode == 2
    assert "`num_epochs` must be an integer >= 1; got 0" in error_line(process)


def test_importing_commands_defines_no_flag_and_no_tensorflow():
    program = "\n".join(
        [
            "import sys",
            "from absl import flags",
            *(f"import tf_marscf.commands.{name}" for name in NAMES),
            "modules = flags.FLAGS.flags_by_module_dict()",
            "assert all(name.startswith('absl.') for name in modules), list(modules)",
            "assert not {'gradio', 'keras', 'tensorflow'} & set(sys.modules)",
        ]
    )
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)


def test_every_command_is_a_script_and_a_console_script():
    for name in NAMES:
        assert callable(importlib.import_module(f"tf_marscf.commands.{name}").run)
    listed = re.search(r"COMMANDS = \[(.*?)\]", (ROOT / "setup.py").read_text(), flags=re.DOTALL)
    assert re.findall(r'"(\w+)"', listed[1]) == NAMES


def test_commands_are_printed_as_they_are_called(monkeypatch):
    flags = {"pairs": [1, 2], "fast": True, "bars": False, "none": None, "path": "a b"}
    text = "--pairs=1,2 --fast --nobars '--path=a b'"
    assert command_text("sample", flags) == f"python bin/sample.py {text}"
    monkeypatch.setattr(sys, "argv", ["/usr/bin/marscf-train"])
    assert command_text("benchmark", {"seed": 3}, "speed") == "marscf-benchmark speed --seed=3"
    assert called_command("import_weights") == "marscf-import-weights"
