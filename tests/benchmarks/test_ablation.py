"""Small ablations: what they write, and what they go on with."""

import csv
import dataclasses
import json

import pytest

from tf_marscf.benchmarks import ablation as ablation_module
from tf_marscf.benchmarks.ablation import Ablation
from tf_marscf.benchmarks.ablation_config import AblationConfig
from tf_marscf.benchmarks.ablation_table import COLUMNS
from tf_marscf.errors import RunError
from tf_marscf.figures import render_png

pytestmark = pytest.mark.slow
CONFIG = AblationConfig(
    priors=("gaussian", "causal"),
    average_decays=(0.0, 0.9),
    num_levels=1,
    num_steps=1,
    hidden_channels=8,
    prior_hidden_channels=2,
    batch_size=16,
    max_images=40,
    num_evaluation_images=10,
    num_training_steps=3,
    evaluate_every=2,
    warm_up_images=0,
)


@pytest.fixture(scope="module", name="small")
def fixture_small(tmp_path_factory):
    """Directory, result and lines of a small ablation."""
    directory, lines = tmp_path_factory.mktemp("ablation"), []
    return directory, Ablation(CONFIG, directory).run(lines.append), lines


def test_files_hold_table_and_curves(small):
    directory, result, lines = small
    assert json.loads((directory / "ablation.json").read_text()) == result
    assert lines[-1].startswith("wrote ") and lines[-1].count("ablation") >= 5
    with open(directory / "ablation.csv", encoding="utf-8") as file:
        table = list(csv.DictReader(file))
    assert list(table[0]) == ["prior", "coupling", "dequantization", *COLUMNS]
    assert len(table) == len(result["table"]) == 4
    with open(directory / "ablation_curves.csv", encoding="utf-8") as file:
        curves = list(csv.DictReader(file))
    assert len(curves) == len(result["rows"]) == 2 * 2 * 3
    assert len((directory / "ablation.md").read_text().splitlines()) == 2 + 4
    assert (directory / "ablation.png").read_bytes().startswith(b"\x89PNG")


def test_weights_and_averages_are_scored_at_the_same_steps(small):
    _, result, _ = small
    for row in result["table"]:
        curve = [
            part
            for part in result["rows"]
            if all(part[name] == row[name] for name in ("prior", "average_decay"))
        ]
        assert [part["step"] for part in curve] == [0, 2, 3]
        assert row["bits_per_dim_at_steps"] == curve[-1]["bits_per_dim"]
        assert row["standard_error_at_steps"] is None and row["num_seeds"] == 1
    for weights, average in zip(result["rows"][::2], result["rows"][1::2], strict=True):
        is_new = weights["step"] == 0
        assert (weights["bits_per_dim"] == average["bits_per_dim"]) == is_new


def test_parameters_are_about_equal(small):
    _, result, _ = small
    counts = {row["prior"]: row["num_parameters"] for row in result["table"]}
    assert counts["gaussian"] == pytest.approx(counts["causal"], rel=0.1)
    assert result["table"][-1]["hidden_channels"] == 8  # The largest one's are those of the flag.


def test_the_figure_has_a_note_of_what_went_wrong(small):
    _, result, _ = small
    light = render_png(lambda figure: Ablation.draw(figure, result))
    result = json.loads(json.dumps(result))
    result["table"][0]["notes"] = "seed 0 stopped"
    assert render_png(lambda figure: Ablation.draw(figure, result)) != light


def test_a_larger_ablation_goes_on_with_a_smaller_one(small):
    directory, smaller, _ = small
    lines = []
    config = dataclasses.replace(CONFIG, priors=("causal",), num_training_steps=4)
    result = Ablation(config, directory).run(lines.append)
    assert lines[1] == "causal, affine, uniform, seed 0: going on after step 3"
    assert [row["step"] for row in result["rows"]] == [0, 0, 2, 2, 3, 3, 4, 4]
    assert result["rows"][:6] == [row for row in smaller["rows"] if row["prior"] == "causal"]
    # What is done is not done again.
    again = Ablation(config, directory).run(lines.append)
    assert again["rows"] == result["rows"]


def test_learned_noise_is_trained_averaged_and_gone_on_with(tmp_path):
    config = dataclasses.replace(
        CONFIG, priors=("gaussian",), dequantizations=("uniform", "variational")
    )
    unbroken = Ablation(config, tmp_path / "unbroken").run(lambda line: None)
    broken = tmp_path / "broken"
    Ablation(dataclasses.replace(config, num_training_steps=2), broken).run(lambda line: None)
    resumed = Ablation(config, broken).run(lambda line: None)
    scores = [
        {
            (row["dequantization"], row["average_decay"], row["step"]): row["bits_per_dim"]
            for row in result["rows"]
        }
        for result in (unbroken, resumed)
    ]
    assert scores[0] == pytest.approx(scores[1], rel=1e-6)
    # New noise is uniform, from other bits; what is trained differs.
    assert scores[0]["uniform", 0.0, 0] == pytest.approx(scores[0]["variational", 0.0, 0], rel=0.1)
    assert scores[0]["uniform", 0.0, 3] != scores[0]["variational", 0.0, 3]
    assert scores[0]["variational", 0.9, 3] != scores[0]["variational", 0.0, 3]


def test_others_go_on_when_one_fails(monkeypatch, tmp_path, capsys):
    class FailingModel(ablation_module.MarScfModel):
        def __init__(self, config, *args):
            if config.prior == "mar":
                raise ValueError("no such prior")
            super().__init__(config, *args)

    config = dataclasses.replace(CONFIG, num_training_steps=1)
    with monkeypatch.context() as patch:
        patch.setattr(ablation_module, "MarScfModel", FailingModel)
        with pytest.raises(RunError, match="not trained: causal, .* seed 0: ValueError"):
            Ablation(config, tmp_path).run(lambda line: None)
    assert "Traceback" in capsys.readouterr().err
    result = json.loads((tmp_path / "ablation.json").read_text())
    assert [bool(row["notes"]) for row in result["table"]] == [False, False, True, True]
    assert result["table"][0]["bits_per_dim_at_steps"] > 0.0
    assert "failed: ValueError: no such prior" in (tmp_path / "ablation.md").read_text()
    # The same ablation tries again, and goes on with the others.
    result = Ablation(config, tmp_path).run(lambda line: None)
    assert not any(row["notes"] for row in result["table"])


def test_a_loss_that_is_not_finite_stops_a_variant(tmp_path):
    config = dataclasses.replace(
        CONFIG, priors=("gaussian",), learning_rate=1e30, num_training_steps=9
    )
    result = Ablation(config, tmp_path).run(lambda line: None)
    assert all("seed 0 stopped: " in row["notes"] for row in result["table"])
    assert all(row["bits_per_dim_at_steps"] is None for row in result["table"])
    assert "not finite" in (tmp_path / "ablation.md").read_text()
