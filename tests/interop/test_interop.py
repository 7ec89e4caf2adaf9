"""Weights of the published code: the same density, to the digits that it recorded."""

import os
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

import tf_marscf
from tf_marscf.bijectors import ImageChain
from tf_marscf.errors import RunError
from tf_marscf.interop.import_run import import_published_weights
from tf_marscf.interop.published_architecture import infer_config
from tf_marscf.interop.published_weights import load_published_weights, published_mappings
from tf_marscf.interop.weight_file import read_weight_file
from tf_marscf.runs.run_config import RunConfig
from tf_marscf.runs.trained_model import restore_model

DATA = Path(__file__).parent / "published"
NAMES = ["affine_L3_K2_C16", "mixlogcdf_L2_K1_C8"]


def published_weights(name):
    return read_weight_file(str(DATA / f"{name}.weights.npz"))


class Published:
    """Recorded arrays in our layout, and a model with the recorded weights."""

    def __init__(self, name, dtype):
        self.arrays = dict(np.load(DATA / f"{name}.npz"))
        weights = published_weights(name)
        config = infer_config(weights, self.arrays["x"].shape[2:])
        self.dtype = dtype
        self.model = tf_marscf.MarScf.from_config(config.to_dict() | {"dtype": dtype})
        self.num_levels = config.num_levels
        load_published_weights(self.model, weights)

    def maps(self, name):
        return self.arrays[name].transpose(0, 2, 3, 1).astype(self.dtype)


@pytest.fixture(
    scope="module",
    params=[(name, dtype) for name in NAMES for dtype in ("float32", "float64")],
    ids="-".join,
    name="published",
)
def fixture_published(request):
    return Published(*request.param)


def test_first_step_matches(published):
    squeeze_and_step = ImageChain(published.model.levels[0].level_bijector.bijectors[:2])
    output, log_det = squeeze_and_step.forward_and_log_det(published.maps("x"))
    np.testing.assert_allclose(output, published.maps("after_first_step"), atol=1e-4)
    expected = published.arrays["logdet_after_first_step"].reshape(-1)
    np.testing.assert_allclose(log_det, expected, rtol=1e-5)


def test_latents_match(published):
    for level, latents in enumerate(published.model.latents(published.maps("x")), start=1):
        np.testing.assert_allclose(latents, published.maps(f"l_{level}"), atol=1e-4)


def test_log_priors_and_log_prob_match(published):
    images = published.maps("x")
    log_priors, _ = published.model.log_prob_parts(images)
    for level, log_prior in enumerate(log_priors, start=1):
        np.testing.assert_allclose(log_prior, published.arrays[f"log_prior_{level}"], rtol=1e-5)
    np.testing.assert_allclose(
        published.model.log_prob(images), published.arrays["log_prob"], rtol=1e-5
    )


def test_rests_match(published):
    rest = published.maps("x")
    for level, flow_level in enumerate(published.model.levels[:-1], start=1):
        rest = tf.split(flow_level.level_bijector.forward(rest), 2, axis=-1)[0]
        np.testing.assert_allclose(rest, published.maps(f"r_{level}"), atol=1e-4)


def test_decoded_noise_matches(published):
    noise = [published.maps(f"eps_{level + 1}") for level in range(published.num_levels)]
    decoded = published.model.decode_noise(noise)
    np.testing.assert_allclose(decoded, published.maps("decoded"), atol=1e-3)


def test_bits_per_dim_matches_with_the_published_scaling(published):
    images = tf_marscf.Dequantized(published.model, published_scaling=True)
    pixels = np.round(published.maps("pixels")).astype(np.uint8)
    continuous = images.scaling.continuous(pixels, published.maps("u"))
    np.testing.assert_allclose(continuous, published.maps("x"), atol=1e-6)
    log_prob = published.model.log_prob(continuous) + images.scaling.log_volume(3 * 32 * 32)
    bits = -log_prob / (3 * 32 * 32 * np.log(2.0))
    np.testing.assert_allclose(bits, published.arrays["bits_per_dim"], rtol=1e-5)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("affine_L3_K2_C16", {"coupling": "affine", "num_levels": 3, "num_steps": 2,
                              "hidden_channels": 16}),
        ("mixlogcdf_L2_K1_C8", {"coupling": "mixlogcdf", "num_levels": 2, "num_steps": 1,
                                "hidden_channels": 8, "num_blocks": 10, "num_components": 32}),
    ],
)  # fmt: skip
def test_architecture_is_read_off_names_and_shapes(name, expected):
    config = infer_config(published_weights(name), 32)
    assert config.image_shape == (32, 32, 3)
    assert config.prior_hidden_channels == 8
    assert config.prior_num_layers == 3
    for field, value in expected.items():
        assert getattr(config, field) == value
    assert infer_config(published_weights(name), (16, 64)).image_shape == (16, 64, 3)


