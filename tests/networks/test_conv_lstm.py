"""The ConvLSTM and its convolutions, against the plain ones."""

import numpy as np
import pytest
import tensorflow as tf

from tf_marscf import reference, reference_networks
from tf_marscf.kernels import devices
from tf_marscf.kernels.conv_lstm_recurrence import (
    conv_lstm_step,
    prepared_biases,
    prepared_kernels,
)
from tf_marscf.kernels.convolution import (
    convolve,
    kernel_gradient,
    merge_phases,
    split_phases,
    transposed_kernel,
)
from tf_marscf.kernels.step_convolution import (
    CompactSpectralConvolution,
    DirectConvolution,
    SpectralConvolution,
)
from tf_marscf.networks.conv_lstm import ConvLSTM

CHANNELS = 3
# Kernel size, dilation, (height, width), batch size.
GEOMETRIES = [
    pytest.param(3, 1, (4, 6), 1, id="k3-d1-4x6"),
    pytest.param(5, 1, (5, 7), 3, id="k5-d1-5x7"),
    pytest.param(3, 2, (5, 7), 3, id="k3-d2-5x7"),
    pytest.param(5, 2, (4, 6), 1, id="k5-d2-4x6"),
    pytest.param(5, 2, (4, 7), 1, id="k5-d2-4x7"),
]
every_depth_and_length = pytest.mark.parametrize(
    ("num_layers", "num_steps"),
    [(1, 1), (1, 3), (2, 1), (2, 2), (2, 5), (3, 1), (3, 2), (3, 3), (3, 5)],
)
every_convolution = pytest.mark.parametrize("kind", [DirectConvolution, SpectralConvolution])
every_geometry = pytest.mark.parametrize(("size", "dilation", "shape", "batch"), GEOMETRIES)


def noise(*shape, seed=0, dtype="float64"):
    return tf.random.stateless_normal(shape, [seed, 5], dtype=dtype)


class ConvLSTMOfOneKind(ConvLSTM):
    """Runs one kind of convolution, whichever is faster."""

    kind = DirectConvolution

    def convolution(self, height, width, dtype):
        size = (height, width, self.kernel_size, self.dilation)
        if self.kind is SpectralConvolution:
            return self.kind(*size, dtype)
        return self.kind(*size)


def conv_lstm(
    num_layers=2, size=3, dilation=1, seed=1, dtype="float64", kind=DirectConvolution, **kwargs
):
    layer = ConvLSTMOfOneKind(
        CHANNELS, num_layers, size, dilation, seed=seed, dtype=dtype, **kwargs
    )
    layer.kind = kind
    layer.build()
    return layer


def library_dilated(maps, kernel, dilation):
    """TensorFlow's own dilated convolution; it has no gradient on CPUs in float64."""
    return tf.nn.conv2d(maps, kernel, strides=1, padding="SAME", dilations=dilation)


def plain_conv_lstm(layer, inputs):
    """[T, ...], as the layer."""
    return tf.stack(reference.conv_lstm(layer, tf.unstack(inputs)))


def gradients(function, layer, inputs, cotangent):
    """Of sum(function(inputs) * cotangent), to the inputs and to every weight."""
    sources = [inputs, *(weight.value for weight in layer.trainable_weights)]
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        loss = tf.reduce_sum(function(inputs) * cotangent)
    return tape.gradient(loss, sources)


def assert_relatively_close(actual, expected, tolerance):
    """Close in units of the largest entry."""
    scale = np.max(np.abs(expected))
    np.testing.assert_allclose(actual, expected, rtol=0.0, atol=tolerance * scale)


@every_convolution
@every_depth_and_length
@every_geometry
def test_call_is_a_loop_over_layers_and_steps(
    num_layers, num_steps, size, dilation, shape, batch, kind
):
    layer = conv_lstm(num_layers, size, dilation, kind=kind)
    inputs = noise(num_steps, batch, *shape, CHANNELS)
    expected = plain_conv_lstm(layer, inputs)
    np.testing.assert_allclose(layer(inputs), expected, rtol=0.0, atol=1e-12)


