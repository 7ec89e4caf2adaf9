"""The stand-in for TensorFlow Serving, by examples of that server's documentation and sources."""

import json
import re

import grpc
import numpy as np
import pytest
import requests
import tensorflow as tf
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from tests.rest_json import write_outputs
from tests.served_requests import BAD_REQUESTS, SIGNATURES, good_requests, pixels

pytestmark = pytest.mark.slow


@pytest.fixture(name="url")
def fixture_url(model_server):
    return f"http://localhost:{model_server.rest_port}/v1/models"


@pytest.fixture(scope="module", name="channel")
def fixture_channel(model_server):
    with grpc.insecure_channel(f"localhost:{model_server.grpc_port}") as channel:
        yield channel


def test_rows_and_columns_have_the_answers_of_the_model(url, model_in_c):
    images = pixels(3)
    expected = model_in_c.run("serving_default", {"images": images})
    columns = requests.post(f"{url}/digits:predict", json={"inputs": {"images": images.tolist()}})
    outputs = columns.json()["outputs"]
    assert outputs.keys() == expected.keys() == {"bits_per_dim", "log_prob"}
    for name, values in outputs.items():
        np.testing.assert_array_equal(np.float32(values), expected[name])
    for rows in (images.tolist(), [{"images": image.tolist()} for image in images]):
        answer = requests.post(f"{url}/digits/versions/1:predict", json={"instances": rows})
        predictions = answer.json()["predictions"]
        assert [one["log_prob"] for one in predictions] == outputs["log_prob"]


def test_a_single_output_has_no_name(url):
    inputs = {"num_samples": 2, "seed": 1, "temperature": 1}
    request = {"signature_name": "sample", "inputs": inputs}
    images = requests.post(f"{url}/digits:predict", json=request).json()["outputs"]
    assert np.shape(images) == (2, 8, 8, 1)


@pytest.mark.parametrize(
    ("path", "body", "status", "message"),
    [
        ("nothing:predict", {"inputs": []}, 404, "not found for request: Latest(nothing)"),
        ("digits/versions/7:predict", {"inputs": []}, 404, "request: Specific(digits, 7)"),
        (
            "digits/labels/stable:predict",
            {"inputs": []},
            400,
            "Unrecognized servable version label",
        ),
        ("digits:think", {}, 400, "Malformed request: POST /v1/models/digits:think"),
        ("digits:predict", {"signature_name": "x"}, 400, 'name: "x" not found in signature def'),
        ("digits:predict", {"signature_name": 1}, 400, "'signature_name' key must be a string"),
        ("digits:predict", {}, 400, "Missing 'inputs' or 'instances' key"),
        ("digits:predict", {"inputs": [], "instances": []}, 400, "expecting only one of"),
        ("digits:predict", {"instances": []}, 400, "No values in 'instances' array"),
        ("digits:predict", {"inputs": {"pictures": []}}, 400, "Missing named input: images"),
        ("digits:predict", {"instances": [{"pictures": []}]}, 400, "does not have named input"),
        ("digits:predict", {"inputs": [[1.5]]}, 400, "Type: Number is not of expected type: uint8"),
        # Bytes are for inputs that are strings.
        ("digits:predict", {"inputs": [{"b64": "AAA="}]}, 400, "is not of expected type: uint8"),
        (
            "digits:predict",
            {"inputs": [[1], [1, 2]]},
            400,
            "Encountered list at unexpected size: 2",
        ),
        (
            "digits:predict",
            {"signature_name": "sample", "inputs": [1]},
            400,
            "expecting an object as multiple input tensors",
        ),
    ],
)
def test_errors_of_rest(url, path, body, status, message):
    answer = requests.post(f"{url}/{path}", json=body)
    assert answer.status_code == status
    assert list(answer.json()) == ["error"] and message in answer.json()["error"]


def test_what_is_no_json_is_refused(url):
    answer = requests.post(f"{url}/digits:predict", data="instances = [1, 2]")
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("JSON Parse error: Invalid value.")


