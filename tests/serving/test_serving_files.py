"""The example in serving/: its files are what TensorFlow Serving and Docker Compose read."""

import re
import subprocess

import pytest
import yaml
from google.protobuf import (
    descriptor_pb2,
    descriptor_pool,
    message_factory,
    text_format,
    wrappers_pb2,
)
from tensorflow_serving.config import model_server_config_pb2

from tests.running_commands import ROOT

SERVING = ROOT / "serving"
FIELD = descriptor_pb2.FieldDescriptorProto
# tensorflow-serving-api has no `BatchingParameters` and no `MonitoringConfig`: fields as of
# servables/tensorflow/session_bundle_config.proto and config/monitoring_config.proto, 2.20.
INTEGER, BOOLEAN, STRING = (f".google.protobuf.{name}Value" for name in ("Int64", "Bool", "String"))
MESSAGES = {
    "BatchingParameters": {
        "max_batch_size": INTEGER,
        "batch_timeout_micros": INTEGER,
        "max_enqueued_batches": INTEGER,
        "num_batch_threads": INTEGER,
        "thread_pool_name": STRING,
        "allowed_batch_sizes": [FIELD.TYPE_INT64],
        "pad_variable_length_inputs": FIELD.TYPE_BOOL,
        "enable_large_batch_splitting": BOOLEAN,
        "max_execution_batch_size": INTEGER,
    },
    "PrometheusConfig": {"enable": FIELD.TYPE_BOOL, "path": FIELD.TYPE_STRING},
    "MonitoringConfig": {"prometheus_config": ".described.PrometheusConfig"},
}
# Of the flags in model_servers/main.cc, those that are used here.
SERVER_FLAGS = {
    "batching_parameters_file",
    "enable_batching",
    "enable_model_warmup",
    "model_config_file",
    "model_config_file_poll_wait_seconds",
    "monitoring_config_file",
    "rest_api_timeout_in_ms",
}


def message_class(name):
    """A class of one of the `MESSAGES`."""
    file = descriptor_pb2.FileDescriptorProto(
        name="described.proto",
        package="described",
        syntax="proto3",
        dependency=["google/protobuf/wrappers.proto"],
    )
    for message, fields in MESSAGES.items():
        described = file.message_type.add(name=message)
        for number, (field, kind) in enumerate(fields.items(), 1):
            label = FIELD.LABEL_REPEATED if isinstance(kind, list) else FIELD.LABEL_OPTIONAL
            kind = kind[0] if isinstance(kind, list) else kind
            is_message = isinstance(kind, str)
            described.field.add(
                name=field,
                number=number,
                label=label,
                type=FIELD.TYPE_MESSAGE if is_message else kind,
                type_name=kind if is_message else None,
            )
    pool = descriptor_pool.DescriptorPool()
    wrappers = descriptor_pb2.FileDescriptorProto()
    wrappers_pb2.DESCRIPTOR.CopyToProto(wrappers)
    pool.Add(wrappers)
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"described.{name}"))


def parsed(file, message):
    return text_format.Parse((SERVING / file).read_text(encoding="utf-8"), message)


@pytest.fixture(scope="module", name="compose")
def fixture_compose():
    return yaml.safe_load((SERVING / "docker-compose.yml").read_text(encoding="utf-8"))


def flags(service):
    """The flags of a server, by name."""
    return dict(
        re.fullmatch("--([a-z_]+)=?(.*)", argument).groups() for argument in service["command"]
    )


def test_models_are_those_of_the_exports():
    config = parsed("models.config", model_server_config_pb2.ModelServerConfig())
    (model,) = config.model_config_list.config
    assert (model.name, model.base_path) == ("digits", "/models/digits")
    assert model.model_platform == "tensorflow"
    assert model.model_version_policy.latest.num_versions == 1


def test_batching_parameters_are_accepted():
    parameters = parsed("batching.config", message_class("BatchingParameters")())
    # With splitting, a server refuses to start otherwise.
    most = parameters.max_batch_size.value
    assert parameters.enable_large_batch_splitting.value
    assert 0 < parameters.max_execution_batch_size.value <= most
    assert not parameters.allowed_batch_sizes


def test_metrics_are_where_the_page_says():
    config = parsed("monitoring.config", message_class("MonitoringConfig")())
    assert config.prometheus_config.enable
    readme = (SERVING / "README.md").read_text(encoding="utf-8")
    assert f"http://localhost:8501{config.prometheus_config.path}" in readme


def test_an_unknown_parameter_would_be_found():
    with pytest.raises(text_format.ParseError, match="max_batch_sizes"):
        text_format.Parse("max_batch_sizes { value: 1 }", message_class("BatchingParameters")())


def test_servers_have_known_flags_and_files_that_exist(compose):
    for service in compose["services"].values():
        given = flags(service)
        assert set(given) <= SERVER_FLAGS
        for value in given.values():
            if value.startswith("/config/"):
                assert (SERVING / value.removeprefix("/config/")).is_file()


def test_only_a_server_without_warm_up_puts_requests_together(compose):
    """One of the requests of an export's warm-up cannot be batched: see test_batching.py."""
    batching = [service for service in compose["services"].values()
                if "enable_batching" in flags(service)]  # fmt: skip
    (service,) = batching
    assert flags(service)["enable_model_warmup"] == "false"
    assert service["profiles"] == ["batching"]


def test_servers_are_the_official_ones_on_loopback_with_exports_that_they_cannot_change(compose):
    requirements = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    version = re.search(r"^tensorflow==(.*)$", requirements, flags=re.MULTILINE)[1]
    published = []
    for service in compose["services"].values():
        assert service["image"] == f"tensorflow/serving:{version}"
        assert service["restart"] == "unless-stopped"
        assert all(volume["read_only"] for volume in service["volumes"])
        targets = {volume["target"]: volume["source"] for volume in service["volumes"]}
        assert targets == {"/models": "${EXPORTS:-../exports}", "/config": "."}
        published += service["ports"]
    places = [re.fullmatch(r"127\.0\.0\.1:(\d+):(8500|8501)", port) for port in published]
    assert all(places) and len({place[1] for place in places}) == 4


@pytest.mark.slow
def test_the_health_check_sees_whether_the_model_is_loaded(compose, model_server):
    (kind, *command) = compose["services"]["server"]["healthcheck"]["test"]
    assert kind == "CMD" and "8501" in command[-1]
    command[-1] = command[-1].replace("8501", str(model_server.rest_port))

    def is_healthy(script):
        return subprocess.run([*command[:-1], script], check=False, timeout=60).returncode == 0

    assert is_healthy(command[-1])
    assert not is_healthy(command[-1].replace("models/digits", "models/letters"))
    assert not is_healthy(command[-1].replace(str(model_server.rest_port), "1"))
