"""Checks a built site: `python docs/check_site.py docs/_build/html`.

Every link to a file of the site leads to one, with its anchor; and no page loads anything from
another server, so that it opens from a disk without a network. Links to elsewhere are allowed: they
are followed by readers only.
"""

import html.parser
import re
import sys
import urllib.parse
from pathlib import Path

# What a browser loads by itself, by element and attribute; of others, links.
_LOADED = {"script": "src", "img": "src", "source": "srcset", "iframe": "src", "object": "data"}
_LOADING_RELATIONS = {
    "stylesheet",
    "icon",
    "preload",
    "preconnect",
    "dns-prefetch",
    "modulepreload",
}
_CSS_ADDRESS = re.compile(r"url\(\s*['\"]?([^'\")]+)|@import\s+['\"]([^'\"]+)")


class Page(html.parser.HTMLParser):
    """The addresses and anchors of a page.

    Attributes:
        loaded: addresses that a browser asks for by itself.
        linked: those of links.
        anchors: what links to places in the page may name.
    """

    def __init__(self, path):
        super().__init__()
        self.loaded, self.linked, self.anchors = [], [], {"", "top"}
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        """Notes an element."""
        values = {name: value for name, value in attrs if value is not None}
        self.anchors |= {values[name] for name in ("id", "name") if name in values}
        if values.get(_LOADED.get(tag)):
            self.loaded.append(values[_LOADED[tag]])
        if "style" in values:
            self.loaded += _css_addresses(values["style"])
        if tag == "link" and "href" in values:
            is_loaded = _LOADING_RELATIONS & set(values.get("rel", "").split())
            (self.loaded if is_loaded else self.linked).append(values["href"])
        elif tag == "a" and "href" in values:
            self.linked.append(values["href"])


def problems(site):
    """What is wrong with a site.

    Args:
        site: its directory, a `Path`.

    Returns:
        A list of lines, each with the file's name.

    Raises:
        FileNotFoundError: if the directory has no index.html.
    """
    if not (site / "index.html").is_file():
        raise FileNotFoundError(f"{site} has no index.html")
    # What a theme has in _static/ are its templates, and no pages.
    files = [path for path in sorted(site.rglob("*.html")) if "_static" not in path.parts]
    pages = {path: Page(path) for path in files}
    found = []
    for path, page in pages.items():
        for address in page.loaded:
            found += _problem(site, path, address, pages, is_loaded=True)
        for address in page.linked:
            found += _problem(site, path, address, pages, is_loaded=False)
    for path in sorted(site.rglob("*.css")):
        for address in _css_addresses(path.read_text(encoding="utf-8")):
            found += _problem(site, path, address, pages, is_loaded=True)
    return found


def _css_addresses(text):
    return [first or second for first, second in _CSS_ADDRESS.findall(text)]


def _problem(site, path, address, pages, is_loaded):
    """A list of one line, or of none, about an address in a file."""
    name = path.relative_to(site)
    parts = urllib.parse.urlsplit(address.strip())
    if parts.scheme == "data":
        return []
    if parts.scheme or parts.netloc:
        return [f"{name} loads {address}"] if is_loaded else []
    target = path
    if parts.path:
        target = (path.parent / urllib.parse.unquote(parts.path)).resolve()
    if not target.is_file():
        return [f"{name} names {address}, which is not there"]
    anchor = urllib.parse.unquote(parts.fragment)
    if not is_loaded and target in pages and anchor not in pages[target].anchors:
        return [f"{name} names {address}, an anchor that is not there"]
    return []


def main():
    """Prints what is wrong, and ends with status 1 if anything is."""
    if len(sys.argv) != 2:
        sys.exit("usage: python docs/check_site.py DIRECTORY")
    found = problems(Path(sys.argv[1]).resolve())
    print("\n".join(found) or "every link leads somewhere, and nothing is loaded from elsewhere")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