@every_convolution
@every_depth_and_length
@pytest.mark.parametrize(("size", "dilation", "shape", "batch"), GEOMETRIES[::2])
def test_gradient_is_that_of_the_loop(num_layers, num_steps, size, dilation, shape, batch, kind):
    layer = conv_lstm(num_layers, size, dilation, kind=kind)
    inputs = noise(num_steps, batch, *shape, CHANNELS)
    cotangent = noise(*inputs.shape, seed=1)
    actual = gradients(layer, layer, inputs, cotangent)
    expected = gradients(lambda maps: plain_conv_lstm(layer, maps), layer, inputs, cotangent)
    assert len(actual) == 1 + 3 * num_layers
    for index, (one, other) in enumerate(zip(actual, expected, strict=True)):
        if num_steps == 1 and index and "recurrent" in layer.trainable_weights[index - 1].name:
            np.testing.assert_array_equal(one, 0.0)
        else:
            assert_relatively_close(one, other, 1e-10)


@every_convolution
@pytest.mark.parametrize(("num_layers", "num_steps"), [(1, 3), (2, 5), (3, 2)])
@every_geometry
def test_float32_agrees_with_the_loop_too(
    num_layers, num_steps, size, dilation, shape, batch, kind
):
    layer = conv_lstm(num_layers, size, dilation, dtype="float32", kind=kind)
    inputs = noise(num_steps, batch, *shape, CHANNELS, dtype="float32")
    cotangent = noise(*inputs.shape, seed=1, dtype="float32")
    outputs = layer(inputs)
    assert outputs.dtype == tf.float32
    assert_relatively_close(outputs, plain_conv_lstm(layer, inputs), 1e-5)
    actual = gradients(layer, layer, inputs, cotangent)
    expected = gradients(lambda maps: plain_conv_lstm(layer, maps), layer, inputs, cotangent)
    for one, other in zip(actual, expected, strict=True):
        assert_relatively_close(one, other, 1e-5)


@pytest.mark.parametrize(
    ("kind", "of_few_images"),
    [(DirectConvolution, False), (SpectralConvolution, False), (SpectralConvolution, True)],
)
@pytest.mark.parametrize(("num_layers", "num_steps"), [(1, 4), (3, 2), (3, 5)])
@every_geometry
def test_steps_one_after_another_are_the_call(
    num_layers, num_steps, size, dilation, shape, batch, kind, of_few_images
):
    layer = conv_lstm(num_layers, size, dilation, kind=kind)
    inputs = noise(num_steps, batch, *shape, CHANNELS)
    convolution = layer.convolution(*shape, inputs.dtype)
    if of_few_images:
        convolution = convolution.for_steps(batch)
    zeros = convolution.zeros(batch, CHANNELS, inputs.dtype)
    assert zeros.shape == convolution.from_images(inputs[0]).shape
    weights = layer.layer_weights()
    kernels = prepared_kernels(weights, convolution)
    biases = prepared_biases(weights, convolution, zeros)
    state, outputs = ((zeros, zeros),) * num_layers, []
    for maps in tf.unstack(inputs):
        maps = convolution.from_images(maps)
        output, state = conv_lstm_step(maps, state, kernels, biases, convolution)
        outputs.append(convolution.to_images(output))
    np.testing.assert_allclose(tf.stack(outputs), layer(inputs), rtol=0.0, atol=1e-12)
    assert len(state) == num_layers


def test_kernels_are_compact_for_few_maps_only(monkeypatch):
    """A dilation of d makes d * d maps of an image."""
    monkeypatch.setattr(devices, "has_gpu", lambda: False)
    for dilation, most in ((1, 8), (2, 2)):
        convolution = SpectralConvolution(4, 6, 3, dilation)
        assert convolution.for_steps(None) is convolution.for_steps(most + 1) is convolution
        compact = convolution.for_steps(most)
        assert isinstance(compact, CompactSpectralConvolution)
        kernel = noise(3, 3, 2, 5, dtype="float32")
        whole, half = (tf.size(part.prepare(kernel)) for part in (convolution, compact))
        assert int(whole) == 2 * int(half)
    direct = DirectConvolution(4, 6, 3)
    assert direct.for_steps(1) is direct


