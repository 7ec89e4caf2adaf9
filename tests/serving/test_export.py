"""Exports: what a server would load and answer."""

import collections
import concurrent.futures
import pathlib
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.saved_model.loader_impl import parse_saved_model
from tensorflow_serving.apis import prediction_log_pb2

import tf_marscf
from tests.running_commands import ROOT, error_line, run_command
from tests.served_requests import (
    BAD_REQUESTS,
    SIGNATURES,
    WRONG_DTYPES,
    good_requests,
    pixels,
    sample_request,
)
from tests.small_models import BOTH_OF_ALL, ids_of_options, small_model
from tf_marscf.errors import RunError
from tf_marscf.serving import export
from tf_marscf.serving.export import export_model


def save_model(directory, model, **pixels):
    """Saves a model, and returns its distribution."""
    distribution = tf_marscf.Dequantized(model, **pixels)
    tf_marscf.save(distribution, directory)
    return distribution


@pytest.fixture(scope="module", params=BOTH_OF_ALL, ids=ids_of_options, name="exported")
def fixture_exported(request, tmp_path_factory):
    """`(path of the version, distribution)`."""
    directory = tmp_path_factory.mktemp("export")
    distribution = save_model(directory / "run", small_model(**request.param), num_grey_levels=17)
    return export_model(directory / "run", directory / "served"), distribution


@pytest.fixture(scope="module", name="served")
def fixture_served(exported):
    return tf.saved_model.load(str(exported[0])).signatures


def test_signatures_have_unknown_batch_sizes(exported, served):
    assert exported[0].name == "1"
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


def test_scores_are_those_of_the_model_and_do_not_depend_on_the_batch(exported, served):
    images = pixels(5)
    scores = served["serving_default"](images=tf.constant(images))
    alone = served["serving_default"](images=tf.constant(images[3:4]))
    np.testing.assert_allclose(scores["log_prob"][3:4], alone["log_prob"], rtol=1e-5)
    np.testing.assert_allclose(
        scores["bits_per_dim"], -scores["log_prob"] / (64 * np.log(2)), rtol=1e-6
    )
    # One draw of noise: near what other draws give.
    drawn = np.mean([exported[1].bits_per_dim(images, seed=seed) for seed in range(20)], axis=0)
    np.testing.assert_allclose(scores["bits_per_dim"], drawn, atol=0.5)


def test_continuous_images_have_the_log_density_of_the_model(exported, served):
    values = exported[1].dequantize(pixels(3), seed=1)
    np.testing.assert_allclose(
        served["log_prob_float"](values=values)["log_prob"],
        exported[1].distribution.log_prob(values),
        rtol=1e-5,
    )


def test_samples_are_those_of_the_model(exported, served):
    images = call(served, "sample", sample_request(3, seed=7))["images"]
    expected = exported[1].sample(3, seed=7)
    # A value at the edge between two grey levels may be rounded to either.
    assert np.mean(images != expected) <= 0.01
    again = call(served, "sample", sample_request(3, seed=7))["images"]
    np.testing.assert_array_equal(images, again)
    assert np.any(images != call(served, "sample", sample_request(3, seed=8))["images"])


def test_samples_take_a_temperature_a_level(exported, served):
    images = call(served, "sample", sample_request(3, seed=7, temperature=[0.9, 0.2]))["images"]
    expected = exported[1].sample(3, seed=7, temperature=[0.9, 0.2])
    assert np.mean(images != expected) <= 0.01
    one, equal = (
        call(served, "sample", sample_request(3, seed=7, temperature=temperature))["images"]
        for temperature in (0.5, [0.5, 0.5])
    )
    np.testing.assert_array_equal(one, equal)


def test_decoding_the_encoded_images_gives_them_back(served):
    images = pixels(4)
    latents = served["encode"](images=tf.constant(images))["latents"]
    decoded = served["decode"](latents=latents)
    np.testing.assert_array_equal(decoded["images"], images)
    np.testing.assert_allclose(decoded["values"], (images + 0.5) / 17 - 0.5, atol=1e-4)


def test_empty_batches_give_empty_answers(served):
    empty = tf.zeros([0, 8, 8, 1], tf.uint8)
    assert served["serving_default"](images=empty)["log_prob"].shape == (0,)
    assert served["serving_default"](images=empty)["bits_per_dim"].shape == (0,)
    assert served["log_prob_float"](values=tf.zeros([0, 8, 8, 1]))["log_prob"].shape == (0,)
    assert served["encode"](images=empty)["latents"].shape == (0, 64)
    assert served["decode"](latents=tf.zeros([0, 64]))["images"].shape == (0, 8, 8, 1)


def call(served, signature, inputs):
    return served[signature](**{name: tf.constant(value) for name, value in inputs.items()})


def test_bad_requests_are_refused_and_the_next_is_answered(served):
    images = {"images": pixels(1)}
    expected = call(served, "serving_default", images)["log_prob"]
    for signature, inputs, message in [
        *BAD_REQUESTS,
        *((*request, "expected to be a") for request in WRONG_DTYPES),
    ]:
        with pytest.raises(tf.errors.InvalidArgumentError, match=message):
            call(served, signature, inputs)
        following = call(served, "serving_default", images)["log_prob"]
        np.testing.assert_array_equal(following, expected)


