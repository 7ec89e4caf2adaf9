"""The convolutions around a ConvLSTM that runs one channel at a time, in each layout."""

import numpy as np
import pytest
import tensorflow as tf

from tf_marscf import reference_networks
from tf_marscf.kernels import devices
from tf_marscf.kernels.channel_convolutions import (
    DenseChannels,
    GatheredChannels,
    ImageChannels,
    channel_convolutions,
)
from tf_marscf.kernels.spectral_matrices import num_frequencies, spectral_matrices
from tf_marscf.kernels.step_convolution import DirectConvolution, SpectralConvolution

CHANNELS = 5


def normal(*shape, seed=0):
    return tf.random.stateless_normal(shape, [seed, 3], dtype=tf.float64)


@pytest.mark.parametrize(
    ("kind", "image_size", "dilation", "expected"),
    [
        (DirectConvolution, (4, 6), 2, ImageChannels),
        (SpectralConvolution, (4, 6), 1, DenseChannels),
        (SpectralConvolution, (4, 6), 2, GatheredChannels),
        (SpectralConvolution, (9, 6), 3, GatheredChannels),
        (SpectralConvolution, (10, 7), 1, GatheredChannels),
        (SpectralConvolution, (10, 7), 2, GatheredChannels),
        (SpectralConvolution, (1, 1), 1, DenseChannels),
    ],
)
@pytest.mark.parametrize(
    ("dtype", "tolerance", "group_size"),
    [("float32", 2e-5, 1), ("float64", 1e-12, 1), ("float64", 1e-12, 2)],
)
@pytest.mark.parametrize("has_offset", [False, True])
def test_every_layout_computes_the_two_convolutions(
    monkeypatch, kind, image_size, dilation, expected, has_offset, dtype, tolerance, group_size
):
    """Values, and gradients to maps and weights."""
    monkeypatch.setattr(devices, "has_gpu", lambda: False)

    def noise(*shape, seed=0):
        return tf.cast(normal(*shape, seed=seed), dtype)

    convolution = kind(*image_size, 5, dilation, *([dtype] if kind is SpectralConvolution else []))
    around = channel_convolutions(image_size, convolution, 5, 3, group_size)
    assert type(around) is expected
    images, hidden = (
        noise(2, *image_size, 3 * group_size, seed=4),
        noise(2, *image_size, CHANNELS, seed=5),
    )
    offset = noise(2, *image_size, CHANNELS, seed=2) if has_offset else noise(CHANNELS, seed=2)
    weights = [
        noise(5, 5, group_size, CHANNELS),
        offset,
        noise(3, 3, CHANNELS, 2 * group_size, seed=1),
        noise(2 * group_size, seed=3),
    ]
    groups = around.from_images(images)
    assert groups.shape[0] == 3
    np.testing.assert_array_equal(around.to_images(groups), images)

    def fast(images, hidden, *weights):
        input_weights, output_weights = around.prepare(*weights)
        embedded = around.embed(around.from_images(images)[1], input_weights)
        outputs = around.output(convolution.from_images(hidden), output_weights)
        return convolution.to_images(embedded), around.to_images(tf.stack(outputs))

    def plain(images, hidden, input_kernel, offset, output_kernel, bias):
        group = images[..., group_size : 2 * group_size]
        embedded = reference_networks.convolution(group, input_kernel) + offset
        return embedded, reference_networks.convolution(hidden, output_kernel, bias)

    def values_and_gradients(function):
        arguments = [images, hidden, *weights]
        with tf.GradientTape() as tape:
            tape.watch(arguments)
            values = function(*arguments)
            loss = tf.add_n([tf.reduce_sum(tf.sin(value)) for value in values])
        return *values, *tape.gradient(loss, arguments)

    for one, other in zip(values_and_gradients(fast), values_and_gradients(plain), strict=True):
        scale = max(1.0, np.max(np.abs(other)))
        np.testing.assert_allclose(one, other, rtol=0.0, atol=tolerance * scale)


@pytest.mark.parametrize("size", [(8, 8), (4, 4), (5, 7), (1, 1)])
@pytest.mark.parametrize(("kernel_size", "dilation"), [(5, 1), (3, 1), (3, 2), (1, 1)])
def test_spectral_matrices_are_a_convolution(size, kernel_size, dilation):
    analysis, kernel_analysis, synthesis = spectral_matrices(*size, kernel_size, dilation)
    frequencies = num_frequencies(*size, kernel_size, dilation)
    assert analysis.shape == (2 * frequencies, size[0] * size[1])
    maps, kernel = normal(*size), normal(kernel_size, kernel_size, seed=1)
    features = (analysis @ maps.numpy().ravel()).reshape(-1, 2)
    blocks = (kernel_analysis @ kernel.numpy().ravel()).reshape(-1, 2, 2)
    outputs = synthesis @ np.einsum("fab,fb->fa", blocks, features).ravel()
    expected = reference_networks.convolution(
        maps[tf.newaxis, ..., tf.newaxis], kernel[..., tf.newaxis, tf.newaxis], dilation=dilation
    )
    np.testing.assert_allclose(outputs.reshape(size), expected[0, ..., 0], rtol=0.0, atol=1e-12)


def test_an_8x8_map_takes_208_products():
    assert 4 * num_frequencies(8, 8, 5) == 208


def test_spectral_matrices_are_kept_and_cannot_be_changed():
    first = spectral_matrices(4, 6, 3, 1)
    for matrix, again in zip(first, spectral_matrices(4, 6, 3, 1), strict=True):
        assert again is matrix
        with pytest.raises(ValueError, match="read-only"):
            matrix[0, 0] = 1.0
