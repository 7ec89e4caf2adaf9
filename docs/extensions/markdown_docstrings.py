"""Docstrings of this project for Sphinx: they are written as Markdown, which autodoc does not read.

    `code` and indented blocks of equations        become literals of reStructuredText,
    characters that would be markup there           are escaped.

Sections such as `Args:` are left to napoleon, which runs after this.
"""

import inspect
import re

_SECTIONS = re.compile(r"(Args|Arguments|Attributes|Example|Raises|Returns|Yields):\s*$")
_CODE = re.compile(r"(?<!`)`([^`]+)`(?!`)(\w?)")
_MARKUP = re.compile(r"([*|]|_(?=\W|$))")
# A text such as "C." would be the first point of a list.
_POINT = re.compile(r"^(\s*(?:\w+: )?)(?=(?:[A-Za-z]|\d+)\.(?:\s|$))")


def restructured(lines):
    """The lines of a docstring as reStructuredText.

    Args:
        lines: of the docstring, without its indentation.

    Returns:
        A new list of lines.
    """
    result, section, is_block = [], None, False
    for line, previous in zip(lines, ["", *lines], strict=False):
        if heading := _SECTIONS.match(line):
            section = heading[1]
        elif line and not line.startswith(" "):
            section = None
        is_indented = line.startswith("    ")
        if section == "Example":
            result.append(line)
            continue
        if not section and is_indented and not is_block and not previous.strip():
            result += [".. code-block:: text", ""]
            is_block = True
        elif line and not is_indented:
            is_block = False
        result.append(line if is_block else _inline(line))
    return result


def _inline(line):
    """A line of text, its code as literals and other markup escaped."""
    line = _POINT.sub(r"\1" + "\\\\", line)
    parts, end = [], 0
    for code in _CODE.finditer(line):
        parts.append(_MARKUP.sub(r"\\\1", line[end : code.start()]))
        # A literal ends before a blank or a sign: an escaped blank is none on the page.
        parts.append(f"``{code[1]}``" + (f"\\ {code[2]}" if code[2] else ""))
        end = code.end()
    return "".join([*parts, _MARKUP.sub(r"\\\1", line[end:])])


def _process(app, what, name, obj, options, lines):
    lines[:] = restructured(lines)


def _skip(app, what, name, obj, skip, options):
    """Leaves out what TensorFlow Probability puts into the classes that inherit from its own."""
    function = getattr(obj, "fget", obj)
    module = getattr(function, "__module__", None) or ""
    return True if module.startswith("tensorflow_probability") else None


def _signature(app, what, name, obj, options, signature, return_annotation):
    """That of the constructor where a base class, such as Keras's layer, hides it."""
    if what != "class" or signature != "(*args, **kwargs)":
        return None
    first, *parameters = inspect.signature(obj.__init__).parameters.values()
    return str(inspect.Signature(parameters)), return_annotation


def setup(app):
    """Registers the conversion, ahead of napoleon."""
    app.connect("autodoc-process-docstring", _process, priority=400)
    app.connect("autodoc-process-signature", _signature)
    app.connect("autodoc-skip-member", _skip)
    return {"version": "1", "parallel_read_safe": True}
