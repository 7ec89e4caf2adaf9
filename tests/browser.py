"""Chromium without a window, told what to do by its DevTools protocol, through a pipe."""

import base64
import contextlib
import fcntl
import json
import os
import select
import shutil
import subprocess
import sys
import time

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
# Without a window, and without asking anybody anything.
QUIET_FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run "
    "--disable-background-networking --disable-component-update --disable-sync"
).split()
_FLAGS = [*QUIET_FLAGS, "--remote-debugging-pipe"]
# All other names and numbers lead nowhere.
_LOOPBACK_ALONE = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
# Chromium reads from 3 and writes to 4.
_LAUNCHER = (
    "import os, sys; os.dup2(int(sys.argv[1]), 3); os.dup2(int(sys.argv[2]), 4); "
    "os.execv(sys.argv[3], sys.argv[3:])"
)
_TIMEOUT = 120.0


class Browser:
    """One tab of a browser that reaches this machine alone; a context manager.

    Attributes:
        requested: the addresses that pages asked for, data URIs left out.
        console: errors and warnings of pages.
    """

    def __init__(self, profile):
        self.requested, self.console = [], []
        self._number, self._answers, self._buffer, self._session = 0, {}, b"", None
        (theirs, self._write), (self._read, theirs_out) = _pipe(), _pipe()
        command = [CHROMIUM, *_FLAGS, _LOOPBACK_ALONE, f"--user-data-dir={profile}", "about:blank"]
        self._process = subprocess.Popen(
            [sys.executable, "-c", _LAUNCHER, str(theirs), str(theirs_out), *map(str, command)],
            pass_fds=[theirs, theirs_out],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(theirs)
        os.close(theirs_out)

    def __enter__(self):
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Network", "Runtime", "Log", "DOM"):
            self.call(f"{domain}.enable")
        return self

    def __exit__(self, *_):
        with contextlib.suppress(OSError, AssertionError):
            self._session = None
            self.call("Browser.close")
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=10)
        self._process.kill()
        self._process.wait()
        os.close(self._write)
        os.close(self._read)

    def call(self, method, **parameters):
        """Calls a method of the protocol, and returns its result."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session is not None:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        end = time.monotonic() + _TIMEOUT
        while self._number not in self._answers:
            assert time.monotonic() < end, f"no answer to {method}"
            self._receive()
        answer = self._answers.pop(self._number)
        assert "error" not in answer, answer
        return answer["result"]

    def open(self, url, width=1280, height=1000, scheme="light"):
        """Opens a page of some size, on a light or dark screen."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=1, mobile=False,
        )  # fmt: skip
        media = [{"name": "prefers-color-scheme", "value": scheme}]
        self.call("Emulation.setEmulatedMedia", features=media)
        self.call("Page.navigate", url=url)

    def evaluate(self, expression):
        """The value of a JavaScript expression."""
        answer = self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def wait_for(self, expression, timeout=_TIMEOUT):
        """Waits until a JavaScript expression holds."""
        end = time.monotonic() + timeout
        while not self.evaluate(expression):
            text = self.evaluate("document.body.innerText")
            assert time.monotonic() < end, f"{expression} does not become true; {text}"
            time.sleep(0.1)

    def click(self, text):
        """Clicks on the button with a text, when there is one to be seen."""
        found = (
            "[...document.querySelectorAll('button')].find(button => "
            f"button.innerText.trim() === {json.dumps(text)}"
            " && button.checkVisibility() && !button.closest('[aria-hidden=true]'))"
        )
        self.wait_for(f"!!{found}")
        self.evaluate(f"{found}.click()")

    def choose_file(self, path):
        """Gives a file to the page's file input that is shown."""
        document = self.call("DOM.getDocument", depth=0)["root"]["nodeId"]
        node = self.call("DOM.querySelector", nodeId=document, selector="input[type=file]")
        self.call("DOM.setFileInputFiles", nodeId=node["nodeId"], files=[str(path)])

    def screenshot(self, path):
        """Writes a PNG of the whole page."""
        picture = self.call("Page.captureScreenshot", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(picture["data"]))

    def _receive(self):
        ready, _, _ = select.select([self._read], [], [], 1.0)
        if not ready:
            assert self._process.poll() is None, "Chromium ended"
            return
        received = os.read(self._read, 2**16)
        assert received, "Chromium ended"
        *messages, self._buffer = (self._buffer + received).split(b"\0")
        for message in map(json.loads, messages):
            if "id" in message:
                self._answers[message["id"]] = message
            else:
                self._note(message["method"], message["params"])

    def _note(self, method, parameters):
        if method == "Network.requestWillBeSent":
            url = parameters["request"]["url"]
            if not url.startswith(("data:", "blob:")):
                self.requested.append(url)
        elif method == "Runtime.exceptionThrown":
            self.console.append(parameters["exceptionDetails"]["text"])
        elif method == "Log.entryAdded" and parameters["entry"]["level"] == "error":
            self.console.append(parameters["entry"]["text"])


def _pipe():
    """The two ends of a pipe, with numbers that are not those which Chromium uses."""
    ends = os.pipe()
    moved = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in ends]
    for end in ends:
        os.close(end)
    return moved
