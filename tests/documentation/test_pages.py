"""The pages of the documentation are whole, and say what is there; nothing of them is run here."""

import ast
import json
import re
import subprocess
import sys

import pytest

import tf_marscf
from tests.documentation.page_blocks import (
    DOCS,
    PAGES,
    ROOT,
    blocks,
    inline_commands,
    page_text,
)

RUN = {"python", "sh"}
# `py`: a client of a server, which tests/serving/ calls. `text`: what something printed.
NOT_RUN = {"py", "text"}
DIRECTIVES = {"{eval-rst}", "{include}", "{literalinclude}", "{raw}", "{toctree}"}
ALL_BLOCKS = [block for page in PAGES for block in blocks(page)]


def directives(kind):
    return [block for block in ALL_BLOCKS if block.kind == kind]


def test_every_subject_has_its_page():
    wanted = {
        "docs/installation.md",
        "docs/tutorial.md",
        "docs/model.md",
        "docs/recipes.md",
        "docs/experiments.md",
        "docs/reference/index.md",
        *(
            f"docs/how_to/{name}.md"
            for name in (
                "own_data",
                "several_gpus_and_machines",
                "resuming",
                "tensorflow_serving",
                "outliers",
                "prior_in_other_models",
                "published_weights",
            )
        ),
    }
    assert wanted <= set(PAGES)


@pytest.mark.parametrize("page", PAGES)
def test_all_code_is_run_or_says_why_not(page):
    for block in blocks(page):
        place = f"{page}:{block.line}"
        assert block.kind in RUN | NOT_RUN | DIRECTIVES, f"{place} is {block.kind or 'of no kind'}"
        if block.reason is None:
            continue
        assert block.kind == "sh", f"{place}: only a machine, a server or a download is a reason"
        for path in re.findall(r"tests/[\w/]+(?:\.py)?", block.reason):
            assert (ROOT / path).exists(), f"{place} names {path}"


def test_the_arguments_of_all_commands_are_right(tmp_path):
    """Those that run elsewhere, too, and those within the text."""
    found = []
    for page in PAGES:
        listed = [words for block in blocks(page, "sh") for words in block.commands]
        # Within the text a command without flags is a name.
        named = [words for words in inline_commands(page) if any("--" in word for word in words)]
        for words in [*listed, *named]:
            scripts = [number for number, word in enumerate(words) if word.startswith("bin/")]
            if scripts and words[scripts[0]].endswith(".py") and "--flagfile=FILE" not in words:
                script, *arguments = words[scripts[0] :]
                found.append((page, [script.removeprefix("bin/"), *arguments]))
    assert len(found) > 30
    file = tmp_path / "commands.json"
    file.write_text(json.dumps([command for _, command in found]))
    process = subprocess.run(
        [sys.executable, ROOT / "tests/documentation/parse_commands.py", file],
        capture_output=True, text=True, cwd=ROOT, check=True,
    )  # fmt: skip
    wrong = [found[int(number)] for number in process.stdout.split()]
    assert not wrong, process.stderr


@pytest.mark.parametrize("page", PAGES)
def test_links_to_files_lead_there(page):
    text = re.sub(r"```.*?```", "", page_text(page), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        path = target.partition("#")[0]
        if "://" in target or not path:
            continue
        place = (ROOT / page).parent / path
        if place.parent.resolve() == DOCS / "examples" and place.suffix == ".ipynb":
            place = ROOT / "examples" / place.name  # Where the site has it from.
        assert place.exists(), f"{page} links to {target}"


def test_lines_of_the_code_that_pages_show_are_there():
    shown = directives("{literalinclude}")
    assert len(shown) > 20
    for block in shown:
        file = (ROOT / block.page).parent / block.argument
        text = file.read_text(encoding="utf-8")
        name = block.options.get("pyobject")
        if name is not None:
            body = ast.parse(text).body
            for part in name.split("."):
                named = [node for node in body if getattr(node, "name", None) == part]
                assert len(named) == 1, f"{block.page}:{block.line} shows {name}"
                body = named[0].body
        for option in ("start-at", "end-at"):
            assert block.options.get(option, "") in text, f"{block.page}:{block.line}: {option}"


def test_parts_of_the_readme_that_pages_show_are_there():
    for block in directives("{include}"):
        text = ((ROOT / block.page).parent / block.argument).read_text(encoding="utf-8")
        text = f"\n{text}"
        for option in ("start-after", "end-before"):
            heading = block.options.get(option)
            assert heading is None or text.count(f"\n{heading}\n") == 1, f"{block.page}: {heading}"


def test_every_page_is_in_a_table_of_contents():
    listed = set()
    for block in directives("{toctree}"):
        folder = (ROOT / block.page).parent
        for line in block.text.splitlines():
            if line and not line.startswith(":"):
                name = re.fullmatch(r"(?:.* <(.*)>|(.*))", line)
                listed.add((folder / (name[1] or name[2])).resolve())
    for page in PAGES:
        if page not in ("README.md", "docs/index.md"):
            assert (ROOT / page).with_suffix("") in listed, page
    notebooks = {DOCS / "examples" / path.stem for path in (ROOT / "examples").glob("*.ipynb")}
    assert len(notebooks) == 2
    assert notebooks <= listed


def test_the_reference_has_all_public_names():
    shown = {
        name
        for block in directives("{eval-rst}")
        for name in re.findall(r"\.\. auto(?:module|class|function):: (\S+)", block.text)
    }
    rooms = {".".join(name.split(".")[:2]) for name in shown}
    for name in set(tf_marscf.__all__) - {"__version__"}:
        assert f"tf_marscf.{name}" in rooms, name
    # These list their names: all of them are on the page of the module.
    assert {f"tf_marscf.{room}" for room in ("bijectors", "data", "distributions")} <= shown


def test_every_named_flagfile_and_script_exists():
    for page in PAGES:
        for name in re.findall(r"\bbin/\w+\.py|\b\w+\.flags\b", page_text(page)):
            assert (ROOT / name).is_file() or name == "my.flags", f"{page} names {name}"


@pytest.mark.parametrize("target", ["demo", "docs", "notebooks", "test"])
def test_what_pages_say_of_make_is_in_the_makefile(target):
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE)


def test_all_extras_are_in_the_table_of_the_installation():
    setup = (ROOT / "setup.py").read_text(encoding="utf-8").partition("EXTRAS_REQUIRE")[2]
    extras = re.findall(r'^    "(\w+)": \[', setup.partition("\n}")[0], flags=re.MULTILINE)
    assert "docs" in extras
    table = page_text("docs/installation.md").partition("| extra |")[2].partition("\n\n")[0]
    assert set(re.findall(r"^\| `(\w+)`", table, flags=re.MULTILINE)) == set(extras)


def test_the_site_is_built_by_every_change_with_exact_versions():
    assert "make docs" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    setup = (ROOT / "setup.py").read_text(encoding="utf-8")
    extra = re.search(r'"docs": \[(.*?)\]', setup, flags=re.DOTALL)[1]
    pinned = (DOCS / "requirements.txt").read_text(encoding="utf-8").lower()
    names = re.findall(r'"([\w-]+)[<>=]', extra)
    assert len(names) == 3
    for name in names:
        assert f"\n{name}==" in pinned, name
