"""Requests put together as TensorFlow Serving does: which signatures bear it."""

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

from tests.c_interface import CInterfaceError
from tests.served_requests import good_requests, pixels

pytestmark = pytest.mark.slow


def run_together(model, signature, requests):
    """Runs requests as one batch, by the rules of TensorFlow Serving's batching_session.cc."""
    for inputs in requests:
        if any(value.ndim == 0 for value in inputs.values()):
            raise BatchingError("Batching Run() input tensors must have at least one dimension")
        if len({len(value) for value in inputs.values()}) > 1:
            raise BatchingError("Batching Run() input tensors must have equal 0th-dimension size")
    merged = {name: np.concatenate([one[name] for one in requests]) for name in requests[0]}
    outputs = model.run(signature, merged)
    ends = np.cumsum([len(next(iter(one.values()))) for one in requests])
    for value in outputs.values():
        if value.ndim == 0 or len(value) != ends[-1]:
            raise BatchingError("Batched output tensor's 0th dimension does not equal the sum of")
    return [
        {name: value[start:end] for name, value in outputs.items()}
        for start, end in zip([0, *ends[:-1]], ends, strict=True)
    ]


class BatchingError(Exception):
    """What the server says of a request that cannot be put together with others."""


@pytest.mark.parametrize("signature", ["serving_default", "log_prob_float", "encode", "decode"])
def test_a_batch_has_the_answers_of_its_requests(model_in_c, signature):
    inputs = good_requests(4)[signature]
    requests = [
        {name: value[rows] for name, value in inputs.items()} for rows in (slice(1), slice(1, 4))
    ]
    answers = run_together(model_in_c, signature, requests)
    for answer, request in zip(answers, requests, strict=True):
        for name, alone in model_in_c.run(signature, request).items():
            np.testing.assert_allclose(answer[name], alone, rtol=1e-5, atol=1e-5)


def test_samples_cannot_be_batched_nor_can_such_a_server_be_warmed_up(model_in_c, small_export):
    path = small_export[0] / "assets.extra" / "tf_serving_warmup_requests"
    refused = set()
    for record in tf.data.TFRecordDataset(str(path)):
        request = prediction_log_pb2.PredictionLog.FromString(record.numpy()).predict_log.request
        signature = request.model_spec.signature_name
        inputs = {key: tf.make_ndarray(value) for key, value in request.inputs.items()}
        try:
            run_together(model_in_c, signature, [inputs])
        except BatchingError as error:
            assert "at least one dimension" in str(error)
            refused.add(signature)
    assert refused == {"sample"}


def test_a_bad_request_is_refused_with_all_of_its_batch(model_in_c):
    bad = {"images": np.full([1, 8, 8, 1], 17, np.uint8)}
    with pytest.raises(CInterfaceError, match="grey levels below 17"):
        run_together(model_in_c, "serving_default", [{"images": pixels(2)}, bad])
