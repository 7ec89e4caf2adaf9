"""Runs the notebooks of examples/ and keeps what they print and draw: `make notebooks`.

They read runs/digits, the model that `make demo` trains. Beside the outputs stands a digest of the
code that gave them, which a test compares: outputs of other code are not shown.
"""

import hashlib
import sys
from pathlib import Path

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"


def source_digest(cells):
    """SHA-256 of the code of cells, hexadecimal."""
    code = "\n\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    return hashlib.sha256(code.encode()).hexdigest()


def execute(path):
    """Runs one notebook, in its own folder, and writes it again."""
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(path, as_version=4)
    place = {"metadata": {"path": str(path.parent)}}
    NotebookClient(notebook, timeout=900, record_timing=False, resources=place).execute()
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{number}"
        if cell.cell_type == "code":
            # What libraries say on standard error is of the machine.
            cell.outputs = [one for one in cell.outputs if one.get("name") != "stderr"]
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
        "tf_marscf": {"sha256_of_code": source_digest(notebook.cells)},
    }
    nbformat.write(notebook, path)


def main():
    """Runs all, or those that are named."""
    for path in [*map(Path, sys.argv[1:])] or sorted(EXAMPLES.glob("*.ipynb")):
        execute(path.resolve())
        print(f"executed {path.name}")


if __name__ == "__main__":
    main()
