"""The client in serving/: what it draws and prints."""

import subprocess
import sys

import numpy as np
import pytest
from google.protobuf import text_format
from PIL import Image
from tensorflow.core.protobuf import meta_graph_pb2

from tests.c_interface import CInterfaceError
from tests.model_server import ModelServer
from tests.running_commands import ROOT
from tests.served_requests import pixels, sample_request

HELP = f"""
import sys
sys.path.insert(0, {str(ROOT / "serving")!r})
sys.argv = ["client.py", *{{}}]
import client
try:
    client.main()
finally:
    heavy = {{{{"numpy", "requests", "PIL", "grpc", "tensorflow"}}}} & set(sys.modules)
    assert not heavy, heavy
"""


def test_help_is_quick_to_say_and_wrong_arguments_are_refused_as_quickly():
    for arguments, status, said in (
        (["--help"], 0, "--interface=grpc needs"),
        (["sample", "--help"], 0, "--temperature"),
        (["sample", "--seed=x"], 2, "argument --seed: must be an integer from 0 to"),
    ):
        process = subprocess.run(
            [sys.executable, "-c", HELP.format(arguments)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert process.returncode == status
        assert said in (process.stderr if status else process.stdout)


@pytest.mark.slow
@pytest.mark.parametrize("interface", ["rest", "grpc"])
def test_samples_are_drawn(ask, model_in_c, interface):
    status, output, errors = ask(
        "sample", "--num_samples=5", "--seed=3", "--temperature=0.7", "--num_grey_levels=17",
        "--output=drawn.png", interface=interface,
    )  # fmt: skip
    assert (status, output, errors) == (0, "wrote 5 samples to drawn.png\n", [])
    expected = model_in_c.run("sample", sample_request(5, seed=3, temperature=0.7))["images"]
    with Image.open("drawn.png") as picture:
        drawn = np.asarray(picture)
    assert drawn.shape == (2 * 66 + 2, 3 * 66 + 2)
    cells = [drawn[2 + row * 66 :, 2 + column * 66 :][:64:8, :64:8]
             for row in range(2) for column in range(3)]  # fmt: skip
    np.testing.assert_array_equal(cells[:5], np.rint(expected[..., 0] * (255 / 16)))
    assert np.all(cells[5] == 255)


@pytest.mark.slow
@pytest.mark.parametrize("interface", ["rest", "grpc"])
def test_files_and_arrays_have_the_scores_of_the_model(ask, model_in_c, tmp_path, interface):
    images = pixels(3)
    np.savez(tmp_path / "images.npz", images=images)
    for number, image in enumerate(images):
        bright = np.rint(image[..., 0] * (255 / 16)).astype(np.uint8)
        Image.fromarray(bright).save(tmp_path / f"{number},.png")
    expected = model_in_c.run("serving_default", {"images": images})
    for arguments in (
        ["images.npz", "--batch_size=2"],
        ["0,.png", "1,.png", "2,.png", "--num_grey_levels=17"],
    ):
        status, output, errors = ask("score", *arguments, interface=interface)
        assert (status, errors) == (0, [])
        header, *rows, mean = output.splitlines()
        assert header == "image,bits_per_dim,log_prob"
        values = np.array([row.rsplit(",", 2)[1:] for row in rows], float)
        np.testing.assert_allclose(values[:, 0], expected["bits_per_dim"], rtol=1e-5)
        np.testing.assert_allclose(values[:, 1], expected["log_prob"], rtol=1e-5)
        assert mean == f"mean of 3 images: {expected['bits_per_dim'].mean():.4f} bits/dim"
    assert rows[1].startswith('"1,.png",')
    assert ask("score", "images.npz", "--output=scores.csv", interface=interface)[0] == 0
    written = (tmp_path / "scores.csv").read_text().splitlines()
    assert [row.split(",")[0] for row in written] == ["image"] + [
        f"images.npz[{index}]" for index in range(3)
    ]


@pytest.mark.slow
@pytest.mark.parametrize("interface", ["rest", "grpc"])
def test_state_and_signatures_are_printed(ask, interface):
    status, output, errors = ask("status", interface=interface)
    assert (status, errors) == (0, [])
    lines = output.splitlines()
    assert lines[0] == "digits version 1: AVAILABLE"
    assert (
        "  sample: num_samples int32 [], seed int32 [], temperature float32 [...] -> images uint8 "
        "[N, 8, 8, 1]" in lines
    )


class FakeModel:
    """Answers from Python, with the signatures of a model with classes."""

    def __init__(self, signatures):
        self.signatures = signatures
        self.requests = []

    def run(self, signature, inputs):
        self.requests.append((signature, inputs))
        if np.any(inputs["labels"] > 2):
            raise CInterfaceError(3, "`labels` must be from 0 to 2; got")
        num_images = len(inputs["labels"])
        if signature == "sample":
            return {"images": np.zeros([num_images, 8, 8, 1], np.uint8)}
        scores = np.arange(num_images, dtype=np.float32)
        return {"bits_per_dim": scores, "log_prob": -scores}


@pytest.fixture(scope="module", name="signatures_with_classes")
def fixture_signatures_with_classes():
    """The parts of `SignatureDef`s that the client reads."""

    def signature(inputs, outputs):
        text = "".join(
            f'{kind} {{ key: "{name}" value {{ dtype: {dtype} tensor_shape {{ {shape} }} }} }}\n'
            for kind, infos in (("inputs", inputs), ("outputs", outputs))
            for name, (dtype, shape) in infos.items()
        )
        return text_format.Parse(text, meta_graph_pb2.SignatureDef())

    def sizes(*values):
        return " ".join(f"dim {{ size: {value} }}" for value in values)

    images, labels = ("DT_UINT8", sizes(-1, 8, 8, 1)), ("DT_INT32", sizes(-1))
    number, score = ("DT_FLOAT", "unknown_rank: true"), ("DT_FLOAT", sizes(-1))
    return {
        "serving_default": signature(
            {"images": images, "labels": labels}, {"bits_per_dim": score, "log_prob": score}
        ),
        "sample": signature(
            {"labels": labels, "seed": ("DT_INT32", ""), "temperature": number}, {"images": images}
        ),
    }


@pytest.mark.parametrize("interface", ["rest", "grpc"])
def test_models_with_classes_want_a_label(call, tmp_path, signatures_with_classes, interface):
    np.savez(tmp_path / "images.npz", images=pixels(2))
    model = FakeModel(signatures_with_classes)
    with ModelServer({"digits": {3: model}}) as server:
        port = server.rest_port if interface == "rest" else server.grpc_port
        options = [f"--interface={interface}", f"--server=localhost:{port}"]
        scored = call("score", "images.npz", "--label=1", "--version=3", *options)
        drawn = call("sample", "--num_samples=4", "--label=2", "--temperature=0.5,0.9", *options)
        without = call("sample", *options)
        beyond = call("score", "images.npz", "--label=3", *options)
    assert (scored[0], drawn[0]) == (0, 0)
    (_, to_score), (_, to_draw), _ = model.requests
    np.testing.assert_array_equal(to_score["labels"], [1, 1])
    np.testing.assert_array_equal(to_score["images"], pixels(2))
    np.testing.assert_array_equal(to_draw["labels"], [2] * 4)
    np.testing.assert_array_equal(to_draw["temperature"], np.float32([0.5, 0.9]))
    assert without[0] == 2
    assert without[2] == ["error: --label must be given: model 'digits' has classes"]
    assert beyond[0] == 1 and "`labels` must be from 0 to 2" in beyond[2][0]
