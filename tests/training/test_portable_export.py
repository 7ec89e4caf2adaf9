"""Portable exports, run by a process that has JAX and no TensorFlow: the numbers are the same."""

import json

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.compiler.xla.service import hlo_pb2

import tf_marscf
from tests.portable_models import (
    BATCH_SIZE,
    run_without_tensorflow,
    training_batches,
    training_directory,
    training_state,
    values_of_steps,
)
from tests.small_models import small_model
from tests.small_trainers import random_pixels
from tf_marscf.config import DequantizationConfig
from tf_marscf.errors import InputError, RunError
from tf_marscf.runs.run_config import RunConfig
from tf_marscf.serving.served_model import ServedModel
from tf_marscf.training.portable_export import (
    export_portable,
    restored_state,
    train_step_program,
)

pytest.importorskip("jax")
pytestmark = pytest.mark.slow

NUM_STEPS = 5
# Each has what no other has: an average, parts of a batch, classes and learned noise, dropout, the
# random series of residual blocks.
CASES = {
    "conv_lstm": {
        "training": {"average_decay": 0.9, "optimizer": "adam", "decay": "cosine"},
        "prior_start": "gaussian",
    },
    "causal": {
        "training": {"num_accumulated_parts": 2, "clip_norm": 0.1},
        "prior_network": "causal",
        "prior_family": "logistic",
        "max_log_scale": 2.0,
    },
    "classes": {
        "prior": "gaussian",
        "num_classes": 3,
        "dequantization": DequantizationConfig(
            dequantization="variational", dequantizer_num_steps=1, dequantizer_hidden_channels=4
        ),
    },
    "dropout": {
        "prior": "gaussian",
        "num_levels": 1,
        "coupling": "mixlogcdf",
        "dropout_rate": 0.3,
        "num_blocks": 1,
        "num_components": 2,
    },
    "residual": {"prior": "gaussian", "coupling": "residual"},
}

PROGRAM = """
import numpy as np
from run_stablehlo import PortableModel

folder, inputs, outputs, trained = sys.argv[1:]
arrays = dict(np.load(inputs))
steps = {name[6:]: arrays.pop(name) for name in list(arrays) if name.startswith("train_")}
model, results = PortableModel(folder), {}


def keep(name, outputs):
    results.update({f"{name}/{key}": value for key, value in outputs.items()})


for name in ("serving_default", "log_prob_float", "encode"):
    keep(name, model.run(name, arrays))
keep("decode", model.run("decode", {"latents": results["encode/latents"]}))
keep("sample", model.sample(6, 11, 0.8, 1 if model.num_classes else None))
values = list(model.train(steps, 5))
results["steps"] = [list(one.values()) for one in values]
keep("trained", model.run("serving_default", arrays))
np.savez(outputs, **results)
model.save(trained)
assert model.memory("train_step")["temp"] > 0
assert "tensorflow" not in [name for name, module in sys.modules.items() if module]
"""


@pytest.fixture(scope="module", params=CASES, name="run")
def fixture_run(request, tmp_path_factory):
    """`(training directory, version folder, inputs, results of JAX, folder with trained state)`."""
    directory = tmp_path_factory.mktemp(request.param)
    train_dir = directory / "run"
    config = training_directory(train_dir, **CASES[request.param])
    folder = export_portable(train_dir, directory / "exports", batch_size=4, which="latest")
    images = random_pixels(6, seed=9)
    inputs = {"images": images, "values": ((images + 0.5) / 17 - 0.5).astype(np.float32)}
    if config.model.num_classes is not None:
        inputs["labels"] = np.arange(6, dtype=np.int32) % 3
    steps = {f"train_{name}": one for name, one in training_batches(config, NUM_STEPS).items()}
    np.savez(directory / "inputs.npz", **inputs, **steps)
    files = [directory / name for name in ("inputs.npz", "outputs.npz", "trained")]
    run_without_tensorflow(PROGRAM, folder, *files)
    return train_dir, folder, inputs, np.load(directory / "outputs.npz"), directory / "trained"


def expected(train_dir_or_model, signature, inputs):
    """What TensorFlow says."""
    model = train_dir_or_model
    if not isinstance(model, tf_marscf.Dequantized):
        model = tf_marscf.load(model, which="latest")
    function, specs = ServedModel(model).signatures()[signature]
    call = tf.function(function, autograph=False)
    return call(**{name: tf.constant(inputs[name]) for name in specs})


def test_densities_are_those_of_tensorflow(run):
    train_dir, _, inputs, results, _ = run
    for signature in ("serving_default", "log_prob_float"):
        for name, value in expected(train_dir, signature, inputs).items():
            np.testing.assert_allclose(results[f"{signature}/{name}"], value, rtol=1e-5)


def test_latents_and_what_they_decode_to_are_those_of_tensorflow(run):
    train_dir, _, inputs, results, _ = run
    latents = expected(train_dir, "encode", inputs)["latents"]
    np.testing.assert_allclose(results["encode/latents"], latents, atol=2e-5)
    np.testing.assert_array_equal(results["decode/images"], inputs["images"])


def test_samples_are_those_of_tensorflow_for_a_seed(run):
    train_dir, _, inputs, results, _ = run
    model = tf_marscf.load(train_dir, which="latest").distribution
    of_class = {"label": 1} if "labels" in inputs else {}
    for batch in range(2):
        values = model.sample(BATCH_SIZE, seed=11 + batch, temperature=0.8, **of_class)
        drawn = results["sample/values"][batch * BATCH_SIZE :][:BATCH_SIZE]
        np.testing.assert_allclose(drawn, values[: len(drawn)], atol=2e-5)
    assert results["sample/images"].shape == (6, 8, 8, 1)