def graphs(exported):
    """The nodes of the graph and of each function in it."""
    graph_def = parse_saved_model(str(exported[0])).meta_graphs[0].graph_def
    return [graph_def.node, *(function.node_def for function in graph_def.library.function)]


def test_graph_has_no_variables_and_its_weights_are_worked_out(exported):
    """No inverse of a 1x1 convolution and no norm of a kernel is left to compute."""
    operations = {node.op for nodes in graphs(exported) for node in nodes}
    left = {"VarHandleOp", "ReadVariableOp", "MatrixTriangularSolve", "MatrixBandPart"}
    assert not operations & left
    assert not any("Py" in name for name in operations)


def test_a_signature_computes_with_the_worked_out_weights(exported):
    """What reads constants alone is one itself."""
    for nodes in graphs(exported)[1:]:
        fixed = {node.name for node in nodes if node.op == "Const"}
        for node in nodes:
            inputs = [name.split(":")[0] for name in node.input if not name.startswith("^")]
            if inputs and node.op not in ("Identity", "TensorListReserve"):
                assert not fixed.issuperset(inputs), (node.name, node.op)


def test_graph_does_not_ask_for_xla(exported):
    """Sampling is compiled inside of TensorFlow's graphs; a server need not have XLA."""
    (graph,) = parse_saved_model(str(exported[0])).meta_graphs
    functions = graph.graph_def.library.function
    nodes = [*graph.graph_def.node, *(node for function in functions for node in function.node_def)]
    assert nodes
    assert not any(part.attr["_XlaMustCompile"].b for part in (*nodes, *functions))


def test_every_weight_is_once_in_the_graph(exported):
    """Five signatures share them, or a large model would not fit into a file of two gigabytes."""
    counts = collections.Counter(
        node.attr["value"].tensor.SerializeToString(deterministic=True)
        for nodes in graphs(exported)
        for node in nodes
        if node.op == "Const"
    )
    assert all(count == 1 for content, count in counts.items() if len(content) > 2000)
    assert sum(len(content) > 2000 for content in counts) > 3


