"""What `benchmark.py kernels` measures; no figure of it is asserted on."""

import json

import pytest
import tensorflow as tf

from tests.small_models import small_model
from tf_marscf.benchmarks.kernel_benchmark import (
    COLUMNS,
    TASKS,
    measure_kernels,
    slower_choices,
)
from tf_marscf.kernels import devices
from tf_marscf.kernels.batch_parts import num_batch_parts, size_of_first_part
from tf_marscf.kernels.choices import CANDIDATES

BATCH_SIZE = 3


@pytest.fixture(scope="module", autouse=True)
def _one_thread_an_operation():
    """And two operations at once, on any machine, a GPU's too."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        threading = tf.config.threading
        monkeypatch.setattr(threading, "get_intra_op_parallelism_threads", lambda: 1)
        monkeypatch.setattr(threading, "get_inter_op_parallelism_threads", lambda: 2)
        monkeypatch.setattr(devices, "has_gpu", lambda: False)
        monkeypatch.setattr(devices, "uses_tensor_float_32", lambda: False)
        yield


def measured(**options):
    """The rows and the lines of a small model."""
    lines = []
    config = small_model(**options).config
    table = measure_kernels(config, BATCH_SIZE, 1, report=lines.append)
    assert json.loads(json.dumps(table)) == table
    return table["rows"], lines


@pytest.fixture(scope="module", name="conv_lstm")
def fixture_conv_lstm():
    return measured(prior_dilations=1)


def candidates_of(rows):
    """{(level, task, kernel): candidates}, in the order of the rows."""
    candidates = {}
    for row in rows:
        key = row["level"], row["task"], row["kernel"]
        candidates.setdefault(key, []).append(row["candidate"])
    return candidates


def chosen_of(rows):
    return {
        (row["level"], row["task"], row["kernel"]): row["candidate"]
        for row in rows
        if row["chosen"]
    }


def test_each_candidate_has_a_row_at_each_level(conv_lstm):
    rows, lines = conv_lstm
    assert all(tuple(row) == COLUMNS for row in rows)
    assert all(row["milliseconds"] > 0.0 for row in rows)
    expected = {
        ("flow_gradient", "batch"): ["whole", "parts"],
        ("prior_gradient", "step_convolution"): ["direct", "spectral"],
        ("flow_inverse", "batch"): ["whole", "parts"],
        ("prior_sample", "batch"): ["whole", "parts"],
        ("prior_sample", "single_step_convolution"): ["direct", "spectral", "compact"],
        ("prior_sample", "channel_convolutions"): ["dense", "gathered"],
        ("prior_sample", "loop"): ["compiled", "plain"],
    }
    assert candidates_of(rows) == {
        (level, *names): candidates for level in (1, 2) for names, candidates in expected.items()
    }
    assert {task for task, _ in expected} == set(TASKS)
    assert lines[0].split() == list(COLUMNS)
    for row, line in zip(rows, lines[1:], strict=False):
        assert line.split()[:4] == [str(row[name]) for name in COLUMNS[:4]]
        assert line.count("yes") == row["chosen"] + row["fastest"]
    assert lines[-1].startswith("chosen as for CPUs; threads: 1 an operation, on")


def test_one_candidate_is_chosen_and_one_is_fastest(conv_lstm):
    rows, _ = conv_lstm
    for key, candidates in candidates_of(rows).items():
        of_key = [row for row in rows if key == (row["level"], row["task"], row["kernel"])]
        assert len(of_key) == len(set(candidates))
        assert sum(row["chosen"] for row in of_key) == 1
        (fastest,) = (row for row in of_key if row["fastest"])
        assert fastest["milliseconds"] == min(row["milliseconds"] for row in of_key)


def test_chosen_is_what_the_graph_of_the_model_uses(conv_lstm):
    rows, _ = conv_lstm
    chosen, model = chosen_of(rows), small_model(prior_dilations=1)
    for number, level in enumerate(model.levels, start=1):
        height, width, _ = level.latent_prior.event_shape
        conv_lstm_layer = level.latent_prior.network.layer.conv_lstm
        convolution = conv_lstm_layer.convolution(height, width, model.dtype)
        with tf.Graph().as_default():
            part = size_of_first_part(BATCH_SIZE)
            assert num_batch_parts(BATCH_SIZE) == 2
        assert chosen[number, "prior_gradient", "step_convolution"] == convolution.choice
        sampling = convolution.for_steps(part)
        assert chosen[number, "prior_sample", "single_step_convolution"] == sampling.choice
        for task in ("flow_gradient", "flow_inverse", "prior_sample"):
            assert chosen[number, task, "batch"] == "parts"
        assert chosen[number, "prior_sample", "loop"] == "compiled"


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (
            {"prior_network": "causal"},
            {(task, "batch") for task in TASKS},
        ),
        (
            {"prior": "gaussian", "coupling": "mixlogcdf", "num_blocks": 3, "num_classes": 2},
            {
                (task, kernel)
                for task in ("flow_gradient", "flow_inverse")
                for kernel in ("batch", "layers")
            },
        ),
    ],
    ids=["causal", "gaussian"],
)
def test_only_kernels_that_a_model_has(options, expected):
    rows, _ = measured(num_levels=1, **options)
    candidates = candidates_of(rows)
    assert {(task, kernel) for _, task, kernel in candidates} == expected
    assert all(list(CANDIDATES[kernel]) == found for (*_, kernel), found in candidates.items())
    assert all(
        row["candidate"] == {"batch": "parts", "layers": "looped"}[row["kernel"]]
        for row in rows
        if row["chosen"]
    )


def test_a_gpu_has_choices_of_its_own(monkeypatch):
    monkeypatch.setattr(devices, "has_gpu", lambda: True)
    rows, lines = measured(num_levels=1, prior_kernel_sizes=3)
    assert {row["kernel"] for row in rows} == {
        "step_convolution", "single_step_convolution", "loop",
    }  # fmt: skip
    chosen = chosen_of(rows)
    assert chosen[1, "prior_gradient", "step_convolution"] == "direct"
    assert lines[-1].startswith("chosen as for a GPU")


def test_nothing_to_choose_is_said(monkeypatch):
    monkeypatch.setattr(devices, "has_gpu", lambda: True)
    rows, lines = measured(num_levels=1, prior="gaussian")
    assert rows == []
    assert lines[1] == "there is nothing to choose"


def test_choices_slower_by_more_than_a_tenth_are_named():
    def rows(level, milliseconds):
        names = {"level": level, "task": "prior_gradient", "kernel": "step_convolution"}
        fastest = min(milliseconds)
        return [
            {**names, "candidate": candidate, "milliseconds": value,
             "chosen": candidate == "spectral", "fastest": value == fastest}
            for candidate, value in zip(("direct", "spectral"), milliseconds, strict=True)
        ]  # fmt: skip

    table = [*rows(1, (3.0, 1.0)), *rows(2, (1.0, 1.09)), *rows(3, (2.0, 2.6))]
    assert list(slower_choices(table)) == [
        "level 3, prior_gradient, step_convolution: spectral is chosen, "
        "direct was 1.30x as fast here"
    ]
