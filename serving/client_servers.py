"""TensorFlow Serving's two interfaces, REST and gRPC, with the same methods."""

import contextlib
import os
import sys
import urllib.parse

# What an answer holds one of.
_ANSWERS = {"model_version_status", "metadata", "outputs"}


class InputError(ValueError):
    """A file or an argument is not what it must be."""


class ServerError(Exception):
    """The server cannot be reached, or refuses what was asked."""


class NotFoundError(ServerError):
    """The server has no such model."""


class RestServer:
    """A server's REST interface, for one model.

    Args:
        address: HOST:PORT.
        model: the model's name.
        version: a number; None: the newest one that is loaded.
        timeout: seconds that an answer may take.
    """

    def __init__(self, address, model, version, timeout):
        self._address, self._timeout = address, timeout
        self._model = f"http://{address}/v1/models/{urllib.parse.quote(model, safe='')}"
        self._version = self._model if version is None else f"{self._model}/versions/{version}"

    def versions(self):
        """The states of all versions: a dict from numbers to pairs (state, error message)."""
        return _states(self._call(self._model))

    def signatures(self):
        """The signatures, as dicts, by name."""
        return self._call(f"{self._version}/metadata")["metadata"]["signature_def"]["signature_def"]

    def predict(self, signature, inputs, output_names):
        """The outputs of a signature, nested lists by name, of inputs, arrays by name."""
        inputs = {name: array.tolist() for name, array in inputs.items()}
        request = {"signature_name": signature, "inputs": inputs}
        outputs = self._call(f"{self._version}:predict", request)["outputs"]
        # A single output comes without its name.
        return outputs if len(output_names) > 1 else {output_names[0]: outputs}

    def _call(self, url, request=None):
        import requests

        try:
            if request is None:
                answer = requests.get(url, timeout=self._timeout)
            else:
                answer = requests.post(url, json=request, timeout=self._timeout)
        except requests.Timeout as error:
            raise ServerError(_late(self._address, self._timeout)) from error
        except requests.RequestException as error:
            raise ServerError(_absent(self._address)) from error
        try:
            content = answer.json()
        except ValueError:
            content = None
        expected = _ANSWERS if answer.status_code == 200 else {"error"}
        if not isinstance(content, dict) or expected.isdisjoint(content):
            raise ServerError(_stranger(self._address, "REST", answer.text))
        if answer.status_code != 200:
            kind = NotFoundError if answer.status_code == 404 else ServerError
            raise kind(content["error"])
        return content


class GrpcServer:
    """A server's gRPC interface; arguments and methods as of `RestServer`."""

    def __init__(self, address, model, version, timeout):
        _import_tensorflow()
        try:
            import grpc
            from tensorflow_serving.apis import model_service_pb2_grpc as model_service
            from tensorflow_serving.apis import prediction_service_pb2_grpc as prediction_service
        except ImportError as error:
            raise InputError(
                f"--interface=grpc needs a package that cannot be imported ({error}): "
                "pip install 'tf_marscf[serving]'"
            ) from error
        self._address, self._timeout = address, timeout
        self._model, self._version = model, version
        # Many images are more than gRPC's 4 MB.
        limits = [(f"grpc.max_{way}_message_length", -1) for way in ("receive", "send")]
        channel = grpc.insecure_channel(address, options=limits)
        self._models = model_service.ModelServiceStub(channel)
        self._predictions = prediction_service.PredictionServiceStub(channel)

    def versions(self):
        """As of `RestServer`."""
        from tensorflow_serving.apis import get_model_status_pb2

        request = get_model_status_pb2.GetModelStatusRequest()
        request.model_spec.name = self._model
        return _states(_as_dict(self._call(self._models.GetModelStatus, request)))

    def signatures(self):
        """As of `RestServer`."""
        from tensorflow_serving.apis import get_model_metadata_pb2

        request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
        self._name(request)
        response = self._call(self._predictions.GetModelMetadata, request)
        signatures = get_model_metadata_pb2.SignatureDefMap()
        response.metadata["signature_def"].Unpack(signatures)
        return _as_dict(signatures)["signature_def"]

    def predict(self, signature, inputs, output_names):
        """As of `RestServer`, but the outputs are arrays."""
        import tensorflow as tf
        from tensorflow_serving.apis import predict_pb2

        request = predict_pb2.PredictRequest()
        self._name(request)
        request.model_spec.signature_name = signature
        for name, array in inputs.items():
            request.inputs[name].CopyFrom(tf.make_tensor_proto(array))
        response = self._call(self._predictions.Predict, request)
        return {name: tf.make_ndarray(response.outputs[name]) for name in output_names}

    def _name(self, request):
        request.model_spec.name = self._model
        if self._version is not None:
            request.model_spec.version.value = self._version

    def _call(self, method, request):
        import grpc

        try:
            return method(request, timeout=self._timeout)
        except grpc.RpcError as error:
            code, details = error.code(), error.details()
            if code == grpc.StatusCode.DEADLINE_EXCEEDED:
                raise ServerError(_late(self._address, self._timeout)) from error
            if code == grpc.StatusCode.UNAVAILABLE and "batch" not in details:
                raise ServerError(_absent(self._address)) from error
            if code == grpc.StatusCode.UNIMPLEMENTED:
                raise ServerError(_stranger(self._address, "gRPC", details)) from error
            kind = NotFoundError if code == grpc.StatusCode.NOT_FOUND else ServerError
            raise kind(details) from error


def _import_tensorflow():
    """Imports TensorFlow, which the messages need, and lets it say nothing of GPUs."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    if "tensorflow" not in sys.modules:
        # A copy of this file elsewhere does without, and has TensorFlow's lines.
        with contextlib.suppress(ImportError):
            from tf_marscf.quiet_import import import_tensorflow

            import_tensorflow()


def _as_dict(message):
    from google.protobuf import json_format

    return json_format.MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )


def _states(status):
    return {
        int(one["version"]): (one["state"], one["status"]["error_message"])
        for one in status["model_version_status"]
    }


def _absent(address):
    return f"no server answers at {address}: is TensorFlow Serving started, and its port published?"


def _late(address, timeout):
    return f"{address} did not answer within {timeout:g} seconds (--timeout)"


def _stranger(address, interface, said):
    return f"{address} does not speak TensorFlow Serving's {interface} interface: {said[:80]!r}"
