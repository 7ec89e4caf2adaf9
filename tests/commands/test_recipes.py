"""Recipes: which value wins, and that the paper's are the paper's."""

import json
import os
import re

import pytest
from absl import flags

from tests.running_commands import ROOT, error_line, run_command
from tf_marscf.commands.recipes import KEPT, with_recipe
from tf_marscf.errors import InputError

FLAGFILES = sorted(path.name for path in ROOT.glob("*.flags"))
AFFINE = {"coupling": "affine", "num_steps": "32", "hidden_channels": "512", "batch_size": "128"}
MIX_LOG_CDF = {
    "coupling": "mixlogcdf",
    "num_steps": "4",
    "hidden_channels": "256",
    "batch_size": "64",
    "num_blocks": "10",
    "num_components": "32",
    "num_heads": "4",
    "dropout_rate": "0.2",
}
SMALL = AFFINE | {"num_steps": "4", "hidden_channels": "64"}
# Of the paper and the published code.
PUBLISHED = {
    "cifar": MIX_LOG_CDF | {"num_levels": "3", "augmentation": "cifar", "num_epochs": "400"},
    "cifar_affine": AFFINE | {"num_levels": "3", "augmentation": "cifar", "num_epochs": "1000"},
    "digits": SMALL | {"num_levels": "2", "augmentation": "none"},
    "fashion": SMALL | {"num_levels": "3", "augmentation": "none"},
    "imagenet32": MIX_LOG_CDF | {"num_levels": "3", "augmentation": "none"},
    "imagenet64": MIX_LOG_CDF | {"num_levels": "4", "augmentation": "none"},
    "mnist": AFFINE | {"num_levels": "3", "augmentation": "none", "num_channels": "3"},
}
PUBLISHED_FOR_ALL = {
    "prior": "mar",
    "prior_network": "conv_lstm",
    "prior_hidden_channels": "32",
    "prior_num_layers": "3",
    "optimizer": "adamax",
    "learning_rate": "8e-4",
    "warm_up_images": "10000",
    "decay": "none",
    "average_decay": "0",
}


def values_of(*arguments):
    """The texts of flags by name, of which absl takes the last."""
    expanded, _ = with_recipe(["train.py", *map(str, arguments)])
    lines = flags.FLAGS.read_flags_from_files(expanded[1:])
    return dict(line.lstrip("-").split("=", 1) for line in lines)


@pytest.fixture(name="flagfile")
def fixture_flagfile(tmp_path):
    (tmp_path / "my.flags").write_text("# Mine.\n--dataset=digits\n--num_steps=9\n--batch_size=7\n")
    folder = tmp_path / "recipes" / "large"
    folder.mkdir(parents=True)
    (folder / "my.flags").write_text("--num_steps=99\n--batch_size=77\n")
    return tmp_path / "my.flags"


def test_a_recipe_wins_over_the_flagfile_and_the_command_line_over_both(flagfile):
    file, recipe = f"--flagfile={flagfile}", "--recipe=large"
    expected = {"dataset": "digits", "num_steps": "99", "batch_size": "77", "recipe": "large"}
    assert values_of(file, recipe) == values_of(recipe, file) == expected
    for order in ((file, recipe, "--num_steps=5"), ("--num_steps=5", recipe, file)):
        assert values_of(*order) == expected | {"num_steps": "5"}
    assert values_of("--flagfile", flagfile, "--recipe", "large") == expected


def test_the_default_recipe_changes_nothing_not_even_the_order(flagfile):
    for arguments in (
        ["train.py", "--num_steps=5", f"--flagfile={flagfile}"],
        ["train.py", "--num_steps=5", f"--flagfile={flagfile}", "--recipe=default"],
        ["train.py", "--recipe=large", f"--flagfile={flagfile}", "--recipe=default"],
        ["train.py", "--num_steps=5"],
        ["train.py", f"--flagfile={flagfile}", "--", "--recipe=large"],
    ):
        assert with_recipe(arguments) == (arguments, None)


def test_one_line_says_what_is_set_by_whom(flagfile):
    arguments = ["train.py", f"--flagfile={flagfile}", "--recipe=large"]
    assert with_recipe(arguments)[1] == "recipe large: num_steps=99, batch_size=77"
    arguments += ["--tiny", "--num_steps", "5"]
    assert with_recipe(arguments)[1] == (
        "recipe large: batch_size=77; from the command line: num_steps"
    )


