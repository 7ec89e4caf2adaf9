"""The client in serving/: what it says of what is wrong, in one line."""

import contextlib
import http.server
import socket
import sys
import threading

import numpy as np
import pytest
from PIL import Image

from tests.model_server import ModelServer, NotLoaded
from tests.served_requests import pixels


@pytest.mark.slow
@pytest.mark.parametrize("interface", ["rest", "grpc"])
@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["status", "--model=letters"], 1, "the server has no model 'letters' (--model)"),
        (["status", "--version=7"], 1, "model 'digits' has no version 7; the server has 1"),
        (["sample", "--num_samples=1025"], 1, "`num_samples` must be at most 1024"),
        (["sample", "--label=1"], 2, "--label must not be given: model 'digits' has no classes"),
        (["sample", "--num_grey_levels=2"], 2, "--num_grey_levels must be that of the model"),
        (["score", "wide.png"], 2, "wide.png has height, width and channels [8, 9, 1]; model"),
        (["score", "colour.png"], 2, "[8, 8, 3]; model 'digits' takes [8, 8, 1]"),
        (["score", "bright.npz"], 1, "grey levels below 17"),
    ],
)
def test_what_the_model_does_not_take_is_one_line(
    ask, interface, tmp_path, arguments, status, message
):
    Image.new("L", (9, 8)).save(tmp_path / "wide.png")
    Image.new("RGB", (8, 8)).save(tmp_path / "colour.png")
    np.savez(tmp_path / "bright.npz", images=np.full([2, 8, 8, 1], 255, np.uint8))
    before = set(tmp_path.iterdir())
    found, output, errors = ask(*arguments, interface=interface)
    assert (found, output, len(errors)) == (status, "", 1)
    assert errors[0].startswith("error: ") and message in errors[0]
    assert set(tmp_path.iterdir()) == before


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["missing.png"], "missing.png must be an image file: [Errno 2]"),
        (["text.png"], "text.png must be an image file: cannot identify"),
        (
            ["clear.png"],
            "clear.png must be one image of 8-bit grey levels or RGB; its mode is RGBA",
        ),
        (["moving.gif"], "and it has 2 frames"),
        (["text.npz"], "text.npz must be an .npz file"),
        (["other.npz"], "other.npz must hold an array `images`; it has none"),
        (["floats.npz"], "`images` of floats.npz must be uint8 [N, H, W, C], N >= 1; got float64"),
        (["other.npz", "text.png"], "an .npz file must be given alone; got 2 files"),
    ],
)
def test_wrong_files_are_named(ask, tmp_path, arguments, message):
    (tmp_path / "text.png").write_text("text")
    (tmp_path / "text.npz").write_text("text")
    Image.new("RGBA", (8, 8)).save(tmp_path / "clear.png")
    frames = [Image.new("L", (8, 8), level) for level in (0, 200)]
    frames[0].save(tmp_path / "moving.gif", save_all=True, append_images=frames[1:])
    np.savez(tmp_path / "other.npz", pictures=pixels(1))
    np.savez(tmp_path / "floats.npz", images=np.zeros([1, 8, 8, 1]))
    status, output, errors = ask("score", *arguments)
    assert (status, output, len(errors)) == (2, "", 1)
    assert message in errors[0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["sample", "--seed=-1"], "--seed: must be an integer from 0 to 2147483647; got '-1'"),
        (["sample", "--temperature=nan"], "--temperature: must be a finite number >= 0, or one"),
        (["sample", "--temperature=0.5,x"], "--temperature: must be a finite number >= 0, or one"),
        (["sample", "--num_samples=0"], "--num_samples: must be an integer from 1"),
        (["sample", "--output=samples.jpg"], "--output: must be a .png file in a directory that"),
        (["sample", "--output=no/where.png"], "--output: must be a .png file in a directory that"),
        (["sample", "--num_grey_levels=1"], "--num_grey_levels: must be an integer from 2 to 256"),
        (["score", "--batch_size=0", "a.png"], "--batch_size: must be an integer from 1"),
        (["score"], "the following arguments are required: IMAGES"),
        (["status", "--timeout=0"], "--timeout: must be a finite number > 0; got '0'"),
        (["status", "--server=localhost"], "--server: must be HOST:PORT, such as localhost:8501"),
        (["status", "--server=http://a:1"], "--server: must be HOST:PORT, such as localhost:8501"),
        (["status", "--version=0"], "--version: must be an integer from 1"),
        (["status", "--interface=soap"], "--interface: invalid choice: 'soap'"),
        (["paint"], "invalid choice: 'paint'"),
        ([], "the following arguments are required: command"),
    ],
)
def test_wrong_arguments_are_named(call, arguments, message):
    status, output, errors = call(*arguments)
    assert (status, output, len(errors)) == (2, "", 1)
    assert errors[0].startswith("error: ") and message in errors[0]


