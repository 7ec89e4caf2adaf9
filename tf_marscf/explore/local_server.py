"""The page's own HTTP server, on one address of this machine."""

import contextlib
import errno
import importlib.metadata
import importlib.util
import os
import socket
import tempfile
import threading

from tf_marscf.errors import InputError, MissingPackageError, RunError

_GRADIO_VERSION = "6"
_FIRST_PORT, _NUM_PORTS = 7860, 100
_START_SECONDS = 60.0
# What a browser may ask for: this server alone. Gradio itself evaluates templates.
_POLICY = (
    "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; object-src 'none'; "
    "base-uri 'self'; form-action 'self'"
)
# Nothing of Gradio's or its hub's goes into the network: neither figures of use nor the question
# whether there is a newer version.
_OFFLINE = {
    "GRADIO_ANALYTICS_ENABLED": "False",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_OFFLINE": "1",
}


def check_gradio():
    """Raises `MissingPackageError` if Gradio is not installed, or another version of it."""
    install = "pip install 'tf_marscf[explore]'"
    if importlib.util.find_spec("gradio") is None:
        raise MissingPackageError(f"the page needs Gradio, which is not installed: {install}.")
    version = importlib.metadata.version("gradio")
    if version.split(".")[0] != _GRADIO_VERSION:
        raise MissingPackageError(
            f"the page needs Gradio {_GRADIO_VERSION}; got {version}: {install}."
        )


def bound_socket(host, port):
    """A socket that listens on an address of this machine.

    Args:
        host: a name or number.
        port: a port; None: 7860, or the first free one of the hundred from there.

    Raises:
        InputError: if the host is none of this machine, or the port is not free.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)[0]
    except OSError as error:
        raise InputError(f"`host` must be an address of this machine; got {host!r}.") from error
    ports = range(_FIRST_PORT, _FIRST_PORT + _NUM_PORTS) if port is None else [port]
    for number in ports:
        bound = socket.socket(family, socket.SOCK_STREAM)
        # Else the port of a page that just ended is not free for a minute.
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            bound.bind((address[0], number, *address[2:]))
            # Only then is the port taken for others. Who opens the page waits until it is there.
            bound.listen()
            return bound
        except PermissionError as error:
            bound.close()
            raise InputError(
                f"`port` must be one that you may use, such as 7860; got {port}."
            ) from error
        except OSError as error:
            bound.close()
            problem = error
    if problem.errno != errno.EADDRINUSE:
        raise InputError(
            f"`host` must be an address of this machine; got {host!r}: {problem.strerror}."
        ) from problem
    seen = f"{ports[0]} to {ports[-1]}" if port is None else str(port)
    raise InputError(f"`port` must be a free one; in use on {host}: {seen}.") from problem


@contextlib.contextmanager
def gradio_environment():
    """Keeps Gradio from the network, and its files in a directory of their own, which is removed.

    Gradio reads some of these variables when it is imported.
    """
    with tempfile.TemporaryDirectory(prefix="marscf_explore_") as directory:
        values = _OFFLINE | {"GRADIO_TEMP_DIR": directory}
        before = {name: os.environ.get(name) for name in values}
        os.environ.update(values)
        try:
            yield
        finally:
            for name, value in before.items():
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value


class LocalServer:
    """Serves an ASGI application from a thread; a context manager.

    Args:
        application: the application.
        bound: the socket, as from `bound_socket`; it is closed at the end.

    Attributes:
        url: of the page.

    Raises:
        RunError: when it is entered, if the server does not start.
    """

    def __init__(self, application, bound):
        import uvicorn

        host, port = bound.getsockname()[:2]
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
        self.url = f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"
        self._bound = bound
        self._server = uvicorn.Server(
            uvicorn.Config(
                _WithPolicy(application),
                log_level="critical",
                # Pages that are still open wait for events for ever.
                timeout_graceful_shutdown=1,
            )
        )
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [bound]}, daemon=True
        )

    def __enter__(self):
        self._thread.start()
        for _ in range(int(_START_SECONDS / 0.05)):
            if self._server.started or not self._thread.is_alive():
                break
            self._thread.join(0.05)
        if not self._server.started:
            raise RunError("the server of the page did not start.")
        return self

    def __exit__(self, *_):
        self._server.should_exit = True
        self._thread.join(timeout=10.0)
        self._bound.close()


class _WithPolicy:
    """An ASGI application whose answers tell browsers to ask no other server for anything."""

    def __init__(self, application):
        self._application = application

    async def __call__(self, scope, receive, send):
        async def send_with_policy(message):
            if message["type"] == "http.response.start":
                header = (b"content-security-policy", _POLICY.encode())
                message["headers"] = [*message.get("headers", []), header]
            await send(message)

        await self._application(scope, receive, send_with_policy)
