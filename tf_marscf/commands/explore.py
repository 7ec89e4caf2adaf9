"""Shows a page to play with a model: `python bin/explore.py --model=runs/digits`.

Samples with a seed and a temperature for each level; one level drawn again, given the others; a
path between two images; and of an image that is dropped on the page, its bits/dim, where in the
image they come from, and its place among the test images.

Needs Gradio: pip install 'tf_marscf[explore]'.
"""

import functools

from tf_marscf.commands import command_line
from tf_marscf.explore.explore_config import ExploreConfig
from tf_marscf.explore.local_server import bound_socket, check_gradio
from tf_marscf.runs.model_directory import model_or_saved_model


def define_flags():
    """Defines the flags."""
    command_line.define_flags(ExploreConfig)


def main():
    """Serves the page until Ctrl-C, and prints its address."""
    config = ExploreConfig(**command_line.flag_values(ExploreConfig))
    model_or_saved_model(config.model, "model")
    check_gradio()
    bound = bound_socket(config.host, config.port)
    report = functools.partial(print, flush=True)
    report("opening the model: its page is there in some seconds, of a large one in a minute")
    command_line.start_tensorflow()
    from tf_marscf.explore.page_run import serve_page

    serve_page(config, bound, report)


run = functools.partial(command_line.run, main, define_flags)
