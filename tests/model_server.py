"""A stand-in for TensorFlow Serving: its REST and gRPC interface, on loopback.

Paths, forms, errors and status codes are those of its sources, version 2.20, in model_servers and
servables/tensorflow. What answers is given: models with `signatures`, a dict of `SignatureDef`s,
and `run(signature, inputs)`, which may raise a `CInterfaceError`.
"""

import concurrent.futures
import http.server
import json
import re
import threading
import urllib.parse

import grpc
import numpy as np
import tensorflow as tf
from google.protobuf import json_format
from tensorflow.core.framework import tensor_pb2
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from tests.c_interface import CInterfaceError
from tests.rest_json import JsonError, read_body, read_inputs, write_outputs

_PREDICT_PATH = re.compile(
    r"/v1/models/([^/:]+)(?:/versions/(\d+)|/labels/([^/:]+))?:(classify|regress|predict)", re.I
)
_STATUS_PATH = re.compile(
    r"/v1/models(?:/([^/:]+))?(?:/versions/(\d+)|/labels/([^/:]+))?(?:/(metadata))?", re.I
)
_CODES = {code.value[0]: code for code in grpc.StatusCode}
_HTTP_STATUS = {
    grpc.StatusCode.OK: 200,
    grpc.StatusCode.INVALID_ARGUMENT: 400,
    grpc.StatusCode.FAILED_PRECONDITION: 400,
    grpc.StatusCode.NOT_FOUND: 404,
}
# Fields of a `TensorProto` by its dtype.
_FIELDS = {"float32": "float_val", "uint8": "int_val", "int32": "int_val"}


class ServingError(Exception):
    """An error that goes to the client: its `code` is a `grpc.StatusCode`."""

    def __init__(self, code, message):
        super().__init__(message)
        self.code = code


class NotLoaded:
    """A version in another state than AVAILABLE, such as "LOADING" or "END"."""

    def __init__(self, state, message=""):
        self.state, self.message = state, message


class ModelServer:
    """Both interfaces, in threads, while its context lasts.

    Args:
        models: dict from names to dicts from versions, integers, to models or `NotLoaded`s.

    Attributes:
        rest_port, grpc_port: where it listens.
        answered: triples (interface, signature or path, HTTP status or name of the gRPC code).
    """

    def __init__(self, models):
        self._models, self.answered = models, []
        self._http = http.server.ThreadingHTTPServer(("localhost", 0), _RestHandler)
        self._http.model_server = self
        self.rest_port = self._http.server_address[1]
        self._grpc = grpc.server(concurrent.futures.ThreadPoolExecutor(4))
        service = _GrpcService(self)
        prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(service, self._grpc)
        model_service_pb2_grpc.add_ModelServiceServicer_to_server(service, self._grpc)
        self.grpc_port = self._grpc.add_insecure_port("localhost:0")

    def __enter__(self):
        threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True).start()
        self._grpc.start()
        return self

    def __exit__(self, *_):
        self._http.shutdown()
        self._http.server_close()
        self._grpc.stop(grace=None).wait()

    def status(self, name, version=None):
        """A `GetModelStatusResponse`, newest version first."""
        versions = self._models.get(name, {})
        if version is not None and version not in versions:
            message = f"Could not find version {version} of model {name}"
            raise ServingError(grpc.StatusCode.NOT_FOUND, message)
        if not versions:
            message = f"Could not find any versions of model {name}"
            raise ServingError(grpc.StatusCode.NOT_FOUND, message)
        response = get_model_status_pb2.GetModelStatusResponse()
        for number in sorted(versions, reverse=True) if version is None else [version]:
            model = versions[number]
            one = response.model_version_status.add(version=number)
            one.state = one.State.Value(getattr(model, "state", "AVAILABLE"))
            message = one.status.error_message = getattr(model, "message", "")
            one.status.error_code = grpc.StatusCode.UNKNOWN.value[0] if message else 0
        return response

    def metadata(self, name, version=None):
        """A `GetModelMetadataResponse`."""
        number, model = self._loaded(name, version)
        response = get_model_metadata_pb2.GetModelMetadataResponse()
        response.model_spec.name, response.model_spec.version.value = name, number
        signatures = get_model_metadata_pb2.SignatureDefMap()
        for key, signature in model.signatures.items():
            signatures.signature_def[key].CopyFrom(signature)
        response.metadata["signature_def"].Pack(signatures)
        return response

    def predict_body(self, name, version, body):
        """What REST answers to a body."""
        try:
            content = read_body(body)
            _, model = self._loaded(name, version)
            signature = content["signature_name"] or "serving_default"
            if signature not in model.signatures:
                raise JsonError(f'Serving signature name: "{signature}" not found in signature def')
            inputs, in_rows = read_inputs(content, dict(model.signatures[signature].inputs))
            return write_outputs(self._run(model, signature, inputs), in_rows)
        except JsonError as error:
            raise ServingError(grpc.StatusCode.INVALID_ARGUMENT, str(error)) from error

    def predict(self, request):
        """A `PredictResponse`."""
        spec = request.model_spec
        number, model = self._loaded(spec.name, _version_of(spec))
        name = spec.signature_name or "serving_default"
        signature = model.signatures.get(name)
        if signature is None:
            message = f'Serving signature key "{name}" not found.'
            raise ServingError(grpc.StatusCode.FAILED_PRECONDITION, message)
        inputs = {key: tf.make_ndarray(tensor) for key, tensor in request.inputs.items()}
        if len(inputs) != len(signature.inputs):
            sent, wanted = set(inputs), set(signature.inputs)
            raise ServingError(
                grpc.StatusCode.INVALID_ARGUMENT,
                f"input size does not match signature: {len(sent)}!={len(wanted)} "
                f"len({_listed(sent)}) != len({_listed(wanted)}). "
                f"Sent extra: {_listed(sent - wanted)}. "
                f"Missing but required: {_listed(wanted - sent)}.",
            )
        for key in inputs:
            if key not in signature.inputs:
                raise ServingError(
                    grpc.StatusCode.INVALID_ARGUMENT,
                    f"input tensor alias not found in signature: {key}. Inputs expected to be in "
                    f"the set {_listed(signature.inputs)}.",
                )
        response = predict_pb2.PredictResponse()
        response.model_spec.name, response.model_spec.signature_name = spec.name, name
        response.model_spec.version.value = number
        for key, array in self._run(model, name, inputs).items():
            if not request.output_filter or key in request.output_filter:
                response.outputs[key].CopyFrom(_tensor_proto(array))
        return response

    def _loaded(self, name, version):
        """Number and model of an available version; None: the newest."""
        versions = self._models.get(name, {})
        loaded = {key: one for key, one in versions.items() if not isinstance(one, NotLoaded)}
        if version is None and loaded:
            version = max(loaded)
        if version not in loaded:
            wanted = f"Latest({name})" if version is None else f"Specific({name}, {version})"
            message = f"Servable not found for request: {wanted}"
            raise ServingError(grpc.StatusCode.NOT_FOUND, message)
        return version, loaded[version]

    def _run(self, model, signature, inputs):
        try:
            return model.run(signature, inputs)
        except CInterfaceError as error:
            raise ServingError(_CODES[error.code], str(error)) from error


