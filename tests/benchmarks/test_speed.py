"""What `benchmark.py speed` times; no figure of it is asserted on."""

import json

import numpy as np
import pytest
import tensorflow as tf

from tests.small_models import random_images, small_model
from tf_marscf.benchmarks import speed, speed_parts
from tf_marscf.benchmarks.operation_count import flow_operations, prior_operations

OF_BEFORE = {"train_step": 1.0, "log_prob": 1.0, "sample": 1.0}


@pytest.fixture(scope="module", name="measured")
def fixture_measured():
    """Entries and lines of a small model."""
    lines = []
    config = small_model(num_levels=1).config
    return speed.measure_speed(config, 2, 1, OF_BEFORE, report=lines.append), lines


def test_entries_are_seconds_and_operations(measured):
    entries, lines = measured
    config = small_model(num_levels=1).config
    assert json.loads(json.dumps(entries)) == entries
    assert list(entries) == [
        *speed.TASKS,
        *speed_parts.PART_TASKS,
        "flow_operations",
        "prior_operations",
    ]
    assert all(value > 0.0 for value in entries.values())
    assert entries["flow_operations"] == flow_operations(config, 1)
    assert entries["prior_operations"] == prior_operations(config, 1)
    (operations,) = (line for line in lines if line.startswith("a density of one image"))
    assert "flow" in operations and "prior" in operations
    (shares,) = (line for line in lines if line.startswith("the prior, timed alone"))
    assert shares.count("%") == 2


@pytest.mark.slow
def test_of_what_is_compiled_xla_says_the_memory():
    lines = []
    config = small_model(num_levels=1, prior="gaussian").config
    speed.measure_speed(config, 2, 1, report=lines.append, jit_compile=True)
    (line,) = (line for line in lines if line.startswith("compiled by XLA"))
    assert line.count("MiB of") == 3


def test_a_baseline_may_be_of_before_or_have_all_entries(measured):
    entries, lines = measured
    with_ratio = [line.split()[0] for line in lines if line.endswith("x")]
    assert with_ratio == list(OF_BEFORE)
    lines = []
    speed.measure_speed(small_model(num_levels=1).config, 2, 1, entries, report=lines.append)
    assert sum(line.endswith("x") for line in lines) == 7


@pytest.mark.parametrize("options", [{}, {"prior": "gaussian"}, {"prior_network": "causal"}])
def test_parts_add_up_to_the_density(options):
    model, images = small_model(**options), random_images(3, 8, 8, 1)
    latents, rests, log_det = speed_parts.flow_of_levels(model, images)
    for one, expected in zip(latents, model.latents(images), strict=True):
        np.testing.assert_array_equal(one, expected)
    total = log_det + speed_parts._prior(model, latents, rests)
    np.testing.assert_allclose(total, model.log_prob(images), rtol=1e-5)


@pytest.mark.parametrize("name", speed_parts.PART_TASKS)
def test_each_part_is_run(name):
    images = tf.constant(random_images(2, 8, 8, 1))
    value = speed_parts.part_tasks(small_model(num_levels=2), images)[name]()
    assert np.isfinite(value).all() and np.abs(value).max() > 0.0


@pytest.mark.parametrize(
    ("baseline", "message"),
    [
        ({"train": 1.0}, "must have entries of .* got 'train'"),
        ({"sample": "fast"}, "seconds > 0; got sample: 'fast'"),
        ({"sample": 0.0}, "seconds > 0; got sample: 0.0"),
        ({"log_prob": float("nan")}, "seconds > 0; got log_prob: nan"),
    ],
)
def test_a_wrong_baseline_is_named(baseline, message):
    with pytest.raises(ValueError, match=message):
        speed.measure_speed(small_model().config, 1, 1, baseline)
