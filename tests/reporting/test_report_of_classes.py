"""A report of a model with classes."""

import json

import pytest

from tests.small_reports import report_lines
from tf_marscf.data import DataConfig
from tf_marscf.training.training_config import TrainingConfig
from tf_marscf.training.training_run import TrainingRun


@pytest.mark.slow
def test_it_tells_the_accuracy_and_shows_a_row_for_each_class(tmp_path):
    TrainingRun(
        str(tmp_path / "run"),
        DataConfig(name="digits", max_images=60, num_validation_images=12),
        {"num_levels": 1, "num_steps": 1, "hidden_channels": 8, "prior": "gaussian"}
        | {"num_classes": 10},
        TrainingConfig(batch_size=16, num_epochs=1, num_sample_images=4, sample_every=0),
        progress="none",
    ).run()
    sections = ("evaluation", "samples", "temperature", "interpolation")
    lines = report_lines(tmp_path / "run", sections=sections)
    assert any("accuracy of 10 classes" in line for line in lines)
    page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert "accuracy, 10 classes" in page
    assert "A row holds the samples of one class" in page
    assert "--num_classes=10" in page
    numbers = json.loads((tmp_path / "run" / "report" / "samples.json").read_text())
    assert numbers["label"] == "all"
    again = report_lines(tmp_path / "run", sections=sections)
    assert sum("used again" in line for line in again) == 4
