"""Every signature through TensorFlow's C interface, as a server runs it: no Python inside."""

import re
import shutil

import numpy as np
import pytest
import tensorflow as tf
from test_export import save_model

from tests.c_interface import SavedModelInC
from tests.served_requests import BAD_REQUESTS, WRONG_DTYPES, good_requests
from tests.small_models import BOTH_OF_ALL, ids_of_options, small_model
from tf_marscf.serving.export import export_model

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("gcc") is None, reason="needs a C compiler"),
]


@pytest.fixture(scope="module", params=BOTH_OF_ALL, ids=ids_of_options, name="export")
def fixture_export(request, tmp_path_factory):
    directory = tmp_path_factory.mktemp("export")
    save_model(directory / "run", small_model(**request.param), num_grey_levels=17)
    return export_model(directory / "run", directory / "served")


@pytest.fixture(name="server")
def fixture_server(c_program, export, tmp_path):
    return SavedModelInC(c_program, export, tmp_path)


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
