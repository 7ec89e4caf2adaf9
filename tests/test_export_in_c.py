"""Every signature through TensorFlow's C interface, as a server runs it: no Python inside."""

import pathlib
import shutil
import subprocess

import numpy as np
import pytest
import tensorflow as tf
from small_models import small_model
from tensorflow.python.saved_model.loader_impl import parse_saved_model
from test_export import pixels, save_model

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
            f"-Wl,-rpath,{library}", "-o", str(path),
        ],
        check=True,
    )  # fmt: skip
    return path


@pytest.fixture(scope="module", name="export")
def fixture_export(tmp_path_factory):
    directory = tmp_path_factory.mktemp("export")
    save_model(directory / "run", small_model(), num_grey_levels=17)
    return export_model(directory / "run", directory / "served")


def run_signature(program, export, directory, signature, inputs):
    """Runs a signature in C; returns its outputs by name."""
    definition = parse_saved_model(str(export)).meta_graphs[0].signature_def[signature]
    arguments = [program, export]
    for name, value in inputs.items():
        value = np.asarray(value)
        operation = definition.inputs[name].name.removesuffix(":0")
        path = directory / f"input_{name}"
        path.write_bytes(value.tobytes())
        dtype = tf.as_dtype(value.dtype).as_datatype_enum
        arguments += [operation, dtype, value.ndim, *value.shape, path]
    arguments.append("--")
    for name, info in definition.outputs.items():
        operation, index = info.name.rsplit(":", 1)
        arguments += [operation, index, directory / f"output_{name}"]
    process = subprocess.run(
        [str(argument) for argument in arguments], capture_output=True, text=True, check=False
    )
    if process.returncode:
        raise RuntimeError(process.stderr)
    return {
        name: np.frombuffer(
            (directory / f"output_{name}").read_bytes(), tf.as_dtype(info.dtype).as_numpy_dtype
        )
        for name, info in definition.outputs.items()
    }


def test_every_signature_gives_what_python_gets(program, export, tmp_path):
    images = pixels(3)
    served = tf.saved_model.load(str(export)).signatures
    latents = served["encode"](images=tf.constant(images))["latents"].numpy()
    values = ((images + 0.5) / 17 - 0.5).astype(np.float32)
    request = {"num_samples": np.int32(2), "seed": np.int32(5), "temperature": np.float32(0.8)}
    for signature, inputs in {
        "serving_default": {"images": images},
        "log_prob_float": {"values": values},
        "sample": request,
        "encode": {"images": images},
        "decode": {"latents": latents},
    }.items():
        expected = served[signature](**{k: tf.constant(v) for k, v in inputs.items()})
        actual = run_signature(program, export, tmp_path, signature, inputs)
        assert actual.keys() == expected.keys()
        for name, value in expected.items():
            np.testing.assert_allclose(
                actual[name], np.ravel(value), rtol=1e-5, atol=1e-5, err_msg=f"{signature} {name}"
            )


@pytest.mark.parametrize(
    ("signature", "inputs", "message"),
    [
        ("serving_default", {"images": np.zeros([1, 8, 9, 1], np.uint8)}, "shape"),
        ("serving_default", {"images": np.zeros([1, 8, 8, 1], np.float32)}, "uint8|type"),
        ("serving_default", {"images": np.full([1, 8, 8, 1], 200, np.uint8)}, "below 17"),
    ],
)
def test_bad_requests_end_with_an_error_and_not_with_the_server(
    program, export, tmp_path, signature, inputs, message
):
    with pytest.raises(RuntimeError, match=message):
        run_signature(program, export, tmp_path, signature, inputs)
