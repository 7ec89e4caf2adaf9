"""The README's requests to a server, as written; tests/documentation/ runs the other code."""

import concurrent.futures
import json
import pathlib
import re

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

from tf_marscf.data import DataConfig
from tf_marscf.serving.export import export_model
from tf_marscf.training.training_config import TrainingConfig
from tf_marscf.training.training_run import TrainingRun

README = (pathlib.Path(__file__).resolve().parents[1] / "README.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module", name="place")
def fixture_place(tmp_path_factory):
    """A directory with a trained and exported model."""
    place = tmp_path_factory.mktemp("readme")
    train_dir = place / "runs" / "digits"
    TrainingRun(
        str(train_dir),
        DataConfig(name="digits"),
        {"num_levels": 2, "num_steps": 1, "hidden_channels": 16, "prior_hidden_channels": 8,
         "prior_num_layers": 1},
        TrainingConfig(batch_size=32, num_epochs=1, learning_rate=5e-3, warm_up_images=500,
                       average_decay=0.99, num_sample_images=4, sample_every=0),
        progress="none",
    ).run()  # fmt: skip
    export_model(str(train_dir), place / "exports" / "digits")
    return place


@pytest.mark.slow
def test_requests_of_the_readme_fit_the_signatures(place):
    """The JSON of each `curl`, with images of the model's size instead of 2x2 pixels."""
    served = tf.saved_model.load(str(place / "exports" / "digits" / "1")).signatures
    requests = [json.loads(text) for text in re.findall(r"curl -d '(.*?)' \$URL", README)]
    assert {request["signature_name"] for request in requests} == set(served)
    for request in requests:
        signature = served[request["signature_name"]]
        inputs = {}
        for name, spec in signature.structured_input_signature[1].items():
            value = np.array(request["inputs"].pop(name))
            if spec.shape.rank:
                value = np.resize(value, [len(value), *spec.shape[1:]])
            inputs[name] = tf.constant(value, spec.dtype)
        assert not request["inputs"]
        assert signature(**inputs)


class PredictionService(prediction_service_pb2_grpc.PredictionServiceServicer):
    """Answers as TensorFlow Serving does, from the signatures of an export."""

    def __init__(self, signatures):
        self._signatures = signatures
        self.answered = []

    def Predict(self, request, context):
        self.answered.append(request.model_spec.signature_name)
        inputs = {name: tf.constant(tf.make_ndarray(v)) for name, v in request.inputs.items()}
        response = predict_pb2.PredictResponse()
        for name, value in self._signatures[self.answered[-1]](**inputs).items():
            response.outputs[name].CopyFrom(tf.make_tensor_proto(value.numpy()))
        return response


@pytest.mark.slow
def test_the_grpc_client_calls_every_signature(place, capsys):
    """The block as written, but for the port."""
    served = tf.saved_model.load(str(place / "exports" / "digits" / "1")).signatures
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(2))
    service = PredictionService(served)
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(service, server)
    port = server.add_insecure_port("localhost:0")
    server.start()
    block = re.search(r"```py\n(.*?)```", README, flags=re.DOTALL)[1]
    assert '"localhost:8500"' in block
    exec(compile(block.replace("8500", str(port)), "README.md", "exec"), {})
    server.stop(grace=None)
    assert set(service.answered) == set(served)
    assert capsys.readouterr().out.splitlines()[-1] == "True"