def to_published(model, rng):
    """Published arrays of random values that fit any model: the mapping read backwards."""
    weights = {}
    for mapping in published_mappings(model):
        # The stacked weights of several layers are one array a layer.
        shape = tuple(mapping.variable.shape)[1 if mapping.stacked else 0 :]
        for name in mapping.names:
            if name.endswith(("rescale.weight_g", "rescale.weight_v")):
                value = rng.normal(size=(shape[0], 1, 1))
            elif len(shape) == 4:
                value = rng.normal(size=(shape[3], shape[2], shape[0], shape[1]))
            elif len(shape) == 2 and "invert_1x1" not in name:
                value = rng.normal(size=shape[::-1])
            else:
                value = rng.normal(size=shape)
            weights[name] = value.astype(np.float32)
    return weights


@pytest.mark.parametrize(
    "options",
    [
        {"image_shape": (16, 8, 1), "num_levels": 1, "num_steps": 3},
        {"image_shape": (64, 64, 3), "num_levels": 4, "num_steps": 1, "prior_hidden_channels": 32},
        {"image_shape": (16, 16, 3), "num_levels": 2, "num_steps": 2, "coupling": "mixlogcdf",
         "num_blocks": 2, "num_components": 5},
    ],
)  # fmt: skip
def test_every_variable_of_any_size_has_its_published_arrays(options):
    config = tf_marscf.MarScfConfig(**({"hidden_channels": 8} | options))
    model = tf_marscf.MarScf.from_config(config)
    mapped = [mapping.variable for mapping in published_mappings(model)]
    variables = {id(variable) for variable in model.variables}
    listed = [
        id(variable) if isinstance(variable, tf.Variable) else id(variable.value)
        for variable in mapped
    ]
    assert len(listed) == len(set(listed))
    assert set(listed) == variables
    weights = to_published(model, np.random.default_rng(0))
    # The published code has a code network at the last level too, which nothing uses.
    last = f"flow.c_prior.prior_list.{config.num_levels - 1}.z1_cond_network."
    weights[last + "0.weight"] = np.zeros((32, 1, 5, 5), np.float32)
    weights[last + "2.weight"] = np.zeros((4, 32, 5, 5), np.float32)
    assert infer_config(weights, config.image_shape[:2]) == config
    table = load_published_weights(model, weights)
    assert len(table) == len(listed)


def test_weights_that_do_not_fit_are_refused_and_nothing_is_set():
    weights = published_weights("affine_L3_K2_C16")
    model = tf_marscf.MarScf.from_config(infer_config(weights, 32), seed=1)
    before = [variable.numpy() for variable in model.variables]
    name = "flow.layers.1.actnormlayer.bias"
    last = "flow.c_prior.prior_list.2.prior_lstm.conv_out1.bias"
    kernel = "flow.layers.1.coupling.NN_net.conv1.weight"
    second_bias = "flow.c_prior.prior_list.0.prior_lstm.lstm.bias_hh_l1"
    for changed, message in (
        (
            {key: value for key, value in weights.items() if key != last},
            rf"'{last}', of shape \(2,\), is missing",
        ),
        (
            weights | {"flow.layers.1.extra": np.zeros(3)},
            r"'flow.layers.1.extra', of shape \(3,\), is none of",
        ),
        (
            weights | {last: np.zeros(3, np.float32)},
            rf"'{last}' must have shape \(2,\); got \(3,\)",
        ),
        (
            weights | {kernel: weights[kernel][:, :2]},
            rf"'{kernel}' must have shape \(16, 6, 3, 3\); got \(16, 2, 3, 3\)",
        ),
        (
            weights | {second_bias: np.zeros(31, np.float32)},
            rf"'{second_bias}' must have shape \(32,\); got \(31,\)",
        ),
        (weights | {name: np.full_like(weights[name], np.nan)}, f"{name}.* must be finite"),
    ):
        with pytest.raises(ValueError, match=message):
            load_published_weights(model, changed)
    for variable, value in zip(model.variables, before, strict=True):
        np.testing.assert_array_equal(variable, value)


def test_all_that_does_not_fit_is_told_at_once():
    weights = published_weights("affine_L3_K2_C16")
    model = tf_marscf.MarScf.from_config(infer_config(weights, 32), seed=1)
    names = [name for name in weights if "is_initialized" not in name][-60:-40]
    with pytest.raises(ValueError, match="is missing; .* is missing; and 15 more"):
        load_published_weights(model, {k: v for k, v in weights.items() if k not in names})


@pytest.mark.parametrize("name", NAMES)
def test_one_misshapen_array_does_not_decide_the_architecture(name):
    weights = published_weights(name)
    expected = infer_config(weights, 32)
    first = next(key for key in weights if key.endswith(("conv1.weight", "in_conv.conv.weight_v")))
    damaged = weights | {first: weights[first][1:]}
    config = infer_config(damaged, 32)
    assert config == expected
    with pytest.raises(ValueError, match=f"'{first}' must have shape"):
        load_published_weights(tf_marscf.MarScf.from_config(config), damaged)


