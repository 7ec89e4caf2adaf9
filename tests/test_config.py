"""The architecture as data."""

import dataclasses
import inspect
import json

import numpy as np
import pytest

from tf_marscf import MarScf, MarScfConfig
from tf_marscf.config import DequantizationConfig, ExecutionConfig
from tf_marscf.config_fields import REQUIRED
from tf_marscf.errors import InputError


def test_published_defaults():
    config = MarScfConfig(image_shape=(64, 64, 3), num_levels=4)
    assert config.prior_kernel_sizes == (5, 5, 3, 3)
    assert config.prior_dilations == (2, 1, 1, 1)
    assert (config.prior_hidden_channels, config.prior_num_layers) == (32, 3)
    assert (config.prior_code_channels, config.prior_code_hidden_channels) == (4, 32)
    assert (config.num_blocks, config.num_components, config.num_heads) == (10, 32, 4)
    assert config.dropout_rate == 0.2


def test_round_trip_through_json():
    config = MarScfConfig(image_shape=np.array([8, 16, 1]), num_levels=2, prior_dilations=3)
    assert config.prior_dilations == (3, 3)
    assert MarScfConfig(**json.loads(json.dumps(config.to_dict()))) == config


def test_constructor_and_config_have_the_same_defaults():
    model = MarScf((8, 8, 1), num_levels=1, num_steps=1, hidden_channels=8)
    assert model.config == MarScfConfig(
        image_shape=(8, 8, 1), num_levels=1, num_steps=1, hidden_channels=8
    )
    assert MarScfConfig(image_shape=(8, 8, 1)).to_dict().keys() == model.get_config().keys()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"image_shape": (12, 16, 3)}, r"height divisible by 2\^num_levels = 8.*\(12, 16, 3\)"),
        ({"image_shape": (16, 12, 3)}, r"width divisible by 2\^num_levels = 8.*\(16, 12, 3\)"),
        ({"image_shape": (16, 16)}, r"`image_shape` must be 3 integers >= 1; got \(16, 16\)"),
        ({"image_shape": 16}, "`image_shape` must be 3 integers >= 1; got 16"),
        ({"image_shape": (16, 16, 0)}, "`image_shape` must be an integer >= 1; got 0"),
        ({"image_shape": (16.0, 16, 3)}, "`image_shape` must be an integer >= 1; got 16.0"),
        ({"num_levels": 0}, "`num_levels` must be an integer >= 1; got 0"),
        ({"num_steps": True}, "`num_steps` must be an integer >= 1; got True"),
        ({"num_steps": "4"}, "`num_steps` must be an integer >= 1; got '4'"),
        ({"hidden_channels": -1}, "`hidden_channels` must be an integer >= 1; got -1"),
        ({"coupling": "additive"}, "`coupling` must be one of .*; got 'additive'"),
        ({"prior": "pixelcnn"}, "`prior` must be one of .*; got 'pixelcnn'"),
        ({"dtype": "float16"}, "`dtype` must be one of .*; got 'float16'"),
        ({"prior_kernel_sizes": (5, 5)}, r"`prior_kernel_sizes` must be 3 integers.*\(5, 5\)"),
        ({"prior_kernel_sizes": 4}, "`prior_kernel_sizes` must be odd"),
        ({"prior_dilations": (1, 0, 1)}, "`prior_dilations` must be an integer >= 1; got 0"),
        ({"prior_num_layers": -1}, "`prior_num_layers` must be an integer >= 0; got -1"),
        (
            {"prior_num_layers": 0},
            "`prior_num_layers` must be an integer >= 1 unless prior_network='causal'; got 0",
        ),
        ({"prior_family": "student"}, "`prior_family` must be one of .*; got 'student'"),
        ({"dropout_rate": 1.0}, r"`dropout_rate` must be in \[0, 1\); got 1.0"),
        ({"dropout_rate": "0.2"}, r"`dropout_rate` must be in \[0, 1\); got '0.2'"),
        ({"dropout_rate": False}, r"`dropout_rate` must be in \[0, 1\); got False"),
        ({"dropout_rate": float("nan")}, r"`dropout_rate` must be in \[0, 1\); got nan"),
        ({"max_log_scale": 0.0}, r"`max_log_scale` must be in \[0.01, 40\); got 0.0"),
        ({"prior_max_log_scale": 40}, r"`prior_max_log_scale` must be in \[0.01, 40\); got 40"),
        ({"max_log_scale": "4"}, r"`max_log_scale` must be in \[0.01, 40\); got '4'"),
        ({"image_shape": "888"}, "`image_shape` must be 3 integers >= 1; got '888'"),
        ({"image_shape": None}, "`image_shape` must be 3 integers >= 1; got None"),
        ({"image_shape": {1: 2, 3: 4, 5: 6}}, "`image_shape` must be 3 integers >= 1; got {"),
        ({"image_shape": [16, 16, [3]]}, r"`image_shape` must be an integer >= 1; got \[3\]"),
        ({"num_blocks": None}, "`num_blocks` must be an integer >= 1; got None"),
        ({"num_heads": 2.0}, "`num_heads` must be an integer >= 1; got 2.0"),
        ({"coupling": ["affine"]}, r"`coupling` must be one of .*; got \['affine'\]"),
        ({"prior": {}}, "`prior` must be one of .*; got {}"),
        ({"dtype": None}, "`dtype` must be one of .*; got None"),
        ({"prior_kernel_sizes": True}, "`prior_kernel_sizes` must be 3 integers >= 1; got True"),
        ({"prior_kernel_sizes": "555"}, "`prior_kernel_sizes` must be 3 integers >= 1; got '555'"),
        ({"prior_dilations": 10**6}, "`prior_dilations` must be at most the image's size, 16"),
        (
            {"prior_channels_per_step": 4},
            r"`prior_channels_per_step` must divide .*; level 1 of .* has 6; got 4",
        ),
        ({"prior_channels_per_step": 0}, "`prior_channels_per_step` must be an integer >= 1"),
        ({"prior_start": "zero"}, "`prior_start` must be one of .*; got 'zero'"),
        ({"num_levels": 10**10}, r"`num_levels` must be below 2\^31; got 10000000000"),
        ({"num_levels": 20}, "`num_levels` must be at most 14; got 20"),
        ({"coupling": "mixlogcdf", "hidden_channels": 6}, "multiple of `num_heads`.*=6.*=4"),
    ],
)
def test_unsuitable_fields_are_named(fields, message):
    with pytest.raises(ValueError, match=message):
        MarScfConfig(**({"image_shape": (16, 16, 3)} | fields))
    with pytest.raises(ValueError, match=message):
        MarScf(**({"image_shape": (16, 16, 3)} | fields))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"network_dtype": 16}, "`network_dtype` must be one of .*; got 16"),
        ({"recompute_prior": 1}, "`recompute_prior` must be True or False; got 1"),
    ],
)
def test_unsuitable_fields_of_the_execution_are_named(fields, message):
    with pytest.raises(ValueError, match=message):
        ExecutionConfig(**fields)
    with pytest.raises(ValueError, match=message):
        MarScf((16, 16, 3), **fields)


