"""What an export says of itself, and what finds that one answers wrongly."""

import shutil
import sys

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from tests.served_requests import SIGNATURES
from tf_marscf.errors import InputError, MissingInputError, MissingPackageError, RunError
from tf_marscf.serving import export
from tf_marscf.serving.check_export import check_export
from tf_marscf.serving.export_listing import listing
from tf_marscf.serving.saved_model_file import FILE_NAME
from tf_marscf.serving.signature_checks import TOLERANCE, SignatureChecks
from tf_marscf.training.portable_export import export_portable

pytestmark = pytest.mark.slow


def test_a_listing_has_the_size_and_all_signatures(small_export):
    size, *lines = listing(small_export[0])
    files = [path for path in small_export[0].rglob("*") if path.is_file()]
    assert size == f"{sum(map(len, map(_read, files))) / 1e6:.2f} MB on the disk, 5 signatures:"
    assert lines == [
        "  decode: latents float32 [N, 64] -> images uint8 [N, 8, 8, 1], values float32 [N, 8, 8, "
        "1]",
        "  encode: images uint8 [N, 8, 8, 1] -> latents float32 [N, 64]",
        "  log_prob_float: values float32 [N, 8, 8, 1] -> log_prob float32 [N]",
        "  sample: num_samples int32 [], seed int32 [], temperature float32 [...] -> images uint8 "
        "[N, 8, 8, 1]",
        "  serving_default: images uint8 [N, 8, 8, 1] -> bits_per_dim float32 [N], log_prob "
        "float32 [N]",
    ]


def _read(path):
    return path.read_bytes()


def test_each_signature_of_an_export_is_checked(small_export):
    version, lines = small_export[0], []
    assert check_export(version.parent, report=lines.append) == version
    assert {line.split(",")[0] for line in lines} == {f"checked {name}" for name in SIGNATURES}
    assert all("1 and 2 images" in line for line in lines)
    agreements = [line for line in lines if "log_prob is the model's within" in line]
    assert len(agreements) == 2


@pytest.fixture(name="copy")
def fixture_copy(small_export, tmp_path):
    """A copy of the small export, to be changed: a model's directory."""
    shutil.copytree(small_export[0], tmp_path / "digits" / "1")
    return tmp_path / "digits"


def change(version, function):
    """Changes the graph for servers of a SavedModel."""
    file = version / FILE_NAME
    saved_model = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    function(saved_model.meta_graphs[0])
    file.write_bytes(saved_model.SerializeToString())


def change_a_weight(meta_graph):
    tensors = [
        node.attr["value"].tensor for node in meta_graph.graph_def.node if node.op == "Const"
    ]
    largest = max(
        (tensor for tensor in tensors if tensor.dtype == tf.float32.as_datatype_enum),
        key=lambda tensor: len(tensor.tensor_content),
    )
    weights = tf.make_ndarray(largest) * np.float32(1.1)
    assert weights.ndim == 4  # The kernel of a convolution.
    largest.CopyFrom(tf.make_tensor_proto(weights))


def remove_decode(meta_graph):
    del meta_graph.signature_def["decode"]


def feed_nothing(meta_graph):
    meta_graph.signature_def["encode"].inputs["images"].name = "nothing:0"


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (change_a_weight, "signature `serving_default` failed its check: log_prob is .* the mod"),
        (remove_decode, "signature `decode` failed its check: .* has none of that name"),
        (feed_nothing, "signature `encode` failed its check: .*nothing"),
    ],
)
def test_a_changed_graph_fails(copy, function, message):
    change(copy / "1", function)
    with pytest.raises(RunError, match=message):
        check_export(copy, report=lambda line: None)


def test_an_export_that_fails_does_not_appear(small_export, tmp_path, monkeypatch):
    def write(functions, images_distribution, directory):
        shutil.copytree(small_export[0], directory)
        change(directory, change_a_weight)

    monkeypatch.setattr(export, "_write", write)
    run = small_export[0].parents[2] / "run"
    with pytest.raises(RunError, match="signature `serving_default` failed its check"):
        export.export_model(run, tmp_path / "digits", report_check=lambda line: None)
    assert not list((tmp_path / "digits").iterdir())


