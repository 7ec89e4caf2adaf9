"""A small run with a report of it."""

import datetime

from tf_marscf.data import DataConfig
from tf_marscf.reporting.report_config import ReportConfig
from tf_marscf.reporting.report_run import write_report
from tf_marscf.training.training_config import TrainingConfig
from tf_marscf.training.training_run import TrainingRun

NOW = datetime.datetime(2020, 6, 14, 9, 30, tzinfo=datetime.UTC)


def train_small_run(train_dir):
    """Trains for a few steps on digits."""
    TrainingRun(
        str(train_dir),
        DataConfig(name="digits", max_images=60, num_validation_images=12),
        {"num_levels": 2, "num_steps": 1, "hidden_channels": 8, "prior": "gaussian"},
        TrainingConfig(batch_size=16, num_epochs=2, log_every=1, num_sample_images=4,
                       sample_every=0),
        progress="none",
    ).run()  # fmt: skip


def report_lines(train_dir, **kwargs):
    """Writes a report, of little, and returns its lines."""
    lines = []
    config = ReportConfig(train_dir=str(train_dir), fast=True, **kwargs)
    write_report(config, report=lines.append, progress=False, now=NOW)
    return lines