def test_a_model_with_another_prior_is_refused():
    model = tf_marscf.MarScf((8, 8, 3), num_levels=1, num_steps=1, prior="gaussian")
    with pytest.raises(ValueError, match="must have prior 'mar'; got prior='gaussian'"):
        published_mappings(model)


@pytest.mark.parametrize("weights", [{}, {"encoder.weight": np.zeros(3)}])
def test_weights_of_another_model_are_refused(weights):
    with pytest.raises(ValueError, match="must be those of a published mAR-SCF model"):
        infer_config(weights, 32)


def test_prefix_of_data_parallel_is_removed(tmp_path):
    weights = published_weights("affine_L3_K2_C16")
    path = tmp_path / "parallel.npz"
    np.savez(path, **{f"module.{name}": value for name, value in weights.items()})
    assert read_weight_file(str(path)).keys() == weights.keys()


def test_a_weight_that_is_there_twice_is_refused(tmp_path):
    np.savez(tmp_path / "twice.npz", **{"flow.x": np.zeros(2), "module.flow.x": np.ones(2)})
    with pytest.raises(ValueError, match="holds 'flow.x' twice"):
        read_weight_file(str(tmp_path / "twice.npz"))


@pytest.mark.parametrize("is_zip", [True, False])
@pytest.mark.parametrize("wrap", [None, "state_dict", "model"])
def test_both_torch_formats_and_training_states_are_read(tmp_path, is_zip, wrap):
    torch = pytest.importorskip("torch")
    path = str(tmp_path / "weights.pt")
    state = {
        "module.flow.x": torch.arange(3.0),
        "module.flow.y": torch.ones(2, dtype=torch.float16),
    }
    content = state if wrap is None else {"epoch": 3, wrap: state}
    torch.save(content, path, _use_new_zipfile_serialization=is_zip)
    weights = read_weight_file(path)
    assert list(weights) == ["flow.x", "flow.y"]
    np.testing.assert_array_equal(weights["flow.x"], [0.0, 1.0, 2.0])
    assert weights["flow.y"].dtype == np.float32


class Malicious:
    """Its pickle makes a file when it is loaded as code."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


@pytest.mark.parametrize("is_zip", [True, False])
def test_code_in_a_torch_file_is_not_run(tmp_path, is_zip):
    torch = pytest.importorskip("torch")
    path, made = str(tmp_path / "weights.pt"), str(tmp_path / "made")
    content = {"flow.x": torch.ones(2), "more": Malicious(made)}
    torch.save(content, path, _use_new_zipfile_serialization=is_zip)
    with pytest.raises(ValueError, match="that holds weights only"):
        read_weight_file(path)
    assert not os.path.exists(made)


@pytest.mark.parametrize("content", [[1, 2], {"flow.x": "text"}])
def test_torch_files_of_other_things_are_refused(tmp_path, content):
    torch = pytest.importorskip("torch")
    path = str(tmp_path / "other.pt")
    torch.save(content, path)
    with pytest.raises(ValueError, match="from names to tensors.* holds a (list|str)"):
        read_weight_file(path)


@pytest.mark.parametrize("name", NAMES)
def test_torch_files_hold_the_same_weights(name):
    pytest.importorskip("torch")
    weights = read_weight_file(str(DATA / f"{name}.pt"))
    expected = published_weights(name)
    assert weights.keys() == expected.keys()
    for key, value in weights.items():
        np.testing.assert_array_equal(value, expected[key])


def test_files_that_are_no_weights_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="must be a file of weights"):
        read_weight_file(str(tmp_path / "missing.npz"))
    path = tmp_path / "damaged.npz"
    path.write_bytes((DATA / "affine_L3_K2_C16.weights.npz").read_bytes()[:1000])
    with pytest.raises(ValueError, match="damaged.npz"):
        read_weight_file(str(path))
    objects = tmp_path / "objects.npz"
    np.savez(objects, **{"flow.x": np.array([object()])})
    with pytest.raises(ValueError, match="objects.npz"):
        read_weight_file(str(objects))


def test_imported_run_scores_and_samples(tmp_path):
    output = str(tmp_path / "run")
    path = str(DATA / "affine_L3_K2_C16.weights.npz")
    import_published_weights(path, output, 32)
    images = restore_model(RunConfig.load(output), output)
    assert images.scaling.published
    pixels = np.load(DATA / "affine_L3_K2_C16.npz")["pixels"].transpose(0, 2, 3, 1)
    bits = images.bits_per_dim(np.round(pixels).astype(np.uint8), seed=0)
    expected = np.load(DATA / "affine_L3_K2_C16.npz")["bits_per_dim"]
    np.testing.assert_allclose(bits, expected, rtol=0.02)  # Other noise than the recorded.
    with pytest.raises(RunError, match="holds a model already"):
        import_published_weights(path, output, 32)


def test_a_failed_import_leaves_nothing(tmp_path):
    output = str(tmp_path / "run")
    with pytest.raises(ValueError, match="divisible"):
        import_published_weights(str(DATA / "affine_L3_K2_C16.weights.npz"), output, 30)
    assert not os.path.exists(output)
