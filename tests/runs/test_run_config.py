"""The config file of a training directory."""

import copy
import dataclasses
import json

import pytest

from tf_marscf.config import DequantizationConfig, ExecutionConfig, MarScfConfig
from tf_marscf.data import DataConfig
from tf_marscf.errors import InputError, MissingInputError
from tf_marscf.runs.run_config import PixelConfig, RunConfig

CONFIG = RunConfig(
    model=MarScfConfig(image_shape=(8, 8, 1), num_levels=2, num_steps=1, hidden_channels=8),
    pixels=PixelConfig(num_grey_levels=17),
    data=DataConfig(name="digits", max_images=60),
    training={"batch_size": 64},
)


def content():
    return copy.deepcopy(
        {
            "model": CONFIG.model.to_dict(),
            "pixels": {"num_grey_levels": 17, "published_scaling": False},
            "data": {"name": "digits", "max_images": 60},
            "training": {"batch_size": 64},
        }
    )


def load_text(directory, text):
    (directory / "config.json").write_text(text)
    return RunConfig.load(str(directory))


def test_round_trip(tmp_path):
    CONFIG.save(tmp_path)
    assert RunConfig.load(tmp_path) == CONFIG
    assert load_text(tmp_path, json.dumps(content())) == CONFIG
    without = content() | {"data": None, "training": None}
    assert load_text(tmp_path, json.dumps(without)).data is None


def test_execution_has_a_section_where_it_is_not_the_default(tmp_path):
    CONFIG.save(tmp_path)
    assert json.loads((tmp_path / "config.json").read_text()).keys() == content().keys()
    changed = dataclasses.replace(CONFIG, execution=ExecutionConfig(network_dtype="bfloat16"))
    changed.save(tmp_path)
    saved = json.loads((tmp_path / "config.json").read_text())
    assert saved["execution"] == {"network_dtype": "bfloat16"}
    assert saved["model"] == content()["model"]
    assert RunConfig.load(tmp_path) == changed


def test_dequantization_has_a_section_where_it_is_not_uniform(tmp_path):
    changed = dataclasses.replace(
        CONFIG, dequantization=DequantizationConfig(dequantization="variational")
    )
    changed.save(tmp_path)
    saved = json.loads((tmp_path / "config.json").read_text())
    assert saved["dequantization"] == {
        "dequantization": "variational",
        "dequantizer_num_steps": 4,
        "dequantizer_hidden_channels": 32,
    }
    assert RunConfig.load(tmp_path) == changed
    assert changed.num_parameters > CONFIG.num_parameters
    damaged = saved | {"dequantization": saved["dequantization"] | {"dequantizer_num_steps": 10**5}}
    with pytest.raises(InputError, match="a dequantizer must have at most 10000 steps"):
        load_text(tmp_path, json.dumps(damaged))


@pytest.mark.parametrize("network_dtype", [None, "bfloat16"])
def test_files_of_earlier_versions_have_the_execution_among_the_model(tmp_path, network_dtype):
    earlier = {"network_dtype": network_dtype, "recompute_prior": True, "recompute_couplings": True}
    text = json.dumps(content() | {"model": content()["model"] | earlier})
    config = load_text(tmp_path, text)
    assert config.model == CONFIG.model
    assert config.execution == ExecutionConfig(**earlier)


@pytest.mark.parametrize(
    ("section", "field", "value", "message"),
    [
        ("model", "num_steps", 10**9, "at most 10000 steps"),
        ("model", "hidden_channels", 10**8, "GiB of weights"),
        ("model", "num_levels", 10**10, "`num_levels` must be below"),
        ("model", "image_shape", [8, 8, 10**9], "at most 2.28 values"),
        ("model", "image_shape", "8x8", "`image_shape` must be 3 integers"),
        ("model", "image_shape", None, "`image_shape` must be 3 integers"),
        ("model", "prior", None, "`prior` must be one of"),
        ("model", "num_steps", "1", "`num_steps` must be an integer"),
        ("model", "num_steps", [1], "`num_steps` must be an integer"),
        ("model", "dropout_rate", None, "`dropout_rate` must be in"),
        ("model", "recompute_couplings", "yes", "`recompute_couplings` must be True or False"),
        ("model", "colour", 1, "`model` has colour, which is unknown"),
        ("pixels", "num_grey_levels", 1, "`num_grey_levels` must be an integer in 2"),
        ("pixels", "num_grey_levels", "17", "`num_grey_levels` must be an integer in 2"),
        ("pixels", "num_grey_levels", True, "`num_grey_levels` must be an integer in 2"),
        ("pixels", "num_grey_levels", 16.5, "`num_grey_levels` must be an integer in 2"),
        ("pixels", "published_scaling", 0, "`published_scaling` must be True or False"),
        ("pixels", "gamma", 2.2, "`pixels` has gamma, which is unknown"),
        ("data", "name", None, "`name` must be one of the data sets"),
        ("data", "data_dir", 5, "`data_dir` must be a path, a string"),
        ("data", "num_channels", "3", "`num_channels` must be None, 1 or 3"),
        ("data", "max_images", 0, "`max_images` must be an integer >= 1"),
        ("data", "max_images", 10**30, r"`max_images` must be below 2\^63"),
        ("data", "num_validation_images", -1, "`num_validation_images` must be an integer >= 0"),
        ("data", "split", "test", "`data` has split, which is unknown"),
    ],
)
def test_fields_are_checked(tmp_path, section, field, value, message):
    changed = content()
    changed[section][field] = value
    with pytest.raises(InputError, match=f"config.json' is not a config.*{message}") as raised:
        load_text(tmp_path, json.dumps(changed))
    assert len(str(raised.value).splitlines()) == 1


@pytest.mark.parametrize("section", ["model", "pixels", "data", "training"])
@pytest.mark.parametrize("value", [5, "text", [1, 2], True])
def test_sections_are_objects(tmp_path, section, value):
    with pytest.raises(InputError, match=f"`{section}` must be an object"):
        load_text(tmp_path, json.dumps(content() | {section: value}))


@pytest.mark.parametrize("section", ["model", "pixels"])
def test_these_sections_are_never_null(tmp_path, section):
    with pytest.raises(InputError, match=f"`{section}` must be an object; got None"):
        load_text(tmp_path, json.dumps(content() | {section: None}))


def test_missing_and_unknown_names(tmp_path):
    for section in content():
        changed = content()
        del changed[section]
        with pytest.raises(InputError, match=f"the config lacks {section}"):
            load_text(tmp_path, json.dumps(changed))
    with pytest.raises(InputError, match="the config has more, which is unknown"):
        load_text(tmp_path, json.dumps(content() | {"more": 1}))
    changed = content()
    del changed["data"]["name"], changed["model"]["image_shape"]
    with pytest.raises(InputError, match="`model` lacks image_shape"):
        load_text(tmp_path, json.dumps(changed))


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", "3", "[" * 100_000, '{"model": ' * 50_000, "\x00", '{"model": NaN}'],
)
def test_other_files_are_refused_in_one_line(tmp_path, text):
    with pytest.raises(InputError, match="config.json'") as raised:
        load_text(tmp_path, text)
    assert len(str(raised.value).splitlines()) == 1


def test_directories_without_a_config(tmp_path):
    with pytest.raises(MissingInputError, match="`train_dir` must be a training directory"):
        RunConfig.load(str(tmp_path))
