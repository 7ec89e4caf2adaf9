"""The page itself, where Gradio is installed: through its API, and in Chromium."""

import importlib.util
import queue
import socket
import threading

import numpy as np
import pytest
from PIL import Image

import tf_marscf
from tests.browser import CHROMIUM, Browser
from tests.small_models import randomize
from tests.small_trainers import small_distribution
from tf_marscf.explore.explore_config import ExploreConfig
from tf_marscf.explore.handlers import EVERY_LEVEL, SAMPLES, TEST_IMAGES
from tf_marscf.explore.local_server import bound_socket

# Not imported here: the page keeps it from the network and from the disk before it does.
IS_INSTALLED = importlib.util.find_spec("gradio") is not None
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not IS_INSTALLED, reason="Gradio, the extra `explore`, is not installed"),
]


@pytest.fixture(scope="module", name="served")
def fixture_served(tmp_path_factory):
    """`(address of the page, addresses that this process connected to, lines that it printed)`."""
    from tf_marscf.explore.page_run import serve_page

    directory = tmp_path_factory.mktemp("page") / "small model"
    distribution = small_distribution(prior="gaussian")
    randomize(distribution.distribution)
    tf_marscf.save(distribution, directory)
    config = ExploreConfig(model=str(directory), dataset="digits", num_test_images=20)
    connected, lines, urls, is_done = [], [], queue.Queue(), threading.Event()

    def connect(self, address):
        connected.append(address)
        return original(self, address)

    def wait(url):
        urls.put(url)
        is_done.wait()

    original, socket.socket.connect = socket.socket.connect, connect
    thread = threading.Thread(
        target=serve_page,
        args=(config, bound_socket("127.0.0.1", None), lines.append, wait),
        daemon=True,
    )
    thread.start()
    yield urls.get(timeout=300), connected, lines
    is_done.set()
    thread.join(timeout=60)
    socket.socket.connect = original
    assert not thread.is_alive()
    assert lines[-1] == "the page is closed"


@pytest.fixture(scope="module", name="client")
def fixture_client(served):
    from gradio_client import Client

    return Client(served[0], verbose=False)


@pytest.fixture(name="black")
def fixture_black(tmp_path):
    Image.fromarray(np.zeros([8, 8], np.uint8)).save(tmp_path / "black.png")
    return tmp_path / "black.png"


def test_the_address_is_printed(served):
    url, _, lines = served
    assert lines == [f"page: {url} (Ctrl-C ends it)"]
    assert url.startswith("http://127.0.0.1:")


def test_every_event_answers(client, black):
    from gradio_client import handle_file

    html = client.predict(3, 4, "any", 1.0, 0.8, api_name="/sample")
    assert html.count("<img") == 4
    html, following = client.predict(EVERY_LEVEL, 5, api_name="/draw_again")
    assert html.count("<h3>") == 3
    assert following == 6
    for source in (SAMPLES, TEST_IMAGES):
        html = client.predict(source, 0, 1, False, api_name="/path")
        assert html.count("<img") == 18
    html = client.predict(0.0, api_name="/point")
    assert "point 1 of 17" in html
    for html in (
        client.predict(handle_file(str(black)), "any", api_name="/score_file"),
        client.predict("any", 7, api_name="/score_test_image"),
    ):
        assert "bits/dim" in html
        assert "the first 20 test images of digits, scored here" in html
        assert html.count("<img") == 4


def test_wrong_values_are_one_line(client, tmp_path):
    from gradio_client import handle_file

    (tmp_path / "notes.txt").write_text("no image")
    Image.fromarray(np.zeros([9, 8], np.uint8)).save(tmp_path / "tall.png")
    answers = {
        "`seed` must be an integer &gt;= 0; got -1.": client.predict(
            -1, 4, "any", 1.0, 1.0, api_name="/sample"
        ),
        "`to` must be another image than `from`; both are 2.": client.predict(
            TEST_IMAGES, 2, 2, False, api_name="/path"
        ),
        "`number` must be that of a test image, from 0 to 299; got 300.": client.predict(
            "any", 300, api_name="/score_test_image"
        ),
        "notes.txt must be a PNG, JPEG, WebP or BMP image, whatever its name": client.predict(
            handle_file(str(tmp_path / "notes.txt")), "any", api_name="/score_file"
        ),
        "got 8 pixels wide, 9 high and grey": client.predict(
            handle_file(str(tmp_path / "tall.png")), "any", api_name="/score_file"
        ),
    }
    for line, html in answers.items():
        assert 'role="alert"' in html
        assert line.lower() in html.replace("&#39;", "'").lower()
        assert len(html.strip().splitlines()) == 1


@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 480)])
def test_the_page_in_a_browser(served, black, tmp_path, scheme, width):
    url, connected, _ = served
    with Browser(tmp_path / "profile") as browser:
        browser.open(url, width, scheme=scheme)
        browser.wait_for("document.querySelectorAll('#samples img').length === 16")
        browser.click("Levels")
        browser.click("Draw again")
        browser.wait_for("document.querySelectorAll('#levels h3').length === 3")
        browser.click("Path")
        browser.click("Find the path")
        browser.wait_for("document.querySelectorAll('#path img').length === 18")
        browser.click("Your image")
        browser.choose_file(black)
        browser.wait_for("document.querySelectorAll('#score .marscf-maps img').length === 4")
        shown = browser.evaluate("document.querySelector('#score').innerText")
        assert "bits/dim" in shown and "20 test images" in shown
        colours = browser.evaluate(
            "['backgroundColor', 'color'].map(name => getComputedStyle(document.body)[name]"
            ".match(/[0-9]+/g).slice(0, 3).reduce((a, b) => a + +b, 0))"
        )
        assert (colours[0] > colours[1]) == (scheme == "light")
        overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        assert browser.evaluate(overflow) == 0
        # No server but this one is asked for anything, by the browser or from this process.
        assert len(browser.requested) > 5
        assert all(address.startswith(url) for address in browser.requested), browser.requested
        assert browser.console == []
    hosts = {address[0] for address in connected if isinstance(address, tuple)}
    assert hosts <= {"127.0.0.1"}
