"""Every signature through TensorFlow's C interface, as a server runs it: no Python inside."""

import pathlib
import re
import shutil
import subprocess

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.saved_model.loader_impl import parse_saved_model
from test_export import save_model

from tests.served_requests import BAD_REQUESTS, WRONG_DTYPES, good_requests
from tests.small_models import BOTH_OF_ALL, ids_of_options, small_model
from tf_marscf.serving.export import export_model

SOURCE = pathlib.Path(__file__).with_name("load_saved_model.c")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("gcc") is None, reason="needs a C compiler"),
]


@pytest.fixture(scope="module", name="program")
def fixture_program(tmp_path_factory):
    """The compiled program."""
    path = tmp_path_factory.mktemp("c") / "load_saved_model"
    library = tf.sysconfig.get_lib()
    subprocess.run(
        [
            "gcc", "-Wall", "-Werror", "-O1", str(SOURCE), f"-I{tf.sysconfig.get_include()}",
            f"-L{library}", "-l:libtensorflow_cc.so.2", "-l:libtensorflow_framework.so.2",
            f"-Wl,-rpath,{library}", "-pthread", "-o", str(path),
        ],
        check=True,
    )  # fmt: skip
    return path


@pytest.fixture(scope="module", params=BOTH_OF_ALL, ids=ids_of_options, name="export")
def fixture_export(request, tmp_path_factory):
    directory = tmp_path_factory.mktemp("export")
    save_model(directory / "run", small_model(**request.param), num_grey_levels=17)
    return export_model(directory / "run", directory / "served")


class Server:
    """Runs requests in the C program, all in one process."""

    def __init__(self, program, export, directory):
        self._program, self._export, self._directory = program, export, directory
        self._definitions = parse_saved_model(str(export)).meta_graphs[0].signature_def

    def answers(self, requests, num_threads=1):
        """`requests` are pairs (signature, inputs).

        Returns a dict from (number of the request, thread) to a dict of arrays, or to the error.
        """
        lines = [self._line(number, *request) for number, request in enumerate(requests)]
        process = subprocess.run(
            [self._program, self._export, str(num_threads)],
            input="\n".join(lines), capture_output=True, text=True, check=True, cwd=self._directory,
        )  # fmt: skip
        answers = {}
        for line in process.stdout.splitlines():
            thread, name, result = line.split(" ", 2)
            number = int(name.removeprefix("request").removesuffix(":"))
            if result == "ok":
                result = self._outputs(number, requests[number][0], thread)
            answers[number, int(thread)] = result
        assert len(answers) == num_threads * len(requests)
        return answers

    def _line(self, number, signature, inputs):
        definition = self._definitions[signature]
        words = [f"request{number}"]
        for name, value in inputs.items():
            path = self._directory / f"request{number}.{name}"
            path.write_bytes(value.tobytes())
            dtype = tf.as_dtype(value.dtype).as_datatype_enum
            operation = definition.inputs[name].name.removesuffix(":0")
            words += [operation, dtype, value.ndim, *value.shape, path.name]
        words.append("--")
        for info in definition.outputs.values():
            words += info.name.rsplit(":", 1)
        return " ".join(map(str, words))

    def _outputs(self, number, signature, thread):
        outputs = {}
        for index, (name, info) in enumerate(self._definitions[signature].outputs.items()):
            content = (self._directory / f"request{number}.{index}.{thread}").read_bytes()
            outputs[name] = np.frombuffer(content, tf.as_dtype(info.dtype).as_numpy_dtype)
        return outputs


@pytest.fixture(name="server")
def fixture_server(program, export, tmp_path):
    return Server(program, export, tmp_path)


@pytest.mark.parametrize("num_images", [3, 0])
def test_every_signature_gives_what_python_gets(server, export, num_images):
    served = tf.saved_model.load(str(export)).signatures
    requests = list(good_requests(num_images).items())
    answers = server.answers(requests)
    assert {signature for signature, _ in requests} == set(served)
    for number, (signature, inputs) in enumerate(requests):
        expected = served[signature](**{k: tf.constant(v) for k, v in inputs.items()})
        assert answers[number, 0].keys() == expected.keys()
        for name, value in expected.items():
            np.testing.assert_allclose(
                answers[number, 0][name], np.ravel(value), rtol=1e-5, atol=1e-5,
                err_msg=f"{signature} {name}",
            )  # fmt: skip


def test_eight_threads_get_equal_answers(server):
    requests = list(good_requests(3).items())
    answers = server.answers(requests, num_threads=8)
    for number, (signature, _) in enumerate(requests):
        for thread in range(8):
            for name, value in answers[number, thread].items():
                expected = answers[number, 0][name]
                np.testing.assert_array_equal(value, expected, err_msg=f"{signature} {name}")


def test_bad_requests_get_an_error_and_the_next_one_an_answer(server):
    good = list(good_requests(2).items())
    bad = BAD_REQUESTS + [(*request, "Expects arg.* to be") for request in WRONG_DTYPES]
    answers = server.answers([one for request in bad for one in (request[:2], *good[:1])])
    for index, (signature, inputs, message) in enumerate(bad):
        answer, following = answers[2 * index, 0], answers[2 * index + 1, 0]
        assert isinstance(answer, str) and re.search(message, answer), (signature, inputs, answer)
        np.testing.assert_array_equal(following["log_prob"], answers[1, 0]["log_prob"])
