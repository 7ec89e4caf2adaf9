"""`bin/explore.py`: wrong arguments are one line, and the page comes up and goes."""

import importlib.util
import signal
import socket
import subprocess
import sys
import urllib.request

import pytest

import tf_marscf
from tests.running_commands import ROOT, error_line, start_command
from tests.small_trainers import small_distribution

# As where Gradio is not installed, or is.
PROGRAM = """
import sys
{before}
sys.argv[0] = "explore.py"
from tf_marscf.commands.explore import run
try:
    run()
finally:
    assert not {{"tensorflow", "gradio"}} & {{name for name in sys.modules if sys.modules[name]}}
"""
WITHOUT_GRADIO = "sys.modules['gradio'] = None"
WITH_GRADIO = (
    "import importlib.metadata, importlib.util, types\n"
    "importlib.util.find_spec = lambda name: name\n"
    "importlib.metadata.version = lambda name: '6.31.0'"
)


def run_program(*arguments, before=WITH_GRADIO):
    return subprocess.run(
        [sys.executable, "-c", PROGRAM.format(before=before), *map(str, arguments)],
        capture_output=True, text=True, cwd=ROOT, check=False, env={"PATH": ""},
    )  # fmt: skip


@pytest.fixture(scope="module", name="model")
def fixture_model(tmp_path_factory):
    directory = tmp_path_factory.mktemp("explored") / "model"
    tf_marscf.save(small_distribution(num_levels=1, prior="gaussian"), directory)
    return directory


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], "--model"),
        (["--model=missing"], "`model` must be a directory; 'missing' is none"),
        (["--model=tests"], "`model` must be a training directory or an export of tf_marscf"),
        (["--model=a*b"], "`model` must be a path without the characters"),
        (["--model=tests", "--port=99999"], "`port` must be an integer in 1 ... 65535; got 99999"),
        (["--model=tests", "--port=0"], "`port` must be an integer in 1 ... 65535; got 0"),
        (["--model=tests", "--port=web"], "--port=web"),
        (["--model=tests", "--num_test_images=1"], "`num_test_images` must be an integer >= 2"),
        (["--model=tests", "--checkpoint=newest"], "`checkpoint` must be 'best' or 'latest'"),
        (["--model=tests", "--share"], "share"),
    ],
)
def test_wrong_arguments_are_one_line_before_anything_is_imported(arguments, expected):
    process = run_program(*arguments)
    assert process.returncode == 2
    assert expected in error_line(process)


def test_what_is_missing_on_this_machine_is_one_line(model):
    process = run_program(f"--model={model}", before=WITHOUT_GRADIO)
    assert process.returncode == 2
    assert "needs Gradio, which is not installed: pip install" in error_line(process)
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        process = run_program(f"--model={model}", f"--port={port}")
    assert process.returncode == 2
    assert f"`port` must be a free one; in use on 127.0.0.1: {port}" in error_line(process)
    process = run_program(f"--model={model}", "--host=192.0.2.1")
    assert process.returncode == 2
    assert "`host` must be an address of this machine; got '192.0.2.1'" in error_line(process)


def test_help_needs_neither_tensorflow_nor_gradio():
    process = run_program("--help", before=WITHOUT_GRADIO)
    assert "AssertionError" not in process.stderr
    for flag in ("--model", "--port", "--host", "--num_test_images"):
        assert f"  {flag}:" in process.stdout


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("gradio") is None, reason="Gradio is not installed")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_page_comes_up_and_ends_at_a_signal(model, number):
    process = start_command("explore.py", f"--model={model}")
    url = process.wait_for_line("page: ").split()[1]
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url) as answer:
        assert answer.status == 200
    process.send_signal(number)
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    assert output.splitlines()[-1] == "the page is closed"
    assert "Traceback" not in errors
