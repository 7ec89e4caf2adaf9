"""The table of an ablation, from evaluations that are made up."""

import math

import pytest

from tf_marscf.benchmarks.ablation_config import AblationConfig
from tf_marscf.benchmarks.ablation_table import COLUMNS, markdown, table_rows

AXES = ["prior", "coupling"]


def rows_of(prior, seed, scores, seconds_per_step=1.0, average_decay=0.0):
    """Evaluations: bits/dim by step."""
    return [
        {
            "prior": prior,
            "coupling": "affine",
            "seed": seed,
            "hidden_channels": 8,
            "num_parameters": 1000,
            "average_decay": average_decay,
            "step": step,
            "training_seconds": step * seconds_per_step,
            "bits_per_dim": bits,
        }
        for step, bits in scores.items()
    ]


def config_of(**kwargs):
    options = {"priors": ("gaussian", "causal"), "average_decays": (0.0,), "seeds": (0, 1)}
    return AblationConfig(**(options | kwargs))


def test_budgets_are_read_off_the_curves():
    config = config_of(num_training_steps=20, training_seconds=15.0)
    rows = [
        *rows_of("gaussian", 0, {0: 9.0, 10: 4.0, 15: 3.5, 20: 3.0}),
        *rows_of("gaussian", 1, {0: 9.0, 10: 5.0, 15: 4.5, 20: 4.0}),
        *rows_of("causal", 0, {0: 9.0, 8: 3.0, 10: 2.5, 20: 2.0}, seconds_per_step=2.0),
    ]
    gaussian, causal = table_rows(AXES, config, rows, {})
    assert set(gaussian) == {*AXES, *COLUMNS}
    assert (gaussian["num_seeds"], causal["num_seeds"]) == (2, 1)
    assert (gaussian["bits_per_dim_at_steps"], gaussian["bits_per_dim_at_seconds"]) == (3.5, 4.0)
    # Of two values, half of their difference.
    assert gaussian["standard_error_at_steps"] == pytest.approx(0.5)
    assert (causal["bits_per_dim_at_steps"], causal["standard_error_at_steps"]) == (2.0, None)
    # 8 steps are 16 seconds.
    assert (causal["bits_per_dim_at_seconds"], causal["steps_at_seconds"]) == (3.0, 8)
    assert (gaussian["seconds_per_step"], causal["seconds_per_step"]) == (1.0, 2.0)
    lines = markdown(AXES, config, [gaussian, causal]).splitlines()
    assert len(lines) == 4
    assert "| bits/dim after 20 steps | difference | bits/dim after 15 s | diff" in lines[0]
    assert "| 3.5000 +- 0.5000 | - | 4.0000 +- 0.5000 (15 steps) | - |" in lines[2]
    # From the first variant, of the same seed.
    assert "| 2.0000 | -1.0000 | 3.0000 (8 steps) | -0.5000 |" in lines[3]


def test_weights_and_averages_are_rows_of_their_own():
    config = config_of(num_training_steps=5, average_decays=(0.0, 0.9))
    rows = rows_of("causal", 0, {5: 3.0}) + rows_of("causal", 0, {5: 2.0}, average_decay=0.9)
    table = table_rows(AXES, config, rows, {})
    assert [row["average_decay"] for row in table] == [0.0, 0.9]
    assert [row["bits_per_dim_at_steps"] for row in table] == [3.0, 2.0]
    assert all(row["bits_per_dim_at_seconds"] is None for row in table)


def test_what_went_wrong_has_its_row():
    config = config_of(num_training_steps=20)
    rows = rows_of("gaussian", 0, {10: 4.0, 12: None}) + rows_of("gaussian", 1, {10: 3.0, 20: 2.0})
    notes = {
        ("gaussian", "affine"): ["seed 0 stopped: at step 12"],
        ("causal", "affine"): ["seed 0 failed: MemoryError", "seed 1 failed: MemoryError"],
    }
    gaussian, causal = table_rows(AXES, config, rows, notes)
    assert gaussian["bits_per_dim_at_steps"] == 2.0  # Of the seed that came so far.
    assert gaussian["notes"] == "seed 0 stopped: at step 12"
    assert causal["num_seeds"] == 0
    assert causal["bits_per_dim_at_steps"] is None
    *_, last = markdown(AXES, config, [gaussian, causal]).splitlines()
    assert last.endswith(
        "| - | - | 0 | - | - | -; seed 0 failed: MemoryError; seed 1 failed: MemoryError |"
    )


def test_differences_are_those_of_equal_seeds():
    config = config_of(num_training_steps=1, seeds=(0, 1, 2))
    rows = [row for seed in range(3) for row in rows_of("gaussian", seed, {1: 10.0 * seed})]
    rows += [row for seed in (1, 2) for row in rows_of("causal", seed, {1: 9.0 * seed})]
    first, other = table_rows(AXES, config, rows, {})
    assert first["difference_at_steps"] is None
    assert other["difference_at_steps"] == pytest.approx(-1.5)
    assert other["difference_error_at_steps"] == pytest.approx(0.5)


def test_an_error_is_that_of_the_mean():
    config = config_of(num_training_steps=1, seeds=(0, 1, 2))
    values = (1.0, 2.0, 6.0)
    rows = [row for seed, value in enumerate(values) for row in rows_of("causal", seed, {1: value})]
    (row,) = table_rows(AXES, config, rows, {})
    assert row["bits_per_dim_at_steps"] == pytest.approx(3.0)
    assert row["standard_error_at_steps"] == pytest.approx(math.sqrt(7.0 / 3.0))