def test_what_the_recipe_does_not_say_is_the_default_and_not_the_flagfiles(flagfile):
    """Such as what has no published value, and whose default is none."""
    with flagfile.open("a") as file:
        file.write("--max_log_scale=3\n--nobatch_norm\n--sample_every=5\n")
    arguments = [f"--flagfile={flagfile}", "--recipe=large"]
    assert values_of(*arguments) == {
        "dataset": "digits", "num_steps": "99", "batch_size": "77", "sample_every": "5",
        "recipe": "large",
    }  # fmt: skip
    assert with_recipe(["train.py", *arguments])[1] == (
        "recipe large: num_steps=99, batch_size=77; "
        "not from the flagfile, but the default: batch_norm, max_log_scale"
    )
    assert values_of(*arguments, "--max_log_scale=2")["max_log_scale"] == "2"


def test_unknown_recipes_are_refused_with_the_known_ones(flagfile):
    with pytest.raises(InputError) as error:
        values_of(f"--flagfile={flagfile}", "--recipe=paper")
    assert str(error.value) == (
        "`recipe` must be one of those of my.flags: default, large; got 'paper', without a file "
        f"{flagfile.parent}/recipes/paper/my.flags."
    )
    with pytest.raises(InputError, match="`recipe` must be 'default' without --flagfile"):
        values_of("--dataset=digits", "--recipe=paper")
    missing = ["train.py", "--flagfile=missing.flags", "--recipe=paper"]
    assert with_recipe(missing) == (missing, None)  # absl says what is wrong.


@pytest.mark.parametrize("flagfile", FLAGFILES)
def test_the_papers_recipe_is_published_whatever_the_flagfile_says(flagfile):
    own = values_of(f"--flagfile={ROOT / flagfile}")
    paper = values_of(f"--flagfile={ROOT / 'recipes' / 'paper' / flagfile}")
    merged = values_of(f"--flagfile={ROOT / flagfile}", "--recipe=paper")
    name = flagfile.removesuffix(".flags")
    published = PUBLISHED_FOR_ALL | PUBLISHED[name]
    assert {flag: merged[flag] for flag in published} == published
    kept = {name: value for name, value in own.items() if name in KEPT}
    assert merged == kept | paper | {"recipe": "paper"}
    assert kept["dataset"] == own["dataset"]
    assert "dataset" not in paper
    # Another recipe is another run.
    assert paper["train_dir"] == f"{own['train_dir']}_paper"


@pytest.mark.parametrize("file", sorted([*ROOT.glob("*.flags"), *ROOT.glob("recipes/*/*.flags")]))
def test_a_flagfile_gives_each_flag_once_and_one_word(file):
    lines = [line for line in file.read_text().splitlines() if not line.startswith("#")]
    assert all(re.fullmatch("--\\w+(=\\S+)?", line) for line in lines), file
    names = [line.partition("=")[0] for line in lines]
    assert len(set(names)) == len(names), file


def test_every_recipe_has_a_flagfile():
    for folder, _, files in os.walk(ROOT / "recipes"):
        for file in files:
            assert (ROOT / file).is_file(), f"{folder}/{file}"


@pytest.mark.parametrize("flagfile", ["cifar.flags", "digits.flags", "fashion.flags"])
def test_flow_plus_plus_is_its_couplings_noise_and_prior(flagfile):
    values = values_of(f"--flagfile={ROOT / flagfile}", "--recipe=flow_plus_plus")
    expected = {"coupling": "mixlogcdf", "dequantization": "variational", "prior": "gaussian"}
    assert {name: values[name] for name in expected} == expected
    assert values["train_dir"].endswith("_flow_plus_plus")
    assert int(values["hidden_channels"]) % int(values["num_heads"]) == 0


@pytest.mark.slow
def test_a_run_logs_its_recipe_and_is_continued_by_the_same_command(tmp_path):
    arguments = ["--flagfile=digits.flags", "--recipe=paper", "--tiny", "--progress=none"]
    arguments += [f"--train_dir={tmp_path / 'run'}", "--hidden_channels=8", "--sample_every=0"]
    for _ in range(2):
        process = run_command("train.py", *arguments)
        assert process.returncode == 0, process.stderr
        (line,) = [text for text in process.stdout.splitlines() if text.startswith("recipe paper:")]
        assert "learning_rate=8e-4, warm_up_images=10000, decay=none, average_decay=0" in line
        assert "from the command line: train_dir, hidden_channels" in line
    directory = tmp_path / "run_tiny"
    assert (directory / "run.log").read_text().count("recipe paper:") == 2
    assert "changed:" not in (directory / "run.log").read_text()
    training = json.loads((directory / "config.json").read_text())["training"]
    assert (training["learning_rate"], training["decay"]) == (8e-4, "none")


@pytest.mark.slow
def test_a_recipe_in_a_flagfile_is_refused(tmp_path):
    (tmp_path / "my.flags").write_text("--recipe=paper\n--dataset=digits\n")
    process = run_command(
        "train.py", f"--flagfile={tmp_path / 'my.flags'}", f"--train_dir={tmp_path / 'run'}"
    )
    assert process.returncode == 2
    assert "`recipe` must be given on the command line" in error_line(process)