@every_convolution
@pytest.mark.parametrize("compiled", [False, True])
def test_recomputed_gradients_are_the_kept_ones(kind, compiled):
    inputs, cotangent = noise(4, 2, 4, 6, CHANNELS), noise(4, 2, 4, 6, CHANNELS, seed=1)
    results = []
    for recompute in (False, True):
        layer = conv_lstm(2, dilation=2, kind=kind, recompute=recompute)

        def outputs_and_gradients(layer=layer):
            return [layer(inputs), *gradients(layer, layer, inputs, cotangent)]

        function = (
            tf.function(outputs_and_gradients, autograph=False)
            if compiled
            else outputs_and_gradients
        )
        results.append(function())
    for kept, recomputed in zip(*results, strict=True):
        np.testing.assert_allclose(recomputed, kept, rtol=0.0, atol=1e-12)


@every_convolution
@pytest.mark.parametrize("num_layers", [1, 2, 3])
@pytest.mark.parametrize("dilation", [1, 2])
def test_gradient_of_a_step_reaches_it_and_the_steps_before_only(num_layers, dilation, kind):
    layer = conv_lstm(num_layers, dilation=dilation, kind=kind)
    inputs = noise(5, 2, 4, 3, CHANNELS)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(inputs)
        sums = tf.unstack(tf.reduce_sum(layer(inputs), axis=[1, 2, 3, 4]))
    dependence = np.array(
        [np.sum(np.abs(tape.gradient(step_sum, inputs)), axis=(1, 2, 3, 4)) for step_sum in sums]
    )
    np.testing.assert_array_equal(np.triu(dependence, 1), 0.0)
    assert np.all(dependence[np.tril_indices(5)] > 0.0)


@every_convolution
@pytest.mark.parametrize("num_layers", [1, 3])
def test_output_does_not_change_with_later_inputs(num_layers, kind):
    layer = conv_lstm(num_layers, kind=kind)
    inputs = noise(5, 1, 4, 3, CHANNELS)
    changed = tf.concat([inputs[:3], inputs[3:] + 1.0], axis=0)
    difference = np.max(np.abs(layer(inputs) - layer(changed)), axis=(1, 2, 3, 4))
    np.testing.assert_array_equal(difference[:3], 0.0)
    assert np.all(difference[3:] > 0.0)


@every_convolution
def test_images_of_a_batch_do_not_meet(kind):
    layer = conv_lstm(2, dilation=2, kind=kind)
    inputs = noise(3, 3, 5, 7, CHANNELS)
    outputs = layer(inputs)
    for image in range(3):
        alone = layer(inputs[:, image : image + 1])
        np.testing.assert_allclose(outputs[:, image : image + 1], alone, rtol=0.0, atol=1e-12)


@every_convolution
@pytest.mark.parametrize(("num_layers", "num_steps"), [(2, 5), (3, 2), (1, 1)])
@pytest.mark.parametrize(("dilation", "shape"), [(1, (4, 6)), (2, (4, 6)), (2, (5, 7))])
def test_a_graph_of_unknown_batch_size_computes_the_same(
    num_layers, num_steps, dilation, shape, kind
):
    layer = conv_lstm(num_layers, dilation=dilation, kind=kind)
    signature = tf.TensorSpec([num_steps, None, *shape, CHANNELS], tf.float64)

    @tf.function(autograph=False, input_signature=[signature, signature])
    def outputs_and_gradients(inputs, cotangent):
        return layer(inputs), gradients(layer, layer, inputs, cotangent)

    for batch in (1, 3):
        inputs = noise(num_steps, batch, *shape, CHANNELS)
        cotangent = noise(*inputs.shape, seed=1)
        outputs, actual = outputs_and_gradients(inputs, cotangent)
        np.testing.assert_allclose(outputs, layer(inputs), rtol=0.0, atol=1e-12)
        expected = gradients(layer, layer, inputs, cotangent)
        for one, other in zip(actual, expected, strict=True):
            np.testing.assert_allclose(one, other, rtol=0.0, atol=1e-10)