@pytest.mark.parametrize("interface", ["rest", "grpc"])
def test_a_server_that_is_not_there_is_said(call, interface):
    with socket.socket() as unused:
        unused.bind(("localhost", 0))
        address = f"localhost:{unused.getsockname()[1]}"
        status, _, errors = call("status", f"--interface={interface}", f"--server={address}")
    assert status == 1
    assert errors == [
        f"error: no server answers at {address}: is TensorFlow Serving started, and its port "
        "published?"
    ]


@pytest.mark.parametrize("interface", ["rest", "grpc"])
def test_a_server_that_does_not_answer_is_not_waited_for(call, interface):
    with socket.create_server(("localhost", 0)) as silent:
        address = f"localhost:{silent.getsockname()[1]}"
        arguments = [f"--interface={interface}", f"--server={address}", "--timeout=0.2"]
        status, _, errors = call("status", *arguments)
    assert status == 1
    assert errors == [f"error: {address} did not answer within 0.2 seconds (--timeout)"]


@contextlib.contextmanager
def other_server(content, status=200):
    """An HTTP server that is not TensorFlow Serving; its address."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(status)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_):
            pass

    with http.server.HTTPServer(("localhost", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield f"localhost:{server.server_address[1]}"
        server.shutdown()


@pytest.mark.parametrize(
    ("content", "status"), [(b"<html>", 200), (b"[1]", 200), (b"{}", 200), (b'{"detail": 1}', 404)]
)
def test_another_server_is_said_to_be_one(call, content, status):
    with other_server(content, status) as address:
        found, _, errors = call("status", f"--server={address}")
    assert found == 1
    (error,) = errors
    assert error.startswith(f"error: {address} does not speak TensorFlow Serving's REST interface")


@pytest.mark.parametrize("interface", ["rest", "grpc"])
def test_a_model_that_is_not_loaded_is_said_and_why(call, interface):
    models = {
        "digits": {1: NotLoaded("END", "Read less bytes than requested"), 2: NotLoaded("LOADING")}
    }
    with ModelServer(models) as server:
        port = server.rest_port if interface == "rest" else server.grpc_port
        arguments = ["status", f"--interface={interface}", f"--server=localhost:{port}"]
        newest = call(*arguments)
        oldest = call(*arguments, "--version=1")
    assert (newest[0], oldest[0]) == (1, 1)
    assert newest[2] == [
        "error: version 2 of model 'digits' is LOADING, not AVAILABLE; ask again, or see the "
        "server's log"
    ]
    assert oldest[2] == [
        "error: version 1 of model 'digits' is END, not AVAILABLE: Read less bytes than requested"
    ]


def test_grpc_without_its_package_says_what_to_install(call, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow_serving", None)
    for name in [name for name in sys.modules if name.startswith("tensorflow_serving.")]:
        monkeypatch.delitem(sys.modules, name)
    status, _, errors = call("status", "--interface=grpc")
    assert status == 2
    assert len(errors) == 1 and "pip install 'tf_marscf[serving]'" in errors[0]
