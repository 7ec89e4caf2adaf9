"""Sizes of models, by arithmetic."""

import pytest

from tests.small_models import OPTIONS
from tf_marscf import MarScf, MarScfConfig
from tf_marscf.config import DequantizationConfig, check_model_options
from tf_marscf.distributions import VariationalDequantizer
from tf_marscf.errors import InputError
from tf_marscf.model_size import (
    MAX_WEIGHT_BYTES,
    num_dequantizer_parameters,
    num_parameters,
    weight_bytes,
)

MODELS = [
    {"image_shape": (8, 8, 1)},
    {"image_shape": (8, 16, 3), "num_levels": 3, "num_steps": 2, "prior_kernel_sizes": (5, 3, 1)},
    {"image_shape": (4, 4, 2), "num_levels": 1, "dtype": "float64"},
    {"image_shape": (8, 8, 1), "prior": "gaussian", "num_steps": 3, "hidden_channels": 5},
    {"image_shape": (8, 8, 3), "coupling": "mixlogcdf"},
    {"image_shape": (8, 8, 1), "coupling": "mixlogcdf", "prior": "gaussian", "num_blocks": 3},
    {"image_shape": (8, 8, 3), "coupling": "residual", "num_steps": 2},
    {"image_shape": (8, 8, 1), "prior_code_channels": 3, "prior_code_hidden_channels": 5},
    {"image_shape": (8, 8, 1), "coupling": "mixlogcdf", "num_components": 5, "num_heads": 2},
    {"image_shape": (8, 16, 3), "num_levels": 3, "prior_network": "causal", "prior_num_layers": 1},
    {"image_shape": (8, 8, 1), "prior_network": "causal", "prior_kernel_sizes": (5, 1)},
    {"image_shape": (8, 8, 1), "prior_network": "causal", "prior_num_layers": 0},
    {"image_shape": (8, 8, 3), "prior_network": "causal", "prior_kernel_sizes": (1, 3)},
    {"image_shape": (8, 16, 3), "num_levels": 3, "num_classes": 7, "dtype": "float64"},
    {"image_shape": (8, 8, 3), "prior_channels_per_step": 3, "prior_start": "gaussian"},
    {"image_shape": (8, 8, 1), "prior_channels_per_step": 2, "prior_network": "causal"},
]


@pytest.mark.parametrize("options", MODELS)
def test_counts_are_those_of_models(options):
    model = MarScf(**(OPTIONS | options))
    counted = sum(variable.shape.num_elements() for variable in model.trainable_variables)
    assert num_parameters(model.config) == counted
    counted = sum(
        variable.shape.num_elements() * variable.dtype.size for variable in model.variables
    )
    assert weight_bytes(model.config) == counted


@pytest.mark.parametrize(
    ("image_shape", "options"), [((8, 8, 1), {}), ((4, 6, 3), {"num_steps": 3})]
)
def test_count_of_a_dequantizer(image_shape, options):
    dequantizer = VariationalDequantizer(image_shape, hidden_channels=5, **options)
    counted = sum(variable.shape.num_elements() for variable in dequantizer.trainable_variables)
    assert num_dequantizer_parameters(dequantizer.config, image_shape) == counted
    assert num_dequantizer_parameters(DequantizationConfig(), image_shape) == 0


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"hidden_channels": 10**5}, r"GiB of weights.* parameters, [0-9,.]+ GiB.*=100000,"),
        ({"hidden_channels": 2**31 - 1}, "GiB of weights"),
        ({"coupling": "mixlogcdf", "hidden_channels": 10**5}, "GiB of weights"),
        ({"prior_hidden_channels": 10**5}, "GiB of weights.*prior_hidden_channels=100000"),
        ({"prior_code_hidden_channels": 2**30}, "GiB of weights"),
        ({"prior_code_channels": 2**30}, "GiB of weights"),
        ({"prior_kernel_sizes": 10**5 + 1}, "GiB of weights"),
        ({"coupling": "mixlogcdf", "num_components": 10**8}, "GiB of weights"),
        ({"num_steps": 10**9}, "at most 10000 steps, blocks and layers; got 3000000009.*num_steps"),
        ({"coupling": "mixlogcdf", "num_blocks": 10**6}, "at most 10000 steps, blocks and layers"),
        ({"prior_num_layers": 10**6}, "at most 10000 steps, blocks and layers"),
        ({"image_shape": (8, 8, 10**6)}, "GiB of weights"),
        ({"num_classes": 2**31 - 1}, "GiB of weights.*num_classes=2147483647"),
        ({"image_shape": (8, 8, 10**9)}, r"at most 2\^28 values; got \(8, 8, 1000000000\), 64000"),
        ({"image_shape": (2**20, 2**20, 3)}, r"at most 2\^28 values"),
        ({"image_shape": (2**30, 8, 1)}, r"at most 2\^28 values"),
        ({"num_levels": 2**31 - 1}, "`num_levels` must be at most 14"),
        ({"num_steps": 10**30}, r"`num_steps` must be below 2\^31"),
    ],
)
def test_absurd_models_are_refused_before_they_are_built(fields, message):
    fields = {"image_shape": (8, 8, 3)} | fields
    with pytest.raises(InputError, match=message) as raised:
        MarScfConfig(**fields)
    assert len(str(raised.value).splitlines()) == 1
    with pytest.raises(InputError, match=message):
        MarScf(**fields)


@pytest.mark.parametrize("num_levels", [0, -1, 15, 10**10, 2**40, "3", None, 2.0, True])
def test_numbers_of_levels_are_refused_before_the_image_shape_is_known(num_levels):
    with pytest.raises(InputError, match="`num_levels` must be"):
        check_model_options({"num_levels": num_levels})


@pytest.mark.parametrize("num_levels", [1, 3, 8])
def test_deep_models_may_wait_for_their_images(num_levels):
    check_model_options({"num_levels": num_levels, "num_steps": 1, "hidden_channels": 8})


def test_the_limit_is_the_memory_where_that_is_less(monkeypatch):
    fields = {"image_shape": (8, 8, 3), "hidden_channels": 512, "num_steps": 1}
    size = weight_bytes(MarScfConfig(**fields))
    monkeypatch.setattr("tf_marscf.files.input_files.memory_bytes", lambda: size - 1)
    with pytest.raises(InputError, match="GiB of weights"):
        MarScfConfig(**fields)
    monkeypatch.setattr("tf_marscf.files.input_files.memory_bytes", lambda: size)
    assert MarScfConfig(**fields).hidden_channels == 512
    monkeypatch.setattr("tf_marscf.files.input_files.memory_bytes", lambda: 2**60)
    with pytest.raises(InputError, match=f"at most {MAX_WEIGHT_BYTES // 2**30}.0 GiB of weights"):
        MarScfConfig(**(fields | {"hidden_channels": 10**6}))
