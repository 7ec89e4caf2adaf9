"""Bytes and seconds of an all-reduce, by arithmetic."""

import json
import pathlib

import pytest

from tests.running_commands import ForkedScript
from tests.small_models import small_model
from tests.small_trainers import small_distribution, variational_distribution
from tf_marscf.benchmarks.all_reduce import (
    LINKS,
    all_reduced_bytes,
    report_all_reduce,
    sent_bytes,
)
from tf_marscf.benchmarks.operation_count import log_prob_operations
from tf_marscf.config import DequantizationConfig
from tf_marscf.model_size import num_parameters

PROGRAM = pathlib.Path(__file__).with_name("all_reduce_program.py")


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"coupling": "mixlogcdf", "num_blocks": 2},
        {"prior": "gaussian", "num_levels": 1},
        {"is_variational": True},
    ],
    ids=str,
)
def test_a_step_adds_up_just_so_many_bytes(options):
    """Once: neither the optimizer nor what a step keeps for the log goes over the network."""
    process = ForkedScript(PROGRAM, json.dumps(options))
    output, stderr = process.communicate(timeout=300)
    assert process.returncode == 0, stderr
    is_variational = options.pop("is_variational", False)
    images = (variational_distribution if is_variational else small_distribution)(**options)
    dequantization = images.dequantizer.config if is_variational else None
    expected = all_reduced_bytes(images.distribution.config, dequantization)
    assert json.loads(output) == {"CollectiveReduceV2": expected}


def ring_bytes(num_bytes, num_devices):
    """What device 0 sends in a ring, share by share."""
    shares = [num_bytes / num_devices] * num_devices
    added_up = sum(shares[-step] for step in range(num_devices - 1))
    handed_out = sum(shares[1 - step] for step in range(num_devices - 1))
    return added_up + handed_out


@pytest.mark.parametrize("num_devices", [2, 3, 8])
def test_bytes_of_a_ring(num_devices):
    assert sent_bytes(240, num_devices) == pytest.approx(ring_bytes(240, num_devices))


def test_bytes_are_those_of_gradients_and_terms():
    config = small_model(num_levels=2).config
    assert all_reduced_bytes(config) == 4 * (num_parameters(config) + 4)
    config = small_model(num_levels=2, dtype="float64").config
    assert all_reduced_bytes(config) == 8 * (num_parameters(config) + 4)


def test_a_table_has_a_row_for_each_number_of_devices():
    config, lines = small_model().config, []
    report_all_reduce(config, DequantizationConfig(), 24, [2, 8], lines.append)
    rows = [[float(entry) for entry in line.split()] for line in lines[-2:]]
    num_bytes = all_reduced_bytes(config)
    assert f"{num_parameters(config):,} parameters" in lines[0]
    for (count, sent, gflop, *seconds), expected in zip(rows, (2, 8), strict=True):
        assert count == expected
        assert sent == pytest.approx(sent_bytes(num_bytes, expected) / 1e6, abs=0.05)
        operations = 3 * log_prob_operations(config, 24) / expected
        assert gflop == pytest.approx(operations / 1e9, abs=0.05)
        assert len(seconds) == len(LINKS)
        # 1 Gbit/s is 125 MB a second.
        assert seconds[0] == pytest.approx(sent_bytes(num_bytes, expected) / 125e6, rel=5e-3)
        assert seconds == sorted(seconds, reverse=True)
