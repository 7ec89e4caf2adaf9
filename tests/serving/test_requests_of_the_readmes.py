"""What README.md and serving/README.md tell to send, sent as written to a stand-in."""

import os
import pathlib
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from tests.running_commands import ROOT
from tests.served_requests import SIGNATURES, pixels

pytestmark = pytest.mark.slow
# In the place of curl where there is none: it sends what the pages' commands say.
CURL = """
import argparse
import sys
import requests

parser = argparse.ArgumentParser()
parser.add_argument("-s", action="store_true")
parser.add_argument("-d")
parser.add_argument("url")
options = parser.parse_args()
data = sys.stdin.read() if options.d == "@-" else options.d
answer = requests.request("GET" if data is None else "POST", options.url, data=data)
sys.stdout.write(answer.text)
"""


def blocks(page, language):
    text = (ROOT / page).read_text(encoding="utf-8")
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)


def requesting_block(page, program):
    """The one block of shell commands of a page that calls a program."""
    (block,) = [block for block in blocks(page, "sh") if re.search(program, block, re.MULTILINE)]
    return block


@pytest.fixture(name="run")
def fixture_run(model_server, tmp_path):
    """A function that runs shell commands as written, but for the ports.

    It returns the standard output, and what the server was asked: triples (interface, signature or
    path, status).
    """
    programs = tmp_path / "bin"
    programs.mkdir()
    if shutil.which("curl") is None:
        (programs / "curl").write_text(f"#!{sys.executable}\n{CURL}")
        (programs / "curl").chmod(0o755)
    (tmp_path / "serving").symlink_to(ROOT / "serving")

    def run(block):
        answered = len(model_server.answered)
        process = subprocess.run(
            ["bash", "-e", "-o", "pipefail", "-c", block],
            capture_output=True, text=True, check=False, cwd=tmp_path, timeout=300,
            env=os.environ
            | {
                "PATH": os.pathsep.join(
                    [str(pathlib.Path(sys.executable).parent), str(programs), os.environ["PATH"]]
                ),
                "NO_PROXY": "localhost", "no_proxy": "localhost",
            },
        )  # fmt: skip
        assert process.returncode == 0, process.stderr
        return process.stdout, model_server.answered[answered:]

    return run


@pytest.mark.parametrize("page", ["README.md", "serving/README.md"])
def test_requests_with_curl_are_answered(run, model_server, page):
    block = requesting_block(page, "^curl ")
    assert "http://localhost:8501/" in block
    output, answered = run(block.replace("8501", str(model_server.rest_port)))
    assert len(answered) == len(re.findall(r"^curl |\| curl ", block, re.MULTILINE))
    assert {status for _, _, status in answered} == {200}
    asked = {what for _, what, _ in answered}
    if page == "README.md":
        assert asked == SIGNATURES
    else:
        assert asked == {"/v1/models/digits", "/v1/models/digits/metadata", "sample",
                         "serving_default", "encode"}  # fmt: skip
        assert '"predictions"' in output
    assert '"log_prob"' in output


def test_commands_of_the_client_are_answered(run, model_server, tmp_path):
    np.savez(tmp_path / "samples.npz", images=pixels(3))
    block = requesting_block("serving/README.md", "client.py")
    lines = block.splitlines()
    commands = [
        f"{line} --server=localhost:"
        f"{model_server.grpc_port if 'grpc' in line else model_server.rest_port}"
        for line in lines
    ]
    assert all(line.startswith("python serving/client.py ") for line in lines)
    output, answered = run("\n".join(commands))
    assert {status for _, _, status in answered} == {200, "OK"}
    assert ("grpc", "serving_default", "OK") in answered
    assert {"sample", "serving_default"} <= {what for interface, what, _ in answered
                                             if interface == "rest"}  # fmt: skip
    assert "digits version 1: AVAILABLE" in output
    printed = re.findall(r"mean of 3 images: (\S+) bits/dim", output)
    assert len(printed) == 2 and printed[0] == printed[1]
    with Image.open(tmp_path / "samples.png") as picture:
        assert picture.size == (4 * 66 + 2, 4 * 66 + 2)
    assert len((tmp_path / "scores.csv").read_text().splitlines()) == 4


def test_the_grpc_client_of_the_readme_calls_every_signature(model_server, capsys):
    (block,) = blocks("README.md", "py")
    assert '"localhost:8500"' in block
    answered = len(model_server.answered)
    exec(compile(block.replace("8500", str(model_server.grpc_port)), "README.md", "exec"), {})
    answered = model_server.answered[answered:]
    assert {what for _, what, _ in answered} == SIGNATURES
    assert {status for _, _, status in answered} == {"OK"}
    assert capsys.readouterr().out.splitlines()[-1] == "True"


def test_what_stands_in_for_curl_sends_what_curl_sends(run, model_server, tmp_path):
    """So that machines without curl test the same."""
    (tmp_path / "bin" / "other_curl").write_text(f"#!{sys.executable}\n{CURL}")
    (tmp_path / "bin" / "other_curl").chmod(0o755)
    block = requesting_block("README.md", "^curl ").replace("8501", str(model_server.rest_port))
    answered = run(block)[1]
    assert run(block.replace("curl -d", "other_curl -d"))[1] == answered