@pytest.mark.parametrize(
    ("damage", "error", "message"),
    [
        (lambda path: path / "2", MissingInputError, "`output` must be the directory of an export"),
        (lambda path: path, InputError, "`output` must hold a version of an export; .* has none"),
        (lambda path: (path / "1").mkdir(), InputError, "`output` must hold a version"),
    ],
)
def test_where_there_is_no_export_is_said(tmp_path, damage, error, message):
    found = damage(tmp_path)
    with pytest.raises(error, match=message):
        check_export(tmp_path if found is None else found)


def test_versions_that_are_missing_or_damaged_are_named(copy):
    with pytest.raises(InputError, match="`version` must be one of those there, 1; got 7"):
        check_export(copy, version=7)
    shutil.rmtree(copy / "1" / "assets.extra")
    with pytest.raises(InputError, match="`output` must hold the weights of the export, too"):
        check_export(copy)
    (copy / "1" / FILE_NAME).write_bytes(b"\xff" * 40)
    with pytest.raises(InputError, match="must be the file of a SavedModel"):
        listing(copy / "1")


def test_without_jax_a_portable_export_is_not_begun(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "jax.export", None)
    with pytest.raises(MissingPackageError, match=r"needs JAX.*pip install 'tf_marscf\[stable"):
        export_portable(tmp_path / "run", tmp_path / "out", report_check=print)
    assert not list(tmp_path.iterdir())


@pytest.fixture(scope="module", name="checks")
def fixture_checks(small_export, model_in_c):
    """A function that checks the C program's answers, changed by another function."""
    changed = {}

    def run(name, inputs):
        inputs = {key: inputs[key] for key in model_in_c.signatures[name].inputs}
        answer = {key: value.copy() for key, value in model_in_c.run(name, inputs).items()}
        if name == changed["name"]:
            changed["function"](answer)
        return answer

    lines = []
    checks = SignatureChecks(run, small_export[1], lines.append)

    def check(name, function):
        changed.update(name=name, function=function)
        checks.check_all([1, 2])
        return lines

    return check


class Wrong:
    """Ways to change an answer."""

    calls = 0

    @classmethod
    def other_samples(cls, answer):
        cls.calls += 1
        answer["images"][0, 0, 0, 0] = cls.calls % 17

    @staticmethod
    def too_bright(answer):
        answer["images"][0, 0, 0, 0] = 17

    @staticmethod
    def too_few(answer):
        answer["images"] = answer["images"][1:]

    @staticmethod
    def too_wide(answer):
        answer["images"] = answer["images"].repeat(2, axis=2)

    @staticmethod
    def nan_scores(answer):
        answer["log_prob"][0] = np.nan

    @staticmethod
    def shifted(answer):
        answer["log_prob"] += 2 * TOLERANCE * 64

    @staticmethod
    def other_bits(answer):
        answer["bits_per_dim"] += 0.01

    @staticmethod
    def infinite_latents(answer):
        answer["latents"][0, 0] = np.inf

    @staticmethod
    def one_pixel(answer):
        answer["images"][-1, 0, 0, 0] ^= 1


@pytest.mark.parametrize(
    ("name", "function", "problem"),
    [
        ("sample", Wrong.other_samples, "the same request gives other images"),
        ("sample", Wrong.too_bright, "an image has grey level 17"),
        ("sample", Wrong.too_few, r"images has the shape \[0, 8, 8, 1\]; asked was for 1 images"),
        ("sample", Wrong.too_wide, r"images are uint8 \[1, 8, 16, 1\]"),
        ("serving_default", Wrong.nan_scores, "log_prob is not finite"),
        ("serving_default", Wrong.shifted, "log_prob is 2.0e-04 nats a value from the model's"),
        ("serving_default", Wrong.other_bits, "bits_per_dim is not that of log_prob"),
        ("log_prob_float", Wrong.shifted, "log_prob is 2.0e-04 nats a value from the model's"),
        ("encode", Wrong.infinite_latents, "latents is not finite"),
        ("decode", Wrong.one_pixel, "1 of 64 values are not those encoded"),
    ],
)
def test_a_wrong_answer_names_its_signature(checks, name, function, problem):
    with pytest.raises(RunError, match=f"^signature `{name}` failed its check: {problem}"):
        checks(name, function)


def test_right_answers_pass(checks):
    assert len(checks("sample", lambda answer: None)) == 5
