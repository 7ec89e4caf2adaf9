"""The pages of the documentation, README.md among them, and the code that stands in them."""

import dataclasses
import pathlib
import re
import shlex

ROOT = pathlib.Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
# The name of each page from the root of the checkout.
PAGES = sorted(
    str(path.relative_to(ROOT))
    for path in [ROOT / "README.md", *DOCS.rglob("*.md")]
    if "_build" not in path.parts
)
_FENCE = re.compile(r"```(\S*)[ ]?(.*)")
_NOT_RUN = re.compile(r"<!-- not run: (.+) -->")


@dataclasses.dataclass(frozen=True)
class Block:
    """A block of code, or a directive.

    Attributes:
        page: its page.
        line: the number of its first line, from 1.
        kind: what stands after the backticks, such as "python" or "{literalinclude}".
        argument: what follows that.
        text: its lines.
        reason: why it is not run; or None.
    """

    page: str
    line: int
    kind: str
    argument: str
    text: str
    reason: str

    @property
    def options(self):
        """The options of a directive, a dict."""
        pairs = re.findall(r"^:([\w-]+):[ ]*(.*)$", self.text, flags=re.MULTILINE)
        return {name: value.strip('"') for name, value in pairs}

    @property
    def commands(self):
        """The commands of shell code, lists of words, without comments and assignments."""
        lines = re.sub(r"\\\n", " ", self.text).splitlines()
        commands = [shlex.split(line, comments=True) for line in lines]
        return [_without_assignments(words) for words in commands if words]


def page_text(page):
    """The text of a page."""
    return (ROOT / page).read_text(encoding="utf-8")


def blocks(page, *kinds):
    """The `Block`s of a page, those of some kinds or all."""
    found, opened, previous = [], None, ""
    for number, line in enumerate(page_text(page).splitlines(), start=1):
        if opened is None:
            fence = _FENCE.fullmatch(line)
            if fence:
                reason = _NOT_RUN.fullmatch(previous)
                opened = number, *fence.groups(), reason and reason[1], []
        elif line == "```":
            start, kind, argument, reason, lines = opened
            text = "".join(f"{one}\n" for one in lines)
            found.append(Block(page, start + 1, kind, argument, text, reason))
            opened = None
        else:
            opened[-1].append(line)
        previous = line
    assert opened is None, f"{page} has a block without an end"
    return [block for block in found if not kinds or block.kind in kinds]


def inline_commands(page):
    """The commands `python bin/...` that stand within a page's text, lists of words."""
    text = re.sub(r"```.*?```", "", page_text(page), flags=re.DOTALL)
    found = re.findall(r"`(python\s+bin/\w+\.py[^`]*)`", text)
    return [shlex.split(" ".join(command.split())) for command in found]


def _without_assignments(words):
    while words and re.match(r"[A-Z_]+=", words[0]):
        words = words[1:]
    return words