def test_five_training_steps_are_those_of_tensorflow(run):
    """From the latest checkpoint on; the trained weights come back, and are what is scored."""
    train_dir, _, inputs, results, trained = run
    config = RunConfig.load(train_dir)
    state = training_state(config, train_dir)
    state.read_latest()
    values = values_of_steps(state, training_batches(config, NUM_STEPS))
    assert len(set(values[:, 0])) == NUM_STEPS
    np.testing.assert_allclose(results["steps"][:, 0], values[:, 0], rtol=1e-5)
    np.testing.assert_allclose(results["steps"], values, rtol=1e-3, atol=1e-4)
    published = state.distributions[state.evaluated]
    scores = expected(published, "serving_default", inputs)["log_prob"]
    np.testing.assert_allclose(results["trained/log_prob"], scores, rtol=1e-4)
    for loaded, variable in zip(
        tf_marscf.load(trained).variables, published.variables, strict=True
    ):
        np.testing.assert_allclose(loaded, variable, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("case", CASES)
def test_nothing_that_changes_is_a_constant_of_a_training_step(case, tmp_path):
    """What XLA asks for when it compiles stays as it was, or has each step compiled again."""
    train_dir = tmp_path / "run"
    state = restored_state(training_directory(train_dir, **CASES[case]), train_dir)
    step, specs, _ = train_step_program(state)

    @tf.function(autograph=False, jit_compile=True)
    def compiled(*values):
        return step(**dict(zip(specs, values, strict=True)))

    examples = [tf.zeros(one.shape, one.dtype) for one in specs.values()]
    emit = compiled.experimental_get_compiler_ir(*examples)
    before = constants_of(emit)
    random = np.random.default_rng(1)
    for variable in state.images_distribution.trainable_variables:
        variable.assign(random.normal(scale=0.1, size=variable.shape))
    state.trainer.optimizer.iterations.assign_add(5)
    assert constants_of(emit) == before


def constants_of(emit):
    """Operations of a program, and what constants hold: its text leaves large ones out."""
    module = hlo_pb2.HloModuleProto.FromString(emit(stage="hlo_serialized"))
    return [
        (one.opcode, one.literal.SerializeToString(deterministic=True))
        for computation in module.computations
        for one in computation.instructions
    ]


def test_the_best_weights_stay_while_others_train(tmp_path):
    """A folder of the best weights has both in its state; one of the latest has them once."""
    train_dir = tmp_path / "run"
    options = {"num_levels": 1, "prior": "gaussian", "hidden_channels": 4}
    config = training_directory(train_dir, training={"average_decay": 0.9}, **options)
    state = training_state(config, train_dir)
    state.read_latest()
    state.save_best(state.evaluated)
    best, latest = (
        json.loads((export_portable(train_dir, tmp_path, which=which) / "tasks.json").read_text())
        for which in ("best", "latest")
    )
    assert best["batch"] == BATCH_SIZE
    assert len(best["state"]) > len(latest["state"])
    assert not replaced(best) & set(best["weights"])
    assert replaced(latest) & set(latest["weights"])


def replaced(facts):
    """Numbers of the arrays that training steps replace."""
    step = facts["tasks"]["train_step"]
    return {step["captured"][number - len(step["inputs"])] for _, number in step["aliases"]}


@pytest.fixture(scope="module", name="saved")
def fixture_saved(tmp_path_factory):
    """A saved model without a training."""
    directory = tmp_path_factory.mktemp("saved") / "model"
    model = small_model((4, 4, 1), num_levels=1, prior="gaussian", hidden_channels=4)
    tf_marscf.save(tf_marscf.Dequantized(model, num_grey_levels=17), directory)
    return directory


def test_a_model_without_a_training_has_no_training_step(saved, tmp_path, capsys):
    folder = export_portable(saved, tmp_path, batch_size=2)
    assert "holds weights and no training: no train_step is written" in capsys.readouterr().err
    facts = json.loads((folder / "tasks.json").read_text())
    assert set(facts["tasks"]) == set(ServedModel(tf_marscf.load(saved)).signatures())
    for one, other in zip(
        tf_marscf.load(folder).variables, tf_marscf.load(saved).variables, strict=True
    ):
        np.testing.assert_array_equal(one, other)
    # A directory that all commands read, like any other.
    assert tf_marscf.load(tmp_path).event_shape == (4, 4, 1)


def test_versions_are_never_overwritten(saved, tmp_path, monkeypatch):
    folder = export_portable(saved, tmp_path, batch_size=2)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(RunError, match="has a version 1 already"):
        export_portable(saved, tmp_path, batch_size=2, version=1)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert [path.name for path in tmp_path.iterdir()] == ["1"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 0}, "`batch_size` must be an integer >= 1; got 0"),
        ({"batch_size": 2.5}, "`batch_size` must be an integer"),
        ({"version": 0}, "`version` must be an integer >= 1; got 0"),
        ({"which": "worst"}, "`which` must be one of"),
    ],
)
def test_unsuitable_arguments_are_named_and_nothing_is_written(saved, tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        export_portable(saved, tmp_path / "exports", **options)
    assert not (tmp_path / "exports").exists()


@pytest.mark.parametrize("name", ["tasks.json", "state.npz"])
def test_damaged_weights_are_named(saved, tmp_path, name):
    folder = export_portable(saved, tmp_path, batch_size=2)
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2 :] = b"?"
    (folder / name).write_bytes(content)
    with pytest.raises(InputError, match=name):
        tf_marscf.load(folder)
