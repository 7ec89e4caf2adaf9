"""Exports: what a server would load and answer."""

import pathlib
import subprocess
import sys
import threading

import numpy as np
import pytest
import tensorflow as tf
from commands import ROOT, error_line, run_command
from small_models import small_model
from tensorflow.python.saved_model.loader_impl import parse_saved_model
from tensorflow_serving.apis import prediction_log_pb2

import tf_marscf
from tf_marscf.errors import RunError
from tf_marscf.serving.export import export_model

SIGNATURES = {"serving_default", "log_prob_float", "sample", "encode", "decode"}


def save_model(directory, model, **pixels):
    """Saves a model, and returns its distribution."""
    distribution = tf_marscf.Dequantized(model, **pixels)
    tf_marscf.save(distribution, directory)
    return distribution


@pytest.fixture(scope="module", params=["affine", "mixlogcdf"], name="export")
def fixture_export(request, tmp_path_factory):
    """`(path of the version, distribution)`."""
    directory = tmp_path_factory.mktemp("export")
    distribution = save_model(directory / "run", small_model(coupling=request.param),
                              num_grey_levels=17)  # fmt: skip
    return export_model(directory / "run", directory / "served"), distribution


@pytest.fixture(scope="module", name="served")
def fixture_served(export):
    return tf.saved_model.load(str(export[0])).signatures


def pixels(num_images, num_grey_levels=17):
    generator = np.random.default_rng(0)
    return generator.integers(num_grey_levels, size=(num_images, 8, 8, 1)).astype(np.uint8)


def request(num_samples=2, seed=1, temperature=1.0):
    return {
        "num_samples": tf.constant(num_samples),
        "seed": tf.constant(seed),
        "temperature": tf.constant(temperature),
    }


def test_signatures_have_unknown_batch_sizes(export, served):
    assert export[0].name == "1"
    assert set(served) == SIGNATURES
    outputs = served["serving_default"].structured_outputs
    assert {name: spec.shape.as_list() for name, spec in outputs.items()} == {
        "log_prob": [None],
        "bits_per_dim": [None],
    }
    assert served["sample"].structured_outputs["images"].shape.as_list() == [None, 8, 8, 1]
    assert served["encode"].structured_outputs["latents"].shape.as_list() == [None, 64]
    decoded = served["decode"].structured_outputs
    assert decoded["values"].shape.as_list() == [None, 8, 8, 1]
    assert decoded["images"].dtype == tf.uint8


def test_scores_are_those_of_the_model_and_do_not_depend_on_the_batch(export, served):
    images = pixels(5)
    scores = served["serving_default"](images=tf.constant(images))
    alone = served["serving_default"](images=tf.constant(images[3:4]))
    np.testing.assert_allclose(scores["log_prob"][3:4], alone["log_prob"], rtol=1e-5)
    np.testing.assert_allclose(
        scores["bits_per_dim"], -scores["log_prob"] / (64 * np.log(2)), rtol=1e-6
    )
    # One draw of noise: near what other draws give.
    drawn = np.mean([export[1].bits_per_dim(images, seed=seed) for seed in range(20)], axis=0)
    np.testing.assert_allclose(scores["bits_per_dim"], drawn, atol=0.5)


def test_continuous_images_have_the_log_density_of_the_model(export, served):
    values = export[1].dequantize(pixels(3), seed=1)
    np.testing.assert_allclose(
        served["log_prob_float"](values=values)["log_prob"],
        export[1].distribution.log_prob(values),
        rtol=1e-5,
    )


def test_samples_are_those_of_the_model(export, served):
    images = served["sample"](**request(3, seed=7))["images"]
    expected = export[1].sample(3, seed=7)
    # A value at the edge between two grey levels may be rounded to either.
    assert np.mean(images != expected) <= 0.01
    again = served["sample"](**request(3, seed=7))["images"]
    np.testing.assert_array_equal(images, again)
    assert np.any(images != served["sample"](**request(3, seed=8))["images"])


def test_decoding_the_encoded_images_gives_them_back(served):
    images = pixels(4)
    latents = served["encode"](images=tf.constant(images))["latents"]
    decoded = served["decode"](latents=latents)
    np.testing.assert_array_equal(decoded["images"], images)
    np.testing.assert_allclose(decoded["values"], (images + 0.5) / 17 - 0.5, atol=1e-4)


def test_empty_batches_give_empty_answers(served):
    empty = tf.zeros([0, 8, 8, 1], tf.uint8)
    assert served["serving_default"](images=empty)["log_prob"].shape == (0,)
    assert served["encode"](images=empty)["latents"].shape == (0, 64)
    assert served["decode"](latents=tf.zeros([0, 64]))["images"].shape == (0, 8, 8, 1)