def test_constructor_and_configs_have_the_same_arguments():
    parameters = inspect.signature(MarScf).parameters
    fields = [*dataclasses.fields(MarScfConfig), *dataclasses.fields(ExecutionConfig)]
    assert list(parameters)[: len(fields)] == [field.name for field in fields]
    assert list(parameters)[len(fields) :] == ["seed", "validate_args", "name"]
    for field in fields:
        default = parameters[field.name].default
        if field.default is REQUIRED:
            assert default is inspect.Parameter.empty
        else:
            assert default == field.default and type(default) is type(field.default)
        assert f"        {field.name}: " in MarScf.__doc__


def test_arguments_may_be_positional_and_unknown_ones_are_named():
    assert MarScf((8, 8, 1), 2, 1, 8).config.num_levels == 2
    with pytest.raises(TypeError, match=r"^MarScf\(\) got an unexpected keyword argument 'levels'"):
        MarScf((8, 8, 1), levels=2)
    with pytest.raises(TypeError, match=r"^MarScf\(\) missing a required argument: 'image_shape'"):
        MarScf()
    with pytest.raises(TypeError, match="multiple values for argument 'num_levels'"):
        MarScf((8, 8, 1), 2, num_levels=2)


def test_execution_is_no_part_of_the_architecture_and_rebuilds_the_model():
    options = {"num_levels": 1, "num_steps": 1, "hidden_channels": 8}
    plain = MarScf((8, 8, 1), **options)
    model = MarScf((8, 8, 1), **options, network_dtype="bfloat16", recompute_prior=True)
    assert model.config == plain.config
    assert plain.execution == ExecutionConfig()
    extra = {"network_dtype": "bfloat16", "recompute_prior": True}
    assert model.get_config() == plain.get_config() | extra
    for twin in (
        MarScf.from_config(model.get_config()),
        MarScf.from_config(model.config, execution=model.execution),
    ):
        assert (twin.config, twin.execution) == (model.config, model.execution)


def test_a_dequantizer_has_defaults_and_uniform_noise_has_none():
    variational = DequantizationConfig(dequantization="variational", dequantizer_num_steps=2)
    assert variational.dequantizer_hidden_channels == 32
    assert DequantizationConfig(**variational.to_dict()) == variational
    uniform = DequantizationConfig()
    assert uniform.changes() == {}
    assert DequantizationConfig(**uniform.to_dict()) == uniform
    with pytest.raises(
        InputError,
        match="`dequantizer_num_steps` must not be given with dequantization='uniform'.*got 4",
    ):
        DequantizationConfig(dequantizer_num_steps=4)
    with pytest.raises(InputError, match="`dequantization` must be one of .*; got 'learned'"):
        DequantizationConfig(dequantization="learned")
    with pytest.raises(InputError, match="`dequantizer_hidden_channels` must be an integer >= 1"):
        DequantizationConfig(dequantization="variational", dequantizer_hidden_channels=0)


def test_a_config_cannot_be_changed():
    config = MarScfConfig(image_shape=(16, 16, 3))
    with pytest.raises(AttributeError):
        config.num_steps = 3
