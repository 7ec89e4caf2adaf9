"""What builds the site beside Sphinx: docstrings, the check of links, outputs of notebooks."""

import json
import subprocess
import sys

import pytest

from tests.documentation.page_blocks import DOCS, ROOT

sys.path.append(str(DOCS / "extensions"))
sys.path.append(str(DOCS))
from check_site import problems  # noqa: E402
from execute_notebooks import source_digest  # noqa: E402
from markdown_docstrings import restructured  # noqa: E402

NOTEBOOKS = sorted((ROOT / "examples").glob("*.ipynb"))


def test_code_in_docstrings_becomes_literals_and_equations_blocks():
    lines = restructured(
        [
            "Scales `x` by `Layer`s, a * b and |c|.",
            "",
            "    y = x * exp(s)",
            "",
            "    z = `y`",
            "",
            "More of *it*, and `a_`.",
            "",
            "Args:",
            "    x: `[N, C]`.",
            "    n: N.",
            "",
            "    y: of_ it.",
            "",
            "Example:",
            "    >>> `as it is`",
        ]
    )
    assert lines == [
        r"Scales ``x`` by ``Layer``\ s, a \* b and \|c\|.",
        "",
        ".. code-block:: text",
        "",
        "    y = x * exp(s)",
        "",
        "    z = `y`",
        "",
        r"More of \*it\*, and ``a_``.",
        "",
        "Args:",
        "    x: ``[N, C]``.",
        r"    n: \N.",
        "",
        r"    y: of\_ it.",
        "",
        "Example:",
        "    >>> `as it is`",
    ]


@pytest.fixture(name="site")
def fixture_site(tmp_path):
    """A site without problems."""
    (tmp_path / "more").mkdir()
    (tmp_path / "style.css").write_text("a { background: url('data:image/png;base64,x') }")
    (tmp_path / "picture.png").write_bytes(b"")
    (tmp_path / "more" / "page.html").write_text('<h1 id="here">A</h1><a href="../index.html">')
    (tmp_path / "index.html").write_text(
        '<link rel="stylesheet" href="style.css?v=1"><img src="picture.png">'
        '<a href="more/page.html#here">A</a><a href="https://example.org/">B</a><a href="#">C</a>'
    )
    return tmp_path


def test_a_whole_site_has_no_problems(site):
    assert problems(site) == []
    program = [sys.executable, DOCS / "check_site.py", site]
    assert subprocess.run(program, capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize(
    ("file", "text", "problem"),
    [
        ("index.html", '<a href="away.html">', "index.html names away.html, which is not there"),
        ("index.html", '<a href="more/page.html#there">', "an anchor that is not there"),
        ("index.html", '<img src="picture.jpg">', "names picture.jpg, which is not there"),
        ("index.html", '<script src="https://a.org/b.js"></script>', "loads https://a.org/b.js"),
        ("index.html", '<link rel="preconnect" href="//a.org">', "index.html loads //a.org"),
        ("index.html", '<p style="background: url(http://a.org/b)">', "loads http://a.org/b"),
        ("style.css", "@import 'https://a.org/b.css';", "style.css loads https://a.org/b.css"),
        ("style.css", "a { src: url(away.woff2) }", "names away.woff2, which is not there"),
    ],
)
def test_what_is_missing_or_comes_from_elsewhere_is_named(site, file, text, problem):
    path = site / file
    path.write_text(path.read_text() + text)
    (line,) = problems(site)
    assert problem in line
    process = subprocess.run(
        [sys.executable, DOCS / "check_site.py", site], capture_output=True, text=True, check=False
    )
    assert process.returncode == 1
    assert line in process.stdout


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_outputs_of_notebooks_are_those_of_their_code(path):
    """As `make notebooks` left them: whoever changes the code runs it again."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    assert notebook["metadata"]["tf_marscf"]["sha256_of_code"] == source_digest(notebook["cells"])
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in code] == [*range(1, len(code) + 1)]
    outputs = [output for cell in code for output in cell["outputs"]]
    assert not [output for output in outputs if output["output_type"] == "error"]
    assert any("image/png" in output.get("data", {}) for output in outputs)
    assert path.stat().st_size < 400_000
