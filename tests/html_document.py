"""An HTML file, read strictly."""

import html.parser

_VOID = {"br", "img", "link", "meta", "source"}


class HtmlDocument(html.parser.HTMLParser):
    """The elements of an HTML file; raises where they are not well nested.

    Args:
        text: of the file.

    Attributes:
        elements: pairs of tag and attributes, in order.
        commands: texts of the code in `pre`.
        text: all text outside of `style`.
    """

    def __init__(self, text):
        super().__init__()
        self.elements, self.commands, self.text = [], [], ""
        self._open = []
        self.feed(text)
        self.close()
        assert self._open == [], self._open

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        assert len(dict(attrs)) == len(attrs), f"an attribute of {tag} is there twice"
        if tag not in _VOID:
            self._open.append(tag)
        if tag == "code" and "pre" in self._open:
            self.commands.append("")

    def handle_endtag(self, tag):
        assert self._open and self._open[-1] == tag, (tag, self._open)
        self._open.pop()

    def handle_data(self, data):
        if "style" in self._open:
            return
        self.text += data
        if "code" in self._open and "pre" in self._open:
            self.commands[-1] += data

    def all(self, tag):
        """Attributes of all elements of a tag."""
        return [attributes for name, attributes in self.elements if name == tag]