def _listed(names):
    return "{" + ",".join(sorted(names)) + "}"


def _version_of(spec):
    return spec.version.value if spec.HasField("version") else None


def _tensor_proto(array):
    """With numbers in typed fields, as servers send them."""
    proto = tensor_pb2.TensorProto(dtype=tf.as_dtype(array.dtype).as_datatype_enum)
    for size in array.shape:
        proto.tensor_shape.dim.add(size=size)
    getattr(proto, _FIELDS[array.dtype.name]).extend(np.ravel(array).tolist())
    return proto


class _RestHandler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self._answer(b"")

    def do_POST(self):
        self._answer(self.rfile.read(int(self.headers.get("Content-Length", 0))))

    def _answer(self, body):
        code, what = grpc.StatusCode.OK, self.path
        try:
            text = self._text(body)
        except ServingError as error:
            code, text = error.code, json.dumps({"error": str(error)}, indent=4)
        status = _HTTP_STATUS.get(code, 500)
        if self.command == "POST":
            found = re.search(rb'"signature_name": *"(\w*)"', body)
            what = found[1].decode() if found else "serving_default"
        self.server.model_server.answered.append(("rest", what, status))
        content = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _text(self, body):
        server = self.server.model_server
        pattern = _PREDICT_PATH if self.command == "POST" else _STATUS_PATH
        match = pattern.fullmatch(self.path)
        if match is None:
            message = f"Malformed request: {self.command} {self.path}"
            raise ServingError(grpc.StatusCode.INVALID_ARGUMENT, message)
        name, version, label, last = match.groups()
        if name is None:
            message = "Missing model name in request."
            raise ServingError(grpc.StatusCode.INVALID_ARGUMENT, message)
        if label is not None:
            message = f"Unrecognized servable version label: {label}"
            raise ServingError(grpc.StatusCode.INVALID_ARGUMENT, message)
        name, version = urllib.parse.unquote(name), None if version is None else int(version)
        if self.command == "POST":
            return server.predict_body(name, version, body)
        if last is None:
            return _json_of(server.status(name, version))
        response = server.metadata(name, version)
        signatures = get_model_metadata_pb2.SignatureDefMap()
        response.metadata["signature_def"].Unpack(signatures)
        spec, signatures = (_json_of(one) for one in (response.model_spec, signatures))
        return f'{{\n"model_spec":{spec},\n"metadata": {{"signature_def": {signatures}}}\n}}\n'

    def log_message(self, *_):
        """Prints nothing."""


def _json_of(message):
    return json_format.MessageToJson(
        message,
        preserving_proto_field_name=True,
        always_print_fields_with_no_presence=True,
        indent=1,
    )


class _GrpcService(
    prediction_service_pb2_grpc.PredictionServiceServicer,
    model_service_pb2_grpc.ModelServiceServicer,
):
    def __init__(self, server):
        self._server = server

    def Predict(self, request, context):
        what = request.model_spec.signature_name or "serving_default"
        return self._answer(what, context, self._server.predict, request)

    def GetModelMetadata(self, request, context):
        spec = request.model_spec
        metadata = self._server.metadata
        return self._answer("GetModelMetadata", context, metadata, spec.name, _version_of(spec))

    def GetModelStatus(self, request, context):
        spec = request.model_spec
        status = self._server.status
        return self._answer("GetModelStatus", context, status, spec.name, _version_of(spec))

    def _answer(self, what, context, function, *arguments):
        try:
            response = function(*arguments)
        except ServingError as error:
            self._server.answered.append(("grpc", what, error.code.name))
            context.abort(error.code, str(error))
        self._server.answered.append(("grpc", what, "OK"))
        return response
