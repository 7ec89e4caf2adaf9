"""The page's server: where it listens, and that nothing leaves the machine."""

import contextlib
import os
import socket
import sys
import urllib.error
import urllib.request

import pytest

from tf_marscf.errors import InputError, MissingPackageError
from tf_marscf.explore import local_server
from tf_marscf.explore.local_server import (
    LocalServer,
    bound_socket,
    check_gradio,
    gradio_environment,
)


def test_a_port_that_is_taken_is_named():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(InputError, match=f"`port` must be a free one; .* 127.0.0.1: {port}"):
            bound_socket("127.0.0.1", port)


def test_the_first_free_port_is_found(monkeypatch):
    with contextlib.ExitStack() as stack:
        first = stack.enter_context(bound_socket("127.0.0.1", None))
        number = first.getsockname()[1]
        assert 7860 <= number < 7960
        second = stack.enter_context(bound_socket("127.0.0.1", None))
        assert number < second.getsockname()[1] < 7960
        monkeypatch.setattr(local_server, "_FIRST_PORT", number)
        monkeypatch.setattr(local_server, "_NUM_PORTS", 1)
        with pytest.raises(InputError, match=f"`port` must be a free one; .*{number} to {number}"):
            bound_socket("127.0.0.1", None)


@pytest.mark.parametrize("host", ["192.0.2.1", "no host", "", "999.1.1.1"])
def test_hosts_of_other_machines_are_named(host, monkeypatch):
    def no_such_name(name, *_, **__):
        raise socket.gaierror("unknown")

    if host != "192.0.2.1":
        monkeypatch.setattr(socket, "getaddrinfo", no_such_name)
    with pytest.raises(InputError, match="`host` must be an address of this machine; got '"):
        bound_socket(host, None)


def test_gradio_is_asked_for_by_name(monkeypatch):
    monkeypatch.setitem(sys.modules, "gradio", None)
    with pytest.raises(MissingPackageError, match=r"pip install 'tf_marscf\[explore\]'"):
        check_gradio()
    monkeypatch.setattr(local_server.importlib.util, "find_spec", lambda name: object())
    monkeypatch.setattr(local_server.importlib.metadata, "version", lambda name: "5.49.1")
    with pytest.raises(MissingPackageError, match="needs Gradio 6; got 5.49.1"):
        check_gradio()


def test_the_environment_is_what_it_was_and_nothing_is_left(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    monkeypatch.delenv("GRADIO_TEMP_DIR", raising=False)
    with gradio_environment():
        directory = os.environ["GRADIO_TEMP_DIR"]
        assert os.path.isdir(directory)
        assert os.environ["HF_HUB_OFFLINE"] == "1"
        assert os.environ["GRADIO_ANALYTICS_ENABLED"] == "False"
    assert not os.path.exists(directory)
    assert os.environ["HF_HUB_OFFLINE"] == "0"
    assert "GRADIO_TEMP_DIR" not in os.environ


def test_pages_may_ask_their_own_server_alone():
    pytest.importorskip("uvicorn")

    async def application(scope, receive, send):
        assert scope["type"] == "http"
        headers = [(b"content-type", b"text/plain")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"here"})

    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with LocalServer(application, bound_socket("127.0.0.1", None)) as server:
        with opener.open(server.url) as answer:
            assert answer.read() == b"here"
            assert "default-src 'self'" in answer.headers["content-security-policy"]
    with pytest.raises(urllib.error.URLError):
        opener.open(server.url)
