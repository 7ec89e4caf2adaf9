"""Full float32 where GPUs would compute in TensorFloat-32."""

import subprocess
import sys
import warnings

import numpy as np
import pytest
import tensorflow as tf

from tests.small_models import greatest_difference, random_images, small_model
from tf_marscf.bijectors import FlowStep, InvertibleConv1x1
from tf_marscf.kernels import devices
from tf_marscf.kernels.devices import uses_tensor_float_32
from tf_marscf.kernels.step_convolution import (
    DirectConvolution,
    SpectralConvolution,
    fastest_convolution,
)
from tf_marscf.kernels.tensor_float_32 import (
    TensorFloat32Warning,
    exact_matmul,
    set_tensor_float_32,
)

needs_gpu = pytest.mark.skipif(not tf.config.list_physical_devices("GPU"), reason="needs a GPU")


@pytest.fixture(autouse=True)
def _switch_as_before():
    enabled = tf.config.experimental.tensor_float_32_execution_enabled()
    with warnings.catch_warnings():
        yield
    tf.config.experimental.enable_tensor_float_32_execution(enabled)


@pytest.fixture
def coarse_products(monkeypatch):
    """What a GPU would do with the switch on: the factors of float32 products are rounded."""
    product = tf.matmul

    def rounded(a, b, **options):
        if a.dtype == tf.float32:
            a, b = (tf.cast(tf.cast(factor, tf.float16), tf.float32) for factor in (a, b))
        return product(a, b, **options)

    monkeypatch.setattr(devices, "uses_tensor_float_32", lambda: True)
    monkeypatch.setattr(tf, "matmul", rounded)


def test_the_switch_is_that_of_tensorflow():
    for is_allowed in (False, True):
        set_tensor_float_32(is_allowed)
        assert tf.config.experimental.tensor_float_32_execution_enabled() == is_allowed
        has_gpu = bool(tf.config.list_physical_devices("GPU"))
        assert uses_tensor_float_32() == (is_allowed and has_gpu)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_without_it_products_are_those_of_tensorflow(dtype):
    a, b = random_images(3, 4, dtype=dtype), random_images(5, 4, dtype=dtype)
    if not uses_tensor_float_32():
        np.testing.assert_array_equal(
            exact_matmul(a, b, transpose_b=True), tf.matmul(a, b, transpose_b=True)
        )


@pytest.mark.usefixtures("coarse_products")
@pytest.mark.parametrize("make", [InvertibleConv1x1, lambda channels: FlowStep(channels, 8)])
def test_what_is_inverted_is_exact(make):
    bijector, images = make(8), random_images(2, 4, 4, 8)
    for function in (bijector.forward, tf.function(bijector.forward)):
        restored = bijector.inverse(function(images))
        assert greatest_difference(restored, images) <= 5e-6


@pytest.mark.usefixtures("coarse_products")
def test_the_matrix_is_exact():
    bijector = InvertibleConv1x1(8)
    identity = tf.cast(bijector.matrix(), tf.float64) @ tf.cast(
        bijector.inverse_matrix(), tf.float64
    )
    np.testing.assert_allclose(identity, np.eye(8), atol=2e-6)


def test_fourier_transforms_are_for_full_precision(monkeypatch):
    assert isinstance(fastest_convolution(8, 8, 5, 1, 32, "float32"), SpectralConvolution)
    monkeypatch.setattr(devices, "uses_tensor_float_32", lambda: True)
    assert isinstance(fastest_convolution(8, 8, 5, 1, 32, "float32"), DirectConvolution)
    assert isinstance(fastest_convolution(8, 8, 5, 1, 32, "float64"), SpectralConvolution)


def test_a_new_model_warns_where_networks_use_it(monkeypatch):
    monkeypatch.setattr(devices, "uses_tensor_float_32", lambda: True)
    with pytest.warns(TensorFloat32Warning, match="enable_tensor_float_32_execution"):
        small_model()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        small_model(dtype="float64")
        set_tensor_float_32(True)
        small_model()


def test_importing_the_package_leaves_the_switch_alone():
    program = (
        "import tf_marscf, tensorflow as tf\n"
        "assert tf.config.experimental.tensor_float_32_execution_enabled()"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


@needs_gpu
@pytest.mark.parametrize("coupling", ["affine", "mixlogcdf"])
def test_round_trip_on_a_gpu(coupling):
    set_tensor_float_32(False)
    model = small_model((16, 16, 3), num_steps=4, coupling=coupling)
    exact = small_model((16, 16, 3), num_steps=4, coupling=coupling, dtype="float64")
    for variable, value in zip(exact.variables, model.variables, strict=True):
        variable.assign(tf.cast(value, variable.dtype))
    images = random_images(4, 16, 16, 3)
    assert greatest_difference(model.decode(model.latents(images)), images) <= 1e-4
    expected = exact.log_prob(tf.cast(images, tf.float64))
    np.testing.assert_allclose(model.log_prob(images), expected, rtol=1e-5)


@needs_gpu
def test_what_is_inverted_is_exact_on_a_gpu_with_the_switch_on():
    set_tensor_float_32(True)
    bijector, images = InvertibleConv1x1(64), random_images(8, 16, 16, 64)
    assert greatest_difference(bijector.inverse(bijector.forward(images)), images) <= 1e-5
