"""What tests of servers share: one small export, and a stand-in for TensorFlow Serving."""

import importlib
import shutil
import sys

import pytest

import tf_marscf
from tests.c_interface import RunningSavedModel, compile_program
from tests.model_server import ModelServer
from tests.running_commands import ROOT
from tests.small_models import small_model
from tf_marscf.serving.export import export_model


@pytest.fixture(scope="session", name="c_program")
def fixture_c_program(tmp_path_factory):
    """The compiled program that loads SavedModels through TensorFlow's C interface."""
    if shutil.which("gcc") is None:
        pytest.skip("needs a C compiler")
    return compile_program(tmp_path_factory.mktemp("c"))


@pytest.fixture(scope="session", name="small_export")
def fixture_small_export(tmp_path_factory):
    """`(version, distribution)` of images 8x8x1 with 17 grey levels, as the digits are."""
    directory = tmp_path_factory.mktemp("small_export")
    model = small_model(num_levels=1, prior="gaussian", hidden_channels=4)
    distribution = tf_marscf.Dequantized(model, num_grey_levels=17)
    tf_marscf.save(distribution, directory / "run")
    return export_model(directory / "run", directory / "exports" / "digits"), distribution


@pytest.fixture(scope="session", name="model_in_c")
def fixture_model_in_c(c_program, small_export, tmp_path_factory):
    """The small export, loaded by the C program."""
    model = RunningSavedModel(c_program, small_export[0], tmp_path_factory.mktemp("requests"))
    yield model
    model.close()


@pytest.fixture(scope="session", name="model_server")
def fixture_model_server(model_in_c):
    """A stand-in for TensorFlow Serving, with the small export as version 1 of `digits`."""
    with ModelServer({"digits": {1: model_in_c}}) as server:
        yield server


@pytest.fixture(scope="session", name="client")
def fixture_client():
    sys.path.insert(0, str(ROOT / "serving"))
    yield importlib.import_module("client")
    sys.path.remove(str(ROOT / "serving"))


@pytest.fixture(name="call")
def fixture_call(client, monkeypatch, capsys, tmp_path):
    """A function that runs a command in a new directory; `(status, output, error lines)`."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        monkeypatch.setattr("sys.argv", ["client.py", *map(str, arguments)])
        status = 0
        try:
            client.main()
        except SystemExit as error:
            status = error.code
        captured = capsys.readouterr()
        return status, captured.out, captured.err.splitlines()

    return call


@pytest.fixture(name="ask")
def fixture_ask(call, model_server):
    """As `call`, of the stand-in."""

    def ask(command, *arguments, interface="rest"):
        port = model_server.rest_port if interface == "rest" else model_server.grpc_port
        return call(command, f"--interface={interface}", f"--server=localhost:{port}", *arguments)

    return ask