@pytest.mark.parametrize("channels", [8, 32])
def test_weights_start_uniform_within_one_over_the_root_of_the_channels(channels):
    layer = ConvLSTM(channels, 2, 3, seed=0)
    layer.build()
    limit = channels**-0.5
    weights = [*layer.input_kernels, *layer.recurrent_kernels]
    weights.append(tf.concat([tf.convert_to_tensor(bias) for bias in layer.biases], axis=0))
    for weight in weights:
        values = np.asarray(weight)
        assert np.max(np.abs(values)) <= limit
        assert np.min(values) < -0.9 * limit
        assert np.max(values) > 0.9 * limit
    for kernel in weights[:-1]:
        # The standard deviation of a uniform distribution; the error of its estimate is < 2 %.
        assert np.std(kernel) == pytest.approx(limit / np.sqrt(3.0), rel=0.05)
    assert [weight.shape for weight in layer.trainable_weights] == 2 * [
        (3, 3, channels, 4 * channels), (3, 3, channels, 4 * channels), (4 * channels,),
    ]  # fmt: skip


def test_same_seed_same_weights_and_no_two_weights_alike():
    first, again, other = (conv_lstm(2, seed=seed).get_weights() for seed in (1, 1, 2))
    for one, same, different in zip(first, again, other, strict=True):
        np.testing.assert_array_equal(one, same)
        assert np.all(one != different)
    leading_entries = [weight.flat[0] for weight in first]
    assert len(set(leading_entries)) == len(leading_entries) == 6


@pytest.mark.parametrize("size", [1, 3, 5])
@pytest.mark.parametrize("dilation", [1, 2, 3])
@pytest.mark.parametrize("shape", [(4, 6), (6, 3), (5, 7), (1, 2)])
def test_convolve_is_tensorflows_dilated_convolution(size, dilation, shape):
    maps, kernel = noise(2, *shape, 3), noise(size, size, 3, 4, seed=1)
    outputs = convolve(maps, kernel, dilation)
    expected = library_dilated(maps, kernel, dilation)
    np.testing.assert_allclose(outputs, expected, rtol=0.0, atol=1e-12)
    expected = reference_networks.convolution(maps, kernel, dilation=dilation)
    np.testing.assert_allclose(outputs, expected, rtol=0.0, atol=1e-12)


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-4), ("float64", 1e-12)])
@pytest.mark.parametrize("size", [3, 5])
@pytest.mark.parametrize("dilation", [1, 2])
@pytest.mark.parametrize("shape", [(4, 6), (5, 7), (5, 6)])
def test_gradients_of_convolve_by_hand_and_by_autodiff(size, dilation, shape, dtype, tolerance):
    maps, kernel = noise(2, *shape, 3, dtype=dtype), noise(size, size, 3, 4, seed=1, dtype=dtype)
    cotangent = noise(2, *shape, 4, seed=2, dtype=dtype)
    by_hand = (
        convolve(cotangent, transposed_kernel(kernel), dilation),
        kernel_gradient(maps, cotangent, [size, size, 3, 4], dilation),
    )
    for function in (convolve, reference_networks.convolution):
        with tf.GradientTape() as tape:
            tape.watch([maps, kernel])
            loss = tf.reduce_sum(function(maps, kernel, dilation=dilation) * cotangent)
        for actual, expected in zip(by_hand, tape.gradient(loss, [maps, kernel]), strict=True):
            np.testing.assert_allclose(actual, expected, rtol=0.0, atol=tolerance)


@pytest.mark.parametrize("dilation", [1, 2, 3])
def test_phases_are_the_strided_images_and_merge_again(dilation):
    maps = noise(2, 2 * dilation, 3 * dilation, 2)
    phases = split_phases(maps, dilation)
    expected = [
        image[row::dilation, column::dilation]
        for image in maps.numpy()
        for row in range(dilation)
        for column in range(dilation)
    ]
    np.testing.assert_array_equal(phases, expected)
    np.testing.assert_array_equal(merge_phases(phases, dilation), maps)
