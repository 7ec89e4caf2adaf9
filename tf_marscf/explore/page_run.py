"""Opens a model and shows it on a page until somebody ends it."""

import os
import signal
import threading

from tf_marscf.explore.fragments import Fragments
from tf_marscf.explore.handlers import Handlers
from tf_marscf.explore.local_server import LocalServer, gradio_environment
from tf_marscf.explore.opened_model import open_model


def serve_page(config, bound, report=print, wait=None):
    """Serves the page of a model.

    Args:
        config: an `ExploreConfig`.
        bound: a socket on the page's address, as from `bound_socket`.
        report: called with each line of text.
        wait: called with the page's address when it can be opened; the page ends when it returns.
            Default: it waits for Ctrl-C or SIGTERM.

    Raises:
        MissingInputError, InputError, RunError: as of `open_model`.
    """
    with bound:
        opened = open_model(config)
        fragments = Fragments(opened.explorer)
        handlers = Handlers(opened.explorer, opened.compared, fragments, opened.is_reduced)
        for line in handlers.missing().values():
            report(line)
        with gradio_environment():
            from tf_marscf.explore.page import Page

            name = os.path.basename(os.path.abspath(config.model))
            page = Page(handlers, name, opened.facts)
            with LocalServer(page.application(), bound) as server:
                report(f"page: {server.url} (Ctrl-C ends it)")
                (wait or _wait_for_signal)(server.url)
    report("the page is closed")


def _wait_for_signal(_):
    """Returns at SIGINT or SIGTERM; a second one ends the process as usual."""
    is_ended = threading.Event()
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, lambda *_: is_ended.set()) for number in numbers}
    try:
        is_ended.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