def test_export_loads_with_tensorflow_alone(exported, served, tmp_path):
    """A Python process that cannot import Keras, TFP or this project."""
    images = pixels(2)
    np.save(tmp_path / "images.npy", images)
    program = f"""
import sys
for name in ("keras", "tensorflow_probability", "tf_keras", "tf_marscf"):
    sys.modules[name] = None
import numpy as np
import tensorflow as tf
model = tf.saved_model.load({str(exported[0])!r})
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


def test_eight_threads_get_equal_answers(served):
    requests = good_requests(4)
    expected = {name: call(served, name, inputs) for name, inputs in requests.items()}

    def work(first):
        names = list(requests)
        for name in names[first % 5 :] + names[: first % 5]:
            for output, value in call(served, name, requests[name]).items():
                np.testing.assert_array_equal(value, expected[name][output], err_msg=name)

    with concurrent.futures.ThreadPoolExecutor(8) as threads:
        list(threads.map(work, range(24)))


def test_warm_up_requests_are_answered(exported, served):
    path = exported[0] / "assets.extra" / "tf_serving_warmup_requests"
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


@pytest.fixture(scope="module", name="tiny_run")
def fixture_tiny_run(tmp_path_factory):
    """A directory with the smallest model."""
    directory = tmp_path_factory.mktemp("tiny") / "run"
    save_model(directory, small_model((4, 4, 1), num_levels=1, prior="gaussian"))
    return directory


@pytest.fixture(name="fast_export")
def fixture_fast_export(monkeypatch):
    """Exports write a file in place of a graph, for tests of the directories alone."""

    def write(functions, images_distribution, directory):
        directory.mkdir()
        (directory / "saved_model.pb").write_text(directory.name)

    monkeypatch.setattr(export, "_write", write)


def test_versions_are_counted_and_never_overwritten(tiny_run, fast_export, tmp_path):
    output = tmp_path / "ser ved" / "é"
    assert export_model(tiny_run, output).name == "1"
    assert export_model(tiny_run, output, version=7).name == "7"
    (output / "10.tmp").mkdir()
    (output / "²").mkdir()
    assert export_model(tiny_run, output).name == "8"
    before = (output / "7" / "saved_model.pb").read_text()
    with pytest.raises(RunError, match="has a version 7 already"):
        export_model(tiny_run, output, version=7)
    assert (output / "7" / "saved_model.pb").read_text() == before
    assert {path.name for path in output.iterdir()} == {"1", "7", "8", "10.tmp", "²"}


def test_exports_at_the_same_time_get_versions_of_their_own(tiny_run, fast_export, tmp_path):
    with concurrent.futures.ThreadPoolExecutor(4) as threads:
        paths = list(threads.map(lambda _: export_model(tiny_run, tmp_path), range(8)))
    assert {path.name for path in paths} == {str(number) for number in range(1, 9)}
    assert {path.name for path in tmp_path.iterdir()} == {path.name for path in paths}
    assert len({(path / "saved_model.pb").read_text() for path in paths}) == 8


def test_a_version_that_appears_meanwhile_is_not_overwritten(tiny_run, tmp_path, monkeypatch):
    def write(functions, images_distribution, directory):
        directory.mkdir()
        (tmp_path / "3").mkdir()
        (tmp_path / "3" / "saved_model.pb").write_text("theirs")

    monkeypatch.setattr(export, "_write", write)
    with pytest.raises(RunError, match="has a version 3 already"):
        export_model(tiny_run, tmp_path, version=3)
    assert (tmp_path / "3" / "saved_model.pb").read_text() == "theirs"
    assert [path.name for path in tmp_path.iterdir()] == ["3"]


def test_what_tensorflow_cannot_write_ends_in_one_error(tiny_run, tmp_path, monkeypatch):
    def write(functions, images_distribution, directory):
        directory.mkdir()
        raise tf.errors.ResourceExhaustedError(None, None, "No space left on device")

    monkeypatch.setattr(export, "_write", write)
    with pytest.raises(RunError, match="cannot be written to: No space left"):
        export_model(tiny_run, tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"version": 0}, "`version` must be an integer >= 1; got 0"),
        ({"version": 2**63}, "`version` must be"),
        ({"version": 1.5}, "`version` must be"),
        ({"max_num_samples": 0}, "`max_num_samples` must be an integer >= 1; got 0"),
        ({"which": "worst"}, "`which` must be one of"),
    ],
)
def test_unsuitable_arguments_are_named_and_nothing_is_written(
    tiny_run, tmp_path, options, message
):
    with pytest.raises(ValueError, match=message):
        export_model(tiny_run, tmp_path / "served", **options)
    assert not (tmp_path / "served").exists()


def test_a_model_too_large_for_a_graph_is_refused(tiny_run, tmp_path, monkeypatch):
    monkeypatch.setattr(export, "_MAX_NUM_BYTES", 1000)
    with pytest.raises(ValueError, match="at most 2 GB"):
        export_model(tiny_run, tmp_path)


def saved_model_cli(*arguments):
    """What `saved_model_cli` prints."""
    program = pathlib.Path(sys.executable).with_name("saved_model_cli")
    process = subprocess.run(
        [program, *map(str, arguments)], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert process.returncode == 0, process.stderr
    return process.stdout


@pytest.mark.slow
def test_command_exports_and_refuses(tiny_run, tmp_path):
    arguments = [f"--train_dir={tiny_run}", f"--output={tmp_path / 'served'}"]
    process = run_command("export.py", *arguments, "--check")
    assert process.returncode == 0, process.stderr
    lines = process.stdout.splitlines()
    assert lines[-1] == f"exported to {tmp_path / 'served' / '1'}"
    encode = "  encode: images uint8 [N, 4, 4, 1] -> latents float32 [N, 16]"
    assert encode in lines and any("MB on the disk, 5 signatures" in line for line in lines)
    checked = [line for line in lines if line.startswith("checked ")]
    assert len(checked) == 5
    again = run_command("export.py", *arguments, "--version=1")
    assert again.returncode == 1
    assert "not overwritten" in error_line(again)
    alone = run_command("export.py", "--check", arguments[1])
    assert alone.returncode == 0, alone.stderr
    lines = alone.stdout.splitlines()
    assert [line.split(",")[0] for line in lines[:5]] == [line.split(",")[0] for line in checked]
    assert lines[-1] == f"checked {tmp_path / 'served' / '1'}"
    assert encode in lines


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "`train_dir` must be given, unless `check` is; got none"),
        (["--check", "--format=stablehlo"], "`format` must not be given without --train_dir"),
        (["--check", "--max_num_samples=2"], "`max_num_samples` must not be given without"),
        (["--check", "--checkpoint=best"], "`checkpoint` must not be given without --train_dir"),
        (["--check"], "`output` must be the directory of an export"),
    ],
)
def test_command_says_what_an_export_or_a_check_needs(tmp_path, arguments, message):
    process = run_command("export.py", f"--output={tmp_path / 'none'}", *arguments)
    assert process.returncode == 2
    assert message in error_line(process)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_saved_model_cli_shows_and_runs(tiny_run, tmp_path):
    path = export_model(tiny_run, tmp_path)
    shown = saved_model_cli("show", "--dir", path, "--all")
    assert all(f"signature_def['{name}']" in shown for name in SIGNATURES)
    served = tf.saved_model.load(str(path)).signatures
    for signature, inputs in {
        "serving_default": {"images": pixels(2, (4, 4, 1))},
        "sample": sample_request(3),
    }.items():
        for name, value in inputs.items():
            np.save(tmp_path / f"{name}.npy", value)
        pairs = ";".join(f"{name}={tmp_path / name}.npy" for name in inputs)
        saved_model_cli(
            "run", "--dir", path, "--tag_set", "serve", "--signature_def", signature,
            "--inputs", pairs, "--outdir", tmp_path, "--overwrite",
        )  # fmt: skip
        for name, expected in call(served, signature, inputs).items():
            actual = np.load(tmp_path / f"{name}.npy")
            np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-5)
