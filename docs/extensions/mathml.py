"""Equations as MathML, written when the site is built: browsers need no script and no font for it.

The conversion is docutils' own.
"""

import re

from docutils import nodes
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.util import logging

_logger = logging.getLogger(__name__)
# A function is applied to what is not in brackets: TeX leaves a thin space there, browsers none.
_APPLICATION = re.compile(r"(<mo>&ApplyFunction;</mo>)(?=\s*<(?:mi|mfrac|mrow|msub|msup)\b)")


def _mathml(node, as_block):
    """The `<math>` element of a node with TeX."""
    try:
        text = tex2mathml(node.astext(), as_block=as_block)
        return _APPLICATION.sub(r'\1<mspace width="0.17em"/>', text)
    except (AttributeError, MathError) as error:  # Of TeX that is cut off, the first.
        _logger.warning("no MathML for %r: %s", node.astext(), error, location=node)
        return f"<code>{nodes.unescape(node.astext())}</code>"


def _visit_inline(translator, node):
    translator.body.append(_mathml(node, as_block=False))
    raise nodes.SkipNode


def _visit_block(translator, node):
    # The box scrolls where the equation is wider than the page.
    opening = translator.starttag(node, "div", CLASS="equation", TABINDEX="0")
    translator.body.append(f"{opening}{_mathml(node, as_block=True)}</div>\n")
    raise nodes.SkipNode


def setup(app):
    """Registers the renderer, which conf.py chooses."""
    app.add_html_math_renderer("mathml", (_visit_inline, None), (_visit_block, None))
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
