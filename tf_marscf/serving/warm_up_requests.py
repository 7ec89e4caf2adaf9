"""Requests that TensorFlow Serving runs through a model before it serves it."""

import importlib.util

import tensorflow as tf

FILE_NAME = "tf_serving_warmup_requests"
_NUM_EXAMPLES = 2


def is_available():
    """Whether the optional package tensorflow-serving-api is installed."""
    return importlib.util.find_spec("tensorflow_serving") is not None


def write_warm_up_requests(path, signatures):
    """Writes one request a signature: with it TensorFlow prepares what the first call needs.

    Args:
        path: the file, `assets.extra/tf_serving_warmup_requests` of an export.
        signatures: dict from names to dicts of `tf.TensorSpec`s.

    Raises:
        ImportError: if the package tensorflow-serving-api is not installed.
    """
    from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

    with tf.io.TFRecordWriter(str(path)) as writer:
        for name, specs in signatures.items():
            request = predict_pb2.PredictRequest()
            request.model_spec.signature_name = name
            for argument, spec in specs.items():
                shape = [_NUM_EXAMPLES if size is None else size for size in spec.shape]
                # Ones are valid everywhere: a grey level, a number of samples, a temperature.
                request.inputs[argument].CopyFrom(tf.make_tensor_proto(1, spec.dtype, shape))
            log = prediction_log_pb2.PredictLog(request=request)
            writer.write(prediction_log_pb2.PredictionLog(predict_log=log).SerializeToString())
