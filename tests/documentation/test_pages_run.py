"""All code of the documentation runs, as it is written, in one directory with a small model."""

import doctest
import importlib
import json
import re
import shutil

import matplotlib
import numpy as np
import pytest

import tf_marscf
from tests.documentation.page_blocks import PAGES, ROOT, blocks
from tests.running_commands import run_command

pytestmark = pytest.mark.slow
# What makes each command small: flags after those of the page.
SMALLER = {
    "train.py": (
        "--num_steps=1 --hidden_channels=16 --num_epochs=8 --batch_size=32 --warm_up_images=500 "
        "--learning_rate=5e-3 --num_sample_images=4 --sample_every=0 --progress=line"
    ),
    "evaluate.py": "--progress=none",
    "sample.py": "--progress=none --num_samples=8",
    "report.py": "--progress=none --fast --sections=evaluation,training,samples",
    "export.py": "",
    "benchmark.py": "",  # Of `all_reduce`, which runs nothing.
}
TRAIN = "python bin/train.py --flagfile=digits.flags".split()
EXPORT = "python bin/export.py --train_dir=runs/digits --output=exports/digits".split()
NOTEBOOKS = {
    "score_and_sample": {"num_images": 40, "num_samples": 4},
    "prior_in_your_own_model": {
        "num_digits": 2, "num_chains": 3, "num_mode_steps": 20, "num_burnin_steps": 5,
        "num_results": 3,
    },
}  # fmt: skip


# Their docstrings, which the reference shows, have examples.
MODULES = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for path in (ROOT / "tf_marscf").rglob("*.py")
    if ">>> " in path.read_text(encoding="utf-8")
)


class Place:
    """A directory as of a checkout, in which commands run."""

    def __init__(self, directory):
        self.directory = directory
        self._done = {}
        for path in ROOT.glob("*.flags"):
            shutil.copy(path, directory)
        shutil.copytree(ROOT / "recipes", directory / "recipes")

    def run(self, words, again=False):
        """What a command prints; one that has run before does so once more only if asked to."""
        key = " ".join(words)
        if again or key not in self._done:
            program, script, *arguments = words
            name = script.removeprefix("bin/")
            assert program == "python" and name in SMALLER, f"no command to run: {key}"
            process = run_command(name, *arguments, *SMALLER[name].split(), cwd=self.directory)
            assert process.returncode == 0, f"{key}: {process.stderr}"
            self._done[key] = process.stdout
        return self._done[key]


@pytest.fixture(scope="module", name="place")
def fixture_place(tmp_path_factory):
    """With what the pages have from the tutorial: a trained model, and its export."""
    place = Place(tmp_path_factory.mktemp("pages"))
    tutorial = [words for block in blocks("docs/tutorial.md", "sh") for words in block.commands]
    for words in (TRAIN, EXPORT):
        assert words in tutorial
        place.run(words)
    (place.directory / "examples").mkdir()
    return place


def percentage(printed, words):
    return int(re.search(rf"(\d+)% {words}", printed)[1])


def check_readme(printed):
    assert "shape=(16,)" in printed
    assert "uint8" in printed
    assert float(re.search(r"tf.Tensor\((\S+), shape=\(\)", printed)[1]) < 1e-4


def check_installation(printed):
    assert f"{tf_marscf.__version__} beside TensorFlow" in printed
    assert "(2, 8, 8, 1)" in printed


def check_resuming(printed):
    # The command, and the end of its log.
    assert printed.count("test bits/dim") >= 2


def check_quality(printed):
    assert 0.9 < float(re.search(r"Frechet distance (\S+);", printed)[1]) < 1.1


def check_tutorial(printed):
    assert "(300, 8, 8, 1) uint8 grey levels: 17" in printed
    assert "test bits/dim" in printed
    assert "the same again: True" in printed
    assert printed.count("log-det") == 2
    assert "(2, 8, 8, 1)" in printed.splitlines()[-1]


def check_model(printed):
    assert "(6, 12, 48) channels, 66 steps a sample" in printed
    assert abs(float(re.search(r"terms - log p: (\S+)", printed)[1])) < 0.1
    assert float(re.search(r"way back: (\S+)", printed)[1]) < 1e-4


def check_outliers(printed):
    assert percentage(printed, "of the shuffled digits are outliers") > 60
    scores = [float(text) for text in re.findall(r"test set: (\S+) bits/dim", printed)]
    assert len(scores) == 3
    assert scores == sorted(scores, reverse=True)


def check_priors(printed):
    before, after = re.search(r"mean squared error (\S+) -> (\S+)", printed).groups()
    assert float(after) < float(before)


def check_own_data(printed):
    assert "250 files" in printed
    assert "(8, 8, 1) 256 ['test', 'train', 'validation']" in printed


CHECKS = {
    "README.md": check_readme,
    "docs/installation.md": check_installation,
    "docs/tutorial.md": check_tutorial,
    "docs/model.md": check_model,
    "docs/how_to/outliers.md": check_outliers,
    "docs/how_to/own_data.md": check_own_data,
    "docs/how_to/prior_in_other_models.md": check_priors,
    "docs/how_to/resuming.md": check_resuming,
    "docs/how_to/sample_quality.md": check_quality,
}


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "python", "sh")])
def test_the_code_of_a_page_runs_as_written(page, place, monkeypatch, capsys):
    """Commands are made smaller; the blocks that say why they cannot run here are left out."""
    monkeypatch.chdir(place.directory)
    namespace, printed = {"__name__": "__main__"}, ""
    for block in blocks(page, "python", "sh"):
        if block.reason is not None:
            continue
        if block.kind == "python":
            # So that a traceback has the line of the page.
            text = "\n" * (block.line - 1) + block.text
            exec(compile(text, page, "exec"), namespace)
            printed += capsys.readouterr().out
        else:
            for words in block.commands:
                printed += place.run(words, again=page.endswith("resuming.md"))
    if page in CHECKS:
        CHECKS[page](printed)


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_runs(name, place, monkeypatch, capsys):
    matplotlib.use("agg")
    monkeypatch.chdir(place.directory / "examples")
    notebook = json.loads((ROOT / "examples" / f"{name}.ipynb").read_text(encoding="utf-8"))
    assert {path.stem for path in (ROOT / "examples").glob("*.ipynb")} == set(NOTEBOOKS)
    namespace, changed = {"__name__": "__main__"}, 0
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            exec(compile("".join(cell["source"]), f"{name}.ipynb", "exec"), namespace)
            if "parameters" in cell["metadata"].get("tags", ()):
                assert set(NOTEBOOKS[name]) < set(namespace)
                namespace.update(NOTEBOOKS[name])
                changed += 1
    assert changed == 1
    printed = capsys.readouterr().out
    if name == "score_and_sample":
        assert float(re.search(r"images themselves, within (\S+)", printed)[1]) < 1e-4
        most, least = re.search(r"from (\S+) to (\S+)", printed).groups()
        assert float(most) < float(least)
    else:
        assert np.isfinite(namespace["samples"]).all()
        assert namespace["samples"].shape == (3, 3, 2, 8, 8, 1)
        # What is seen is kept, to its noise.
        difference = namespace["posterior_mean"][:, :4] - namespace["seen"]
        assert float(np.mean(np.square(difference))) < 0.02


@pytest.mark.parametrize("module", MODULES)
def test_examples_in_docstrings_print_what_they_say(module):
    results = doctest.testmod(importlib.import_module(module))
    assert results.attempted > 0
    assert results.failed == 0
