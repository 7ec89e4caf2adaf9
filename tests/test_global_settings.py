"""Settings of a whole process, which other code may need, change nothing."""

from pathlib import Path

import numpy as np
import pytest

from tests.running_commands import ForkedScript

PROGRAM = Path(__file__).with_name("settings_program.py")


def values(directory, *settings):
    path = directory / "values.npz"
    process = ForkedScript(PROGRAM, path, *settings)
    _, stderr = process.communicate()
    assert process.returncode == 0, stderr
    with np.load(path) as arrays:
        return [arrays[name] for name in arrays]


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    return values(tmp_path_factory.mktemp("values"))


@pytest.mark.slow
@pytest.mark.parametrize(
    "settings",
    [
        ("check_numerics",),
        ("channels_first", "float64", "numpy", "seeds"),
        ("numpy_float32", "float16", "mixed_float16", "soft_placement", "auto_jit"),
        ("mixed_bfloat16", "eagerly"),
    ],
)
def test_values_are_those_without_the_settings(tmp_path, expected, settings):
    for value, reference in zip(values(tmp_path, *settings), expected, strict=True):
        assert value.dtype == reference.dtype
        np.testing.assert_allclose(value, reference, rtol=2e-4, atol=1e-5)