@pytest.mark.parametrize(
    ("signature", "inputs", "message"),
    [
        ("sample", request(0), "`num_samples` must be an integer >= 1"),
        ("sample", request(10**6), "`num_samples` must be at most 1024"),
        ("sample", request(temperature=-1.0), "`temperature` must be >= 0"),
        ("sample", request(temperature=float("inf")), "`temperature` must be finite"),
        (
            "serving_default",
            {"images": np.full([1, 8, 8, 1], 17, np.uint8)},
            "grey levels below 17",
        ),
        ("log_prob_float", {"values": np.full([1, 8, 8, 1], np.nan, np.float32)}, "must be finite"),
        ("decode", {"latents": np.full([1, 64], np.inf, np.float32)}, "must be finite"),
    ],
)
def test_bad_requests_are_refused_and_the_next_is_answered(served, signature, inputs, message):
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        served[signature](**{name: tf.convert_to_tensor(part) for name, part in inputs.items()})
    assert served["sample"](**request())["images"].shape == (2, 8, 8, 1)


def test_graph_has_no_variables_and_its_weights_are_worked_out(export):
    """No inverse of a 1x1 convolution and no norm of a kernel is left to compute."""
    meta_graph = parse_saved_model(str(export[0])).meta_graphs[0]
    operations = {
        node.op
        for graph in (meta_graph.graph_def, *meta_graph.graph_def.library.function)
        for node in (graph.node if hasattr(graph, "node") else graph.node_def)
    }
    assert not operations & {"VarHandleOp", "ReadVariableOp", "MatrixTriangularSolve"}


def test_export_loads_with_tensorflow_alone(export, served, tmp_path):
    """A Python process that cannot import Keras, TFP or this project."""
    images = pixels(2)
    np.save(tmp_path / "images.npy", images)
    program = f"""
import sys
for name in ("keras", "tensorflow_probability", "tf_keras", "tf_marscf"):
    sys.modules[name] = None
import numpy as np
import tensorflow as tf
model = tf.saved_model.load({str(export[0])!r})
images = tf.constant(np.load({str(tmp_path / "images.npy")!r}))
scores = model.signatures["serving_default"](images=images)["log_prob"]
np.save({str(tmp_path / "scores.npy")!r}, scores)
model.signatures["sample"](
    num_samples=tf.constant(2), seed=tf.constant(1), temperature=tf.constant(1.0)
)
"""
    process = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert process.returncode == 0, process.stderr
    np.testing.assert_allclose(
        np.load(tmp_path / "scores.npy"),
        served["serving_default"](images=tf.constant(images))["log_prob"],
        rtol=1e-6,
    )


def test_eight_threads_get_the_same_answers(served):
    images = tf.constant(pixels(4))
    expected = served["serving_default"](images=images)["log_prob"].numpy()
    samples = served["sample"](**request())["images"].numpy()
    failures = []

    def work():
        for _ in range(5):
            scores = served["serving_default"](images=images)["log_prob"]
            drawn = served["sample"](**request())["images"]
            if not (np.allclose(scores, expected, rtol=1e-5) and np.array_equal(drawn, samples)):
                failures.append(scores)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def test_warm_up_requests_are_answered(export, served):
    path = export[0] / "assets.extra" / "tf_serving_warmup_requests"
    requested = set()
    for record in tf.data.TFRecordDataset(str(path)):
        log = prediction_log_pb2.PredictionLog.FromString(record.numpy())
        request = log.predict_log.request
        name = request.model_spec.signature_name
        requested.add(name)
        inputs = {key: tf.constant(tf.make_ndarray(value)) for key, value in request.inputs.items()}
        for output in served[name](**inputs).values():
            assert np.all(np.isfinite(output))
    assert requested == SIGNATURES


def test_versions_are_counted_and_never_overwritten(tmp_path):
    save_model(tmp_path / "run", small_model(num_levels=1, prior="gaussian"))
    output = tmp_path / "served"
    assert export_model(tmp_path / "run", output).name == "1"
    assert export_model(tmp_path / "run", output, version=7).name == "7"
    assert export_model(tmp_path / "run", output).name == "8"
    with pytest.raises(RunError, match="has a version 7 already"):
        export_model(tmp_path / "run", output, version=7)
    assert sorted(path.name for path in output.iterdir()) == ["1", "7", "8"]


@pytest.mark.slow
def test_command_exports_and_refuses(tmp_path):
    save_model(tmp_path / "run", small_model(num_levels=1, prior="gaussian"))
    arguments = [f"--train_dir={tmp_path / 'run'}", f"--output={tmp_path / 'served'}"]
    process = run_command("export.py", *arguments)
    assert process.returncode == 0, process.stderr
    assert process.stdout.splitlines()[-1] == f"exported to {tmp_path / 'served' / '1'}"
    again = run_command("export.py", *arguments, "--version=1")
    assert again.returncode == 1
    assert "not overwritten" in error_line(again)
    cli = pathlib.Path(sys.executable).with_name("saved_model_cli")
    shown = subprocess.run(
        [cli, "show", "--dir", tmp_path / "served" / "1", "--all"],
        capture_output=True, text=True, check=True, cwd=ROOT,
    )  # fmt: skip
    assert all(f"signature_def['{name}']" in shown.stdout for name in SIGNATURES)
