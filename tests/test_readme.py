"""The README's code, as written."""

import pathlib
import re

import pytest

from tf_marscf.data import DataConfig
from tf_marscf.serving.export import export_model
from tf_marscf.training.training_config import TrainingConfig
from tf_marscf.training.training_run import TrainingRun

README = (pathlib.Path(__file__).resolve().parents[1] / "README.md").read_text(encoding="utf-8")


def python_blocks():
    return re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)


def test_the_ten_lines_run(capsys):
    block = python_blocks()[0]
    exec(compile(block, "README.md", "exec"), {})
    printed = capsys.readouterr().out
    assert "shape=(16,)" in printed
    assert "uint8" in printed
    round_trip_error = float(re.search(r"tf.Tensor\((\S+), shape=\(\)", printed)[1])
    assert round_trip_error < 1e-4


@pytest.fixture(scope="module", name="place")
def fixture_place(tmp_path_factory):
    """Where the README's examples run: a directory with a trained and exported model."""
    place = tmp_path_factory.mktemp("readme")
    train_dir = place / "runs" / "digits"
    TrainingRun(
        str(train_dir),
        DataConfig(name="digits"),
        {"num_levels": 2, "num_steps": 1, "hidden_channels": 16, "prior_hidden_channels": 8,
         "prior_num_layers": 1},
        TrainingConfig(batch_size=32, num_epochs=8, learning_rate=5e-3, warm_up_images=500,
                       average_decay=0.99, num_sample_images=4, sample_every=0),
        progress="none",
    ).run()  # fmt: skip
    export_model(str(train_dir), place / "exports" / "digits")
    return place


@pytest.mark.slow
def test_the_worked_examples_run_as_written_and_do_what_they_say(place, monkeypatch, capsys):
    monkeypatch.chdir(place)
    namespace = {}
    for block in python_blocks()[1:]:
        if "tf_marscf.load" in block:
            block = f"import tf_marscf\n{block}"
        exec(compile(block, "README.md", "exec"), namespace)
    printed = capsys.readouterr().out
    assert int(re.search(r"(\d+)% of the shuffled digits are outliers", printed)[1]) > 60
    before, after = re.search(r"mean squared error (\S+) -> (\S+)", printed).groups()
    assert float(after) < float(before)


def test_every_named_flagfile_and_command_exists():
    root = pathlib.Path(__file__).resolve().parents[1]
    names = set(re.findall(r"bin/\w+\.py|\w+\.flags", README))
    assert {"bin/train.py", "digits.flags", "cifar.flags"} <= names
    for name in names:
        assert (root / name).is_file(), name


@pytest.mark.parametrize("target", ["demo", "test"])
def test_the_two_commands_are_in_the_makefile(target):
    makefile = (pathlib.Path(__file__).resolve().parents[1] / "Makefile").read_text()
    assert f"make {target}" in README
    assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE)
