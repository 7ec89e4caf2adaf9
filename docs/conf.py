"""How Sphinx builds the site: `make docs`."""

import os
import shutil
import sys
from pathlib import Path

DOCS = Path(__file__).resolve().parent
ROOT = DOCS.parent

sys.path[:0] = [str(DOCS / "extensions"), str(ROOT)]
# The reference imports TensorFlow, whose messages are no warnings of the site.
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

from tf_marscf._version import __version__  # noqa: E402
from tf_marscf.quiet_import import import_tensorflow  # noqa: E402

import_tensorflow()

project = "tf_marscf"
release = version = __version__
copyright = "the authors of tf_marscf, Apache-2.0"  # noqa: A001

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "markdown_docstrings",
    "sphinx.ext.napoleon",
    "mathml",
]
exclude_patterns = ["_build", "requirements.txt"]
# Readers of the source see GitHub's Markdown; these are what the site has beyond it.
myst_enable_extensions = ["dollarmath", "colon_fence"]
myst_heading_anchors = 3
nb_merge_streams = True
nb_execution_mode = "off"  # Tests run the notebooks; their outputs are those of examples/.

autodoc_member_order = "bysource"
autodoc_default_options = {"members": True}
autoclass_content = "class"
napoleon_use_ivar = True
napoleon_use_rtype = False
add_module_names = False
python_use_unqualified_type_names = True
toc_object_entries_show_parents = "hide"

html_theme = "pydata_sphinx_theme"
html_title = f"tf_marscf {version}"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_math_renderer = "mathml"
html_context = {"default_mode": "auto"}  # Light or dark, as the reader's system is.
html_copy_source = False
html_show_sourcelink = False
html_last_updated_fmt = None
# All that a page needs lies beside it: no icons, fonts or scripts of other servers.
html_theme_options = {
    "logo": {"text": "tf_marscf"},
    "header_links_before_dropdown": 8,
    "navbar_align": "left",
    "navigation_with_keys": False,
    "show_toc_level": 2,
    "show_prev_next": True,
    "footer_start": ["copyright"],
    "footer_end": [],
    "secondary_sidebar_items": ["page-toc"],
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}
html_sidebars = {page: [] for page in ("installation", "tutorial", "model", "recipes")}


def copy_notebooks(app, config):
    """Puts the notebooks of examples/ where Sphinx finds sources."""
    for notebook in sorted((ROOT / "examples").glob("*.ipynb")):
        shutil.copy2(notebook, DOCS / "examples" / notebook.name)


def link_to_pages(app, name, source):
    """Lets links to files of the checkout lead to the pages that show them."""
    source[0] = source[0].replace("](../BUILD_NOTES.md", "](build_notes.md")


def setup(app):
    """Registers what this file does of its own."""
    app.connect("config-inited", copy_notebooks)
    app.connect("source-read", link_to_pages)
