"""Functions as StableHLO: what is an argument, what replaces what, and how exact products are."""

import re

import pytest
import tensorflow as tf

from tests.portable_models import run_without_tensorflow
from tf_marscf.config import MarScfConfig
from tf_marscf.kernels.tensor_float_32 import exact_matmul
from tf_marscf.runs.run_config import PixelConfig, RunConfig
from tf_marscf.serving.portable_folder import PortableFolder
from tf_marscf.serving.stablehlo_program import stablehlo_program

SPECS = {"matrix": tf.TensorSpec([3, 3])}


@pytest.fixture(autouse=True)
def _switch_as_before():
    enabled = tf.config.experimental.tensor_float_32_execution_enabled()
    yield
    tf.config.experimental.enable_tensor_float_32_execution(enabled)


def test_variables_are_arguments_and_new_values_results():
    kept, changed = tf.Variable(tf.ones([3, 3])), tf.Variable(2.0)
    constant = tf.constant([5.0, 6.0, 7.0])

    def function(matrix):
        changed.assign_add(tf.reduce_sum(matrix))
        return {"product": matrix @ kept + constant, "sum": changed.read_value()}

    program = stablehlo_program(function, SPECS)
    assert program.inputs == SPECS
    assert {name: spec.shape for name, spec in program.outputs.items()} == {
        "product": [3, 3],
        "sum": [],
    }
    assert {id(one) for one in program.captured} == {id(kept), id(changed), id(constant)}
    ((result, argument),) = program.aliases
    assert result == 2 and program.captured[argument - 1] is changed
    assert float(changed) == 2.0


MODULE = """
from run_stablehlo import PortableModel

print(PortableModel(sys.argv[1]).exported("product").mlir_module())
"""


@pytest.mark.parametrize("is_allowed", [False, True])
def test_products_are_exact_unless_tensor_float_32_is_allowed(tmp_path, is_allowed):
    """With DEFAULT, XLA computes float32 products in TensorFloat-32 on GPUs since Ampere."""
    pytest.importorskip("jax")
    tf.config.experimental.enable_tensor_float_32_execution(is_allowed)
    config = RunConfig(
        model=MarScfConfig(image_shape=(2, 2, 1), num_levels=1, prior="gaussian"),
        pixels=PixelConfig(),
    )
    folder = PortableFolder(tmp_path)
    kernel = tf.Variable(tf.ones([3, 3, 1, 1]))

    def products(matrix):
        maps = tf.nn.conv2d(matrix[None, :, :, None], kernel, 1, "SAME")[0, :, :, 0]
        return {"product": exact_matmul(matrix, matrix) @ maps}

    folder.add("product", products, SPECS)
    folder.write(config, tf.Module(), 1)
    text = run_without_tensorflow(MODULE, tmp_path)
    operations = re.findall(r"stablehlo\.(?:dot|dot_general|convolution)\b.*", text)
    exact = ["HIGHEST" in line or "tensor<3x3xf64>" in line for line in operations]
    assert len(operations) == 3
    assert exact.count(True) == (1 if is_allowed else 3)
