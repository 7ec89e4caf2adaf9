"""What an ablation varies, and how bad arguments are named."""

import math

import pytest

from tf_marscf.benchmarks.ablation_config import AblationConfig
from tf_marscf.benchmarks.comparison_configs import DensityBenchmarkConfig
from tf_marscf.config import MarScfConfig
from tf_marscf.config_fields import fields_with_flags


def test_variants_are_all_combinations():
    config = AblationConfig(
        priors=("gaussian", "causal:prior_hidden_channels=2"), couplings=("affine", "mixlogcdf")
    )
    variants = list(config.variants())
    assert [tuple(values.values()) for values, _ in variants] == [
        (prior, coupling, "uniform") for prior in config.priors for coupling in config.couplings
    ]
    assert variants[0][1] == {"prior": "gaussian", "coupling": "affine"}
    assert variants[3] == (
        {
            "prior": "causal:prior_hidden_channels=2",
            "coupling": "mixlogcdf",
            "dequantization": "uniform",
        },
        {
            "prior": "mar",
            "prior_network": "causal",
            "prior_hidden_channels": 2,
            "coupling": "mixlogcdf",
        },
    )


def test_values_may_be_texts_as_of_flags():
    config = AblationConfig(average_decays=("0", "0.99"), seeds=("2", "0"))
    assert config.average_decays == (0.0, 0.99)
    assert config.seeds == (2, 0)
    assert AblationConfig(**config.to_dict()) == config


def test_options_of_one_prior_are_read_by_their_kind():
    config = AblationConfig(
        priors=("gaussian:prior_max_log_scale=3.5", "causal:prior_num_layers=2")
    )
    (_, gaussian), (_, causal) = config.variants()
    assert gaussian["prior_max_log_scale"] == 3.5
    assert causal["prior_num_layers"] == 2


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"priors": ("causal:prior_num_layers=1:prior_num_layers=2",)}, "got 'prior_num_layers=2'"),
        ({"priors": ("mar",)}, r"`priors` must be some of \('gaussian', .*got 'mar'"),
        ({"priors": ()}, "`priors` must be one or more; got none"),
        ({"priors": ("causal", "causal")}, "`priors` must be different; got 'causal,causal'"),
        (
            {"priors": ("gaussian:prior_num_layers=1",)},
            "`priors` must have options of the prior 'gaussian'; got 'prior_num_layers=1'",
        ),
        (
            {"priors": ("causal:hidden_channels=1",)},
            "`priors` must have options of the prior 'causal'; got 'hidden_channels=1'",
        ),
        ({"priors": ("causal:prior_network=conv_lstm",)}, "got 'prior_network=conv_lstm'"),
        (
            {"priors": ("causal:prior_num_layers=x",)},
            "`prior_num_layers` must be an integer >= 0; got 'x'",
        ),
        ({"couplings": ("additive",)}, "`couplings` must be some of"),
        ({"couplings": ("affine", "affine")}, "`couplings` must be different; got 'affine,affine'"),
        ({"couplings": ("mixlogcdf",), "num_heads": 3}, "must be a multiple of `num_heads`"),
        ({"average_decays": ("1",)}, r"`average_decays` must be in \[0, 1\); got 1.0"),
        ({"average_decays": ("x",)}, r"`average_decays` must be in \[0, 1\); got 'x'"),
        ({"average_decays": (math.nan,)}, r"`average_decays` must be in \[0, 1\); got nan"),
        ({"average_decays": ("0.9", "0.90")}, "`average_decays` must be different; got '0.9,0.90'"),
        ({"seeds": ("0", "1", "0")}, "`seeds` must be different; got '0,1,0'"),
        ({"seeds": ("-1",)}, "`seeds` must be an integer >= 0; got -1"),
        ({"seeds": ("0.5",)}, "`seeds` must be an integer >= 0; got '0.5'"),
        ({"seeds": (True,)}, "`seeds` must be an integer >= 0; got True"),
        ({"evaluate_every": 0}, "`evaluate_every` must be an integer >= 1; got 0"),
    ],
)
def test_wrong_arguments_are_named(arguments, expected):
    with pytest.raises(ValueError, match=expected):
        AblationConfig(**arguments)


def test_benchmarks_take_all_options_of_the_model():
    """What stands here is what an axis says, or what their models do without."""
    options = {field.name for field, _ in fields_with_flags(MarScfConfig)}
    assert options - vars(DensityBenchmarkConfig()).keys() == {
        "prior",
        "num_classes",
    }
    assert options - vars(AblationConfig()).keys() == {
        "prior",
        "prior_network",
        "coupling",
        "num_classes",
    }


def test_the_command_of_a_result_does_not_tell_where_files_are():
    assert AblationConfig(data_dir="/some/place", seeds=(3,)).changes() == {
        "num_training_steps": 500,
        "seeds": [3],
    }