def test_errors_of_the_model_are_those_of_the_graph(url):
    for signature, inputs, message in BAD_REQUESTS:
        if np.ndim(inputs.get("temperature")):
            continue  # These are of a model with two levels.
        inputs = {name: value.tolist() for name, value in inputs.items()}
        # The server takes NaN, as Python's JSON does, and no other.
        body = json.dumps({"signature_name": signature, "inputs": inputs})
        answer = requests.post(f"{url}/digits:predict", data=body)
        assert answer.status_code == 400, (signature, message)
        assert re.search(message, answer.json()["error"])


def test_state_and_signatures_by_rest(url):
    status = requests.get(f"{url}/digits").json()["model_version_status"]
    assert status == [
        {"version": "1", "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
    ]
    assert requests.get(f"{url}/digits/versions/1").json()["model_version_status"] == status
    metadata = requests.get(f"{url}/digits/metadata").json()
    assert metadata["model_spec"]["version"] == "1"
    signatures = metadata["metadata"]["signature_def"]["signature_def"]
    assert SIGNATURES <= signatures.keys()
    images = signatures["encode"]["inputs"]["images"]
    assert images["dtype"] == "DT_UINT8"
    assert [dim["size"] for dim in images["tensor_shape"]["dim"]] == ["-1", "8", "8", "1"]
    missing = requests.get(f"{url}/digits/versions/7")
    assert missing.status_code == 404
    assert missing.json() == {"error": "Could not find version 7 of model digits"}


def test_numbers_are_written_so_that_they_are_read_again():
    values = np.array([0.1, 1 / 3, 3.0, 1e-20, np.nan, -np.inf], np.float32)
    text = write_outputs({"values": values}, in_rows=False)
    assert "[0.1, 0.333333343, 3.0, 1e-20, NaN, -Infinity]" in text


def predict_request(signature, inputs, name="digits", version=None):
    request = predict_pb2.PredictRequest()
    request.model_spec.name, request.model_spec.signature_name = name, signature
    if version is not None:
        request.model_spec.version.value = version
    for key, value in inputs.items():
        request.inputs[key].CopyFrom(tf.make_tensor_proto(value))
    return request


def test_every_signature_by_grpc(channel, model_in_c):
    stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
    for signature, inputs in good_requests(2).items():
        outputs = stub.Predict(predict_request(signature, inputs)).outputs
        for name, expected in model_in_c.run(signature, inputs).items():
            np.testing.assert_array_equal(tf.make_ndarray(outputs[name]), expected)


@pytest.mark.parametrize(
    ("change", "code", "message"),
    [
        ({"name": "x"}, "NOT_FOUND", "Servable not found for request: Latest(x)"),
        ({"version": 2}, "NOT_FOUND", "Servable not found for request: Specific(digits, 2)"),
        ({"signature": "x"}, "FAILED_PRECONDITION", 'Serving signature key "x" not found.'),
        ({"inputs": {}}, "INVALID_ARGUMENT", "Missing but required: {images}."),
        ({"inputs": {"x": np.uint8(1)}}, "INVALID_ARGUMENT", "alias not found in signature: x."),
        (
            {"inputs": {"images": np.float32(1)}},
            "INVALID_ARGUMENT",
            "to be uint8 but float is provided",
        ),
    ],
)
def test_errors_of_grpc(channel, change, code, message):
    stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
    request = {"signature": "serving_default", "inputs": {"images": pixels(1)}} | change
    with pytest.raises(grpc.RpcError) as raised:
        stub.Predict(predict_request(**request))
    assert raised.value.code().name == code
    assert message in raised.value.details()


def test_state_and_signatures_by_grpc(channel):
    request = get_model_status_pb2.GetModelStatusRequest()
    request.model_spec.name = "digits"
    (status,) = (
        model_service_pb2_grpc.ModelServiceStub(channel)
        .GetModelStatus(request)
        .model_version_status
    )
    assert (status.version, status.state) == (1, status.AVAILABLE)
    request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
    request.model_spec.name = "digits"
    stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
    signatures = get_model_metadata_pb2.SignatureDefMap()
    stub.GetModelMetadata(request).metadata["signature_def"].Unpack(signatures)
    assert SIGNATURES <= set(signatures.signature_def)
