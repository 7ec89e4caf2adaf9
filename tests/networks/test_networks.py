"""The layers inside couplings and priors, against plain ones."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.small_models import greatest_difference, random_images, randomize
from tf_marscf import reference, reference_networks
from tf_marscf.kernels.batch_parts import on_nonempty_batch
from tf_marscf.kernels.convolution import convolve
from tf_marscf.networks.affine_coupling_network import AffineCouplingNetwork
from tf_marscf.networks.gated_layers import (
    GatedAttention,
    GatedConv,
    concat_elu,
    dropout_mask,
    gated_linear,
    position_codes,
    spatial_dropout,
)
from tf_marscf.networks.glow_layers import ActNormLayer, ZeroInitConv2D
from tf_marscf.networks.initializers import fan_in_uniform, spawn_seeds, symmetric_uniform
from tf_marscf.networks.keras_module import KerasModule
from tf_marscf.networks.mar_prior_network import MarPriorNetwork
from tf_marscf.networks.mix_log_cdf_network import GatedBlock, MixLogCdfNetwork
from tf_marscf.networks.normalization import WeightNormConv2D, WeightNormDense
from tf_marscf.stateless_seed import split_seed

DROPOUT_SEEDS = [None, (1, 2)]


def normal(*shape, seed=0, scale=1.0):
    return tf.random.stateless_normal(shape, [seed, 5], 0.0, scale, tf.float64)


def built(layer, input_channels, scale=0.3):
    """The layer with weights for so many channels, all of them noisy."""
    layer.build((None, None, None, input_channels))
    return randomize(layer, scale=scale)


def assert_close(actual, expected, tolerance=1e-11):
    np.testing.assert_allclose(actual, expected, rtol=tolerance, atol=tolerance)


# ActNorm, and the convolution that starts as zero.


def test_act_norm_layer_starts_as_the_identity_and_shifts_before_it_scales():
    layer = ActNormLayer(dtype="float64")
    layer.build((None, None, None, 3))
    maps = normal(2, 4, 3, 3)
    np.testing.assert_array_equal(layer(maps), maps)
    randomize(layer)
    expected = (maps + layer.bias.numpy()) * np.exp(layer.log_scale.numpy())
    assert_close(layer(maps), expected)


@pytest.mark.parametrize("shape", [(64, 3), (8, 4, 5, 3)])
def test_act_norm_layer_initialize_gives_zero_mean_and_unit_variance(shape):
    layer = ActNormLayer(dtype="float64")
    layer.build(shape)
    maps = 3.0 + normal(*shape) * [0.5, 2.0, 40.0]
    layer.initialize(maps)
    outputs = layer(maps).numpy().reshape(-1, 3)
    np.testing.assert_allclose(np.mean(outputs, axis=0), 0.0, atol=1e-12)
    np.testing.assert_allclose(np.std(outputs, axis=0), 1.0, atol=1e-5)


def test_act_norm_layer_adds_1e_6_to_the_standard_deviation():
    layer = ActNormLayer(dtype="float64")
    layer.build((None, 3))
    maps = 2.0 + np.array([[-3e-6, -1.0, 0.0], [3e-6, 1.0, 0.0]])
    layer.initialize(tf.constant(maps))
    np.testing.assert_allclose(layer.bias, -2.0)
    # Of a constant, nothing is known of the scale.
    expected = [-np.log(3e-6 + 1e-6), -np.log(1.0 + 1e-6), 0.0]
    np.testing.assert_allclose(layer.log_scale, expected, rtol=1e-9)


def test_zero_init_conv2d_starts_as_zero():
    layer = ZeroInitConv2D(4, dtype="float64")
    layer.build((None, None, None, 3))
    np.testing.assert_array_equal(layer(normal(2, 4, 5, 3)), np.zeros([2, 4, 5, 4]))


@pytest.mark.parametrize("kernel_size", [1, 3])
def test_zero_init_conv2d_scales_convolution_and_bias_by_exp_3_log_scale(kernel_size):
    layer = built(ZeroInitConv2D(4, kernel_size, dtype="float64"), 3)
    maps = normal(2, 4, 5, 3)
    assert layer.kernel.shape == (kernel_size, kernel_size, 3, 4)
    assert_close(layer(maps), reference_networks.zero_convolution(layer, maps))


# Weight normalisation.


@pytest.mark.parametrize("use_bias", [True, False])
@pytest.mark.parametrize("kernel_size", [1, 3])
def test_weight_norm_conv2d_is_a_convolution_with_gain_times_direction(kernel_size, use_bias):
    layer = built(WeightNormConv2D(4, kernel_size, use_bias=use_bias, dtype="float64"), 3)
    maps = normal(2, 4, 5, 3)
    bias = layer.bias if use_bias else 0.0
    assert len(layer.trainable_weights) == 2 + use_bias
    assert_close(
        layer(maps),
        reference_networks.convolution(maps, reference_networks.weight_norm(layer), bias),
    )


@pytest.mark.parametrize("use_bias", [True, False])
def test_weight_norm_dense_is_a_linear_map_with_gain_times_direction(use_bias):
    layer = built(WeightNormDense(4, use_bias=use_bias, dtype="float64"), 3)
    inputs = normal(2, 5, 3)
    bias = layer.bias if use_bias else 0.0
    assert len(layer.trainable_weights) == 2 + use_bias
    assert_close(layer(inputs), inputs @ reference_networks.weight_norm(layer) + bias)


@pytest.mark.parametrize("initial_scale", [1.0, 0.25])
@pytest.mark.parametrize(
    "make_layer",
    [lambda **kwargs: WeightNormConv2D(16, 3, **kwargs), lambda **kw: WeightNormDense(16, **kw)],
    ids=["conv", "dense"],
)
def test_weight_norm_gain_starts_as_the_norm_times_the_initial_scale(make_layer, initial_scale):
    layer = make_layer(initial_scale=initial_scale, seed=1, dtype="float64")
    layer.build((None, None, None, 32))
    direction = layer.direction.numpy().reshape(-1, 16)
    assert_close(layer.gain, initial_scale * np.linalg.norm(direction, axis=0))
    assert_close(layer.normalized_kernel(), initial_scale * layer.direction.numpy())
    limit = len(direction) ** -0.5
    assert 0.95 * limit < np.max(np.abs(direction)) <= limit
    assert 0.6 * limit * initial_scale < np.max(np.abs(layer.bias)) <= limit * initial_scale


def test_length_of_the_direction_does_not_matter():
    layer = built(WeightNormConv2D(4, 3, dtype="float64"), 3)
    maps = normal(1, 4, 4, 3)
    before = layer(maps)
    layer.direction.assign(7.0 * layer.direction)
    assert_close(layer(maps), before)


# The gated convolution.


def test_concat_elu_is_elu_of_both_signs():
    inputs = normal(2, 3, 4)
    assert_close(concat_elu(inputs), reference_networks.concat_elu(inputs))
    np.testing.assert_allclose(concat_elu(tf.constant([2.0])), [2.0, np.expm1(-2.0)], rtol=1e-6)


def test_gate_multiplies_the_first_half_by_the_sigmoid_of_the_second():
    inputs, kernel, bias = normal(2, 3, 5), normal(5, 8), normal(8)
    expected = reference_networks.gated(tf.tensordot(inputs, kernel, axes=1) + bias)
    outputs = gated_linear(
        lambda inputs, half: tf.tensordot(inputs, half, axes=1), kernel, bias, inputs
    )
    assert_close(outputs, expected)


@pytest.mark.parametrize("dropout_seed", DROPOUT_SEEDS)
def test_gated_conv_is_its_operations_in_order(dropout_seed):
    """concat-ELU, conv 3x3, concat-ELU, spatial dropout, conv 1x1, gate."""
    layer = built(GatedConv(4, dropout_rate=0.4, dtype="float64"), 4)
    maps = normal(2, 4, 5, 4)
    assert layer.convolution.direction.shape == (3, 3, 8, 4)
    assert layer.gate.direction.shape == (1, 1, 8, 8)
    expected = reference_networks.gated_convolution(
        layer.convolution, layer.gate, maps, lambda maps: spatial_dropout(maps, 0.4, dropout_seed)
    )
    assert_close(layer(maps, dropout_seed=dropout_seed), expected)


# The gated attention.


@pytest.mark.parametrize("num_channels", [2, 3, 4, 7, 8])
def test_position_codes_are_sines_then_cosines_of_timescales_1_to_1e4(num_channels):
    codes = position_codes(30, num_channels)
    half = num_channels // 2
    timescales = np.geomspace(1.0, 1e4, half) if half > 1 else np.ones(1)
    assert codes.shape == (30, num_channels)
    for position in range(30):
        for index, timescale in enumerate(timescales):
            angle = position / timescale
            assert codes[position, index] == pytest.approx(np.sin(angle), abs=1e-12)
            assert codes[position, half + index] == pytest.approx(np.cos(angle), abs=1e-12)
    np.testing.assert_array_equal(codes[:, 2 * half :], 0.0)


@pytest.mark.parametrize("dropout_seed", DROPOUT_SEEDS)
def test_gated_attention_is_four_heads_of_scaled_dot_products_and_a_gate(dropout_seed):
    layer = built(GatedAttention(8, dropout_rate=0.4, dtype="float64"), 8, scale=1.0)
    maps = normal(2, 3, 4, 8)
    assert layer.num_heads == 4
    assert not layer.projection.use_bias
    kept = dropout_mask([2, 4, 12, 12], 0.4, dropout_seed)

    def dropout(weights):
        return weights if kept is None else weights * tf.cast(kept, tf.float64) / 0.6

    expected = reference_networks.gated_attention(layer.projection, layer.gate, maps, 4, dropout)
    assert_close(layer(maps, dropout_seed=dropout_seed), expected)


def test_channels_that_heads_cannot_share_are_named():
    with pytest.raises(ValueError, match="num_channels=6, num_heads=4"):
        GatedAttention(6)


# The network of the MixLogCDF coupling.


@pytest.mark.parametrize("dropout_seed", DROPOUT_SEEDS)
def test_gated_block_normalises_the_sum_after_each_part(dropout_seed):
    block = built(GatedBlock(4, 2, 0.3, dtype="float64"), 4)
    maps = normal(2, 3, 4, 4)
    seeds = split_seed(dropout_seed, 2)
    first, second = block.norms
    hidden = maps + block.convolution(maps, dropout_seed=seeds[0])
    hidden = reference_networks.layer_norm(hidden, first.gamma, first.beta)
    hidden += block.attention(hidden, dropout_seed=seeds[1])
    expected = reference_networks.layer_norm(hidden, second.gamma, second.beta)
    assert_close(block(maps, dropout_seed=dropout_seed), expected)


def test_layer_norm_adds_1e_5_to_the_variance():
    """Inputs of variance 1e-6, and parts that are zero: the epsilon rules."""
    block = GatedBlock(4, 2, 0.0, dtype="float64")
    block.build((None, None, None, 4))
    for part in (block.convolution, block.attention):
        part.gate.gain.assign(tf.zeros_like(part.gate.gain))
        part.gate.bias.assign(tf.zeros_like(part.gate.bias))
    maps = 1e-3 * np.array([1.0, -1.0, 1.0, -1.0]).reshape(1, 1, 1, 4)
    once = maps / np.sqrt(1e-6 + 1e-5)
    twice = once / np.sqrt(np.mean(once**2) + 1e-5)
    assert_close(block(tf.constant(maps)), twice)


@pytest.mark.parametrize("dropout_seed", DROPOUT_SEEDS)
def test_mix_log_cdf_network_is_convolution_blocks_convolution(dropout_seed):
    network = built(
        MixLogCdfNetwork(4, 2, num_blocks=2, num_components=3, num_heads=2, dtype="float64"), 3
    )
    maps = normal(2, 4, 5, 3)
    first, last = network.input_convolution, network.output_convolution
    hidden = reference_networks.convolution(maps, reference_networks.weight_norm(first), first.bias)
    block, stacks = network.blocks.template, network.blocks.stacked_weights
    for index, seed in enumerate(split_seed(dropout_seed, 2)):
        for variable, stack in zip(block.variables, stacks, strict=True):
            variable.assign(stack[index])
        hidden = block(hidden, dropout_seed=seed)
    outputs = reference_networks.convolution(
        hidden, reference_networks.weight_norm(last), last.bias
    )
    expected = reference_networks.mixture_parameters(outputs, network.rescale)
    for actual, parameter in zip(network(maps, dropout_seed=dropout_seed), expected, strict=True):
        assert_close(actual, parameter)
    if dropout_seed is None:
        for actual, parameter in zip(
            network(maps), reference_networks.mix_log_cdf_network(network, maps), strict=True
        ):
            assert_close(actual, parameter)


def test_mix_log_cdf_outputs_are_read_parameter_by_parameter():
    """[a, b, pi, mu, s] x c: the output channel is parameter * c + channel."""
    channels, components = 2, 3
    network = MixLogCdfNetwork(
        4, channels, num_blocks=1, num_components=components, dtype="float64"
    )
    network.build((None, None, None, 3))
    codes = np.linspace(-2.0, 3.0, channels * (2 + 3 * components))
    floored = (2 + 2 * components + 1) * channels + 1
    codes[floored] = -9.0
    network.output_convolution.gain.assign(np.zeros_like(codes))
    network.output_convolution.bias.assign(codes)
    network.rescale.assign([0.5, 3.0])
    log_scale, shift, logits, means, component_log_scales = (
        output.numpy() for output in network(normal(2, 3, 4, 3))
    )
    assert log_scale.shape == shift.shape == (2, 3, 4, channels)
    assert logits.shape == means.shape == component_log_scales.shape
    assert logits.shape == (2, 3, 4, channels, components)
    for channel in range(channels):
        expected = [0.5, 3.0][channel] * np.tanh(codes[channel])
        assert_close(log_scale[..., channel], expected)
        assert_close(shift[..., channel], codes[channels + channel])
        for component in range(components):
            index = (2 + component) * channels + channel
            assert_close(logits[..., channel, component], codes[index])
            index += components * channels
            assert_close(means[..., channel, component], codes[index])
            index += components * channels
            expected = -7.0 if index == floored else codes[index]
            assert_close(component_log_scales[..., channel, component], expected)


def test_new_mix_log_cdf_network_has_published_sizes_and_rescales_by_one():
    network = MixLogCdfNetwork(8, 2, output_initial_scale=0.1, seed=1)
    network.build((None, None, None, 2))
    assert network.blocks.num_layers == 10
    assert network.output_convolution.direction.shape == (3, 3, 8, 2 * (2 + 3 * 32))
    block = network.blocks.template
    assert block.attention.num_heads == 4
    assert block.attention.dropout_rate == block.convolution.dropout_rate == 0.2
    np.testing.assert_array_equal(network.rescale, 1.0)
    np.testing.assert_allclose(
        network.output_convolution.normalized_kernel(),
        0.1 * network.output_convolution.direction.numpy(),
        rtol=1e-5,
    )


# The network of the affine coupling.


def test_affine_coupling_network_starts_as_zero():
    network = AffineCouplingNetwork(8, 6, dtype="float64")
    network.build((None, None, None, 3))
    np.testing.assert_array_equal(network(normal(2, 4, 5, 3)), np.zeros([2, 2, 4, 5, 3]))


def test_affine_coupling_kernels_start_normal_with_deviation_0_05_and_without_bias():
    network = AffineCouplingNetwork(96, 6, seed=1)
    network.build((None, None, None, 12))
    shapes = [(3, 3, 12, 96), (1, 1, 96, 96)]
    for convolution, shape in zip(network.convolutions, shapes, strict=True):
        (kernel,) = convolution.weights
        assert kernel.shape == shape
        values = kernel.numpy() / 0.05
        error = values.size**-0.5
        assert np.mean(values) == pytest.approx(0.0, abs=4 * error)
        assert np.std(values) == pytest.approx(1.0, abs=4 * error)
        assert np.mean(values**4) == pytest.approx(3.0, abs=4 * np.sqrt(96.0) * error)


def test_affine_coupling_network_is_its_operations_in_order():
    network = built(AffineCouplingNetwork(8, 6, dtype="float64"), 3)
    maps = normal(2, 4, 5, 3)
    shift, raw_scale = network(maps)
    expected_shift, expected_raw_scale = reference_networks.affine_network(network, maps)
    assert_close(shift, expected_shift)
    assert_close(raw_scale, expected_raw_scale)
    # There is no dropout.
    np.testing.assert_array_equal(network(maps, dropout_seed=[1, 2]), network(maps))


def test_affine_coupling_network_initialize_normalises_before_each_relu():
    network = built(AffineCouplingNetwork(8, 6, dtype="float64"), 3)
    maps = 2.0 + 5.0 * normal(4, 5, 6, 3)
    outputs = network(maps, initialize=True)
    hidden = maps
    for convolution, act_norm in zip(network.convolutions, network.act_norms, strict=True):
        hidden = act_norm(convolution(hidden)).numpy()
        np.testing.assert_allclose(np.mean(hidden, axis=(0, 1, 2)), 0.0, atol=1e-10)
        np.testing.assert_allclose(np.std(hidden, axis=(0, 1, 2)), 1.0, atol=1e-4)
        hidden = np.maximum(hidden, 0.0)
    np.testing.assert_array_equal(outputs, network(maps))


# The network of the multi-scale autoregressive prior.


def mar_prior_network(num_conditional_channels=0, scale=0.3, **kwargs):
    options = {"hidden_channels": 4, "num_layers": 2, "kernel_size": 3, "seed": 1} | kwargs
    network = MarPriorNetwork(4, num_conditional_channels, dtype="float64", **options)
    network.build()
    return randomize(network, scale=scale)


@pytest.mark.parametrize("num_conditional_channels", [0, 2])
@pytest.mark.parametrize("dilation", [1, 2])
def test_mar_prior_network_is_convolution_conv_lstm_convolution(num_conditional_channels, dilation):
    """The dilation is that of the ConvLSTM only."""
    network = mar_prior_network(num_conditional_channels, dilation=dilation)
    latents = normal(2, 4, 5, 4)
    rest = normal(2, 4, 5, 2, seed=1) if num_conditional_channels else None
    outputs = network(latents, rest)
    for actual, expected in zip(outputs, reference.mar_prior(network, latents, rest), strict=True):
        assert actual.shape == latents.shape
        assert_close(actual, expected)


def test_mar_prior_network_has_published_sizes():
    network = MarPriorNetwork(6, 3, dilation=2)
    network.build()
    assert [convolution.kernel.shape for convolution in network.code_convolutions] == [
        (5, 5, 3, 32), (5, 5, 32, 4),
    ]  # fmt: skip
    assert network.input_kernel.shape == (5, 5, 1 + 4, 32)
    assert network.output_kernel.shape == (3, 3, 32, 2)
    assert [kernel.shape for kernel in network.conv_lstm.recurrent_kernels] == 3 * [(5, 5, 32, 128)]
    assert network.conv_lstm.dilation == 2


def test_first_channel_sees_zeros_whatever_the_latents():
    network = mar_prior_network()
    zeros = network(tf.zeros([1, 4, 5, 4], tf.float64))
    others = network(normal(1, 4, 5, 4))
    for at_zero, at_other in zip(zeros, others, strict=True):
        np.testing.assert_array_equal(at_other[..., 0], at_zero[..., 0])
        assert greatest_difference(at_other[..., 1], at_zero[..., 1]) > 1e-6


@pytest.mark.parametrize("num_conditional_channels", [0, 2])
@pytest.mark.parametrize("output", ["mean", "log_scale"])
def test_mean_and_log_scale_depend_on_the_latents_before_only(output, num_conditional_channels):
    network = mar_prior_network(num_conditional_channels, dilation=2)
    latents = normal(1, 4, 5, 4)
    rest = normal(1, 4, 5, 2, seed=1) if num_conditional_channels else None
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(latents)
        outputs = network(latents, rest)[["mean", "log_scale"].index(output)]
        sums = tf.unstack(tf.reduce_sum(outputs, axis=[0, 1, 2]))
    dependence = np.array(
        [np.sum(np.abs(tape.gradient(channel, latents)), axis=(0, 1, 2)) for channel in sums]
    )
    np.testing.assert_array_equal(np.triu(dependence), 0.0)
    assert np.all(dependence[np.tril_indices(4, -1)] > 0.0)


@pytest.mark.parametrize("in_graph", [False, True])
@pytest.mark.parametrize("num_conditional_channels", [0, 2])
@pytest.mark.parametrize("dilation", [1, 2])
def test_noise_is_the_standardised_latents(num_conditional_channels, dilation, in_graph):
    network = mar_prior_network(num_conditional_channels, dilation=dilation)
    noise = normal(2, 4, 5, 4)
    rest = normal(2, 4, 5, 2, seed=1) if num_conditional_channels else None
    sample = network.latents_from_noise
    latents = (tf.function(sample, autograph=False) if in_graph else sample)(noise, rest)
    mean, log_scale = network(latents, rest)
    standardised = (latents - mean) * tf.exp(-log_scale)
    np.testing.assert_allclose(standardised, noise, rtol=0.0, atol=1e-10)
    assert greatest_difference(latents, noise) > 0.1


# Dropout.


def test_dropout_without_a_seed_or_without_a_rate_is_the_identity():
    inputs = normal(2, 4, 5, 3)
    for rate, seed in ((0.5, None), (0.0, [1, 2])):
        np.testing.assert_array_equal(spatial_dropout(inputs, rate, seed), inputs)
        assert dropout_mask([2, 3], rate, seed) is None


def test_dropout_is_a_function_of_its_seed():
    inputs = normal(4, 3, 3, 16)
    outputs = spatial_dropout(inputs, 0.5, [1, 2])
    np.testing.assert_array_equal(outputs, spatial_dropout(inputs, 0.5, [1, 2]))
    in_graph = tf.function(spatial_dropout)(inputs, 0.5, tf.constant([1, 2]))
    np.testing.assert_array_equal(outputs, in_graph)
    assert greatest_difference(outputs, spatial_dropout(inputs, 0.5, [1, 3])) > 0.0


@pytest.mark.parametrize("rate", [0.2, 0.5])
def test_dropout_keeps_the_expectation(rate):
    count = 20_000
    inputs = tf.constant([[[[1.0, -2.0, 0.5, 4.0]]]], tf.float64)
    outputs = spatial_dropout(tf.repeat(inputs, count, axis=0), rate, [1, 2]).numpy()
    ratio = outputs / inputs.numpy()
    np.testing.assert_allclose(np.unique(ratio), [0.0, 1.0 / (1.0 - rate)])
    error = np.sqrt(rate / (1.0 - rate) / count)
    np.testing.assert_allclose(np.mean(ratio, axis=0), 1.0, atol=4 * error)


def test_spatial_dropout_drops_whole_channels_of_single_images():
    maps = 1.0 + tf.abs(normal(6, 4, 5, 32))
    kept = (spatial_dropout(maps, 0.5, [1, 2]) != 0.0).numpy().reshape(6, 20, 32)
    np.testing.assert_array_equal(np.all(kept, axis=1), np.any(kept, axis=1))
    share = np.mean(kept[:, 0], axis=1)
    assert np.all((0.1 < share) & (share < 0.9))
    # Each image has a mask of its own.
    assert len({image.tobytes() for image in kept[:, 0]}) == 6


def test_dropout_masks_have_entries_of_their_own():
    kept = dropout_mask([2, 10, 10, 8], 0.5, [1, 2]).numpy()
    for axis in range(4):
        assert not np.array_equal(np.all(kept, axis=axis), np.any(kept, axis=axis))


# Empty batches.


def batch_results(maps, rest):
    """What each image gives, maps and numbers, and a scalar."""
    convolved = convolve(maps, tf.ones([3, 3, 3, 5]))
    sums = tf.reduce_sum(maps, axis=[1, 2, 3])
    return convolved, {"sums": sums, "rest": rest + 1.0, "scalar": tf.constant(3.0)}


@pytest.mark.parametrize("batch", [0, 2])
@pytest.mark.parametrize("in_graph", [False, True])
def test_batches_may_be_empty(batch, in_graph):
    def function(maps, rest):
        return on_nonempty_batch(batch_results, maps, rest)

    if in_graph:
        function = tf.function(
            function, autograph=False, input_signature=2 * [tf.TensorSpec([None, 4, 6, 3])]
        )
    maps, rest = random_images(batch, 4, 6, 3), random_images(batch, 4, 6, 3, seed=1)
    convolved, others = function(maps, rest)
    assert convolved.shape == (batch, 4, 6, 5)
    np.testing.assert_allclose(
        convolved, reference_networks.convolution(maps, tf.ones([3, 3, 3, 5])), rtol=1e-4, atol=1e-5
    )
    np.testing.assert_allclose(others["sums"], np.sum(maps, axis=(1, 2, 3)), rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(others["rest"], rest + 1.0)
    assert others["scalar"] == 3.0


@pytest.mark.parametrize("batch", [0, 2])
def test_parts_that_are_none_pass_through_on_nonempty_batch(batch):
    seen = []

    def function(maps, rest):
        seen.append(rest)
        return maps

    assert on_nonempty_batch(function, tf.zeros([batch, 4, 4, 3]), None).shape[0] == batch
    assert seen == [None]


@pytest.mark.parametrize(
    "options", [None, {}, {"jit_compile": True}], ids=["eager", "graph", "xla"]
)
@pytest.mark.parametrize("num_blocks", [2, 3])
def test_recomputed_blocks_have_the_same_gradients(num_blocks, options):
    """As blocks that keep all, one operation after another."""
    maps = tf.random.stateless_normal([2, 4, 4, 3], [1, 2], dtype=tf.float64)

    def outputs_and_gradients(recompute):
        layer = MixLogCdfNetwork(
            4,
            2,
            num_blocks=num_blocks,
            num_components=3,
            recompute=recompute,
            seed=0,
            dtype="float64",
        )
        layer.build(maps.shape)

        def run():
            with tf.GradientTape() as tape:
                tape.watch(maps)
                outputs = layer(maps, dropout_seed=tf.constant([3, 4]))
                loss = tf.add_n([tf.reduce_sum(tf.sin(part)) for part in outputs])
            variables = [variable.value for variable in layer.trainable_variables]
            return [*outputs, *tape.gradient(loss, [maps, *variables])]

        if recompute and options is not None:
            run = tf.function(run, autograph=False, **options)
        return run()

    for kept, recomputed in zip(*map(outputs_and_gradients, (False, True)), strict=True):
        np.testing.assert_allclose(recomputed, kept, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("recompute", [False, True])
def test_a_loop_of_recomputed_blocks_keeps_its_inputs_only(recompute):
    """No iteration keeps anything of its own; the maps between blocks are written by the loop."""
    layer = MixLogCdfNetwork(4, 2, num_blocks=3, num_components=3, recompute=recompute)
    layer.build((None, 4, 4, 3))

    @tf.function(autograph=False)
    def gradient(maps):
        with tf.GradientTape() as tape:
            tape.watch(maps)
            loss = tf.add_n([tf.reduce_sum(part) for part in layer(maps)])
        return tape.gradient(loss, maps)

    graph = gradient.get_concrete_function(tf.TensorSpec([2, 4, 4, 3])).graph
    num_kept = 0
    for function in graph.as_graph_def().library.function:
        operations = {node.name: node.op for node in function.node_def}
        kept = [node.input[1] for node in function.node_def if node.op == "TensorListPushBack"]
        kept = [operations.get(name.split(":")[0], "") for name in kept]
        # Lengths and shapes of lists are numbers.
        num_kept += sum(op not in ("TensorListLength", "TensorListElementShape") for op in kept)
    inputs_and_index = len(layer.blocks.stacked_weights) + 2
    assert num_kept == 0 if recompute else num_kept > 2 * inputs_and_index


# Weights and seeds.


@pytest.mark.parametrize(
    ("make_layer", "build_arguments"),
    [
        (lambda: AffineCouplingNetwork(4, 6), [(None, None, None, 3)]),
        (lambda: MixLogCdfNetwork(4, 2, num_blocks=2, num_components=3), [(None, 4, 4, 3)]),
        (lambda: MarPriorNetwork(3, 2, hidden_channels=4), []),
    ],
    ids=["affine", "mixlogcdf", "mar"],
)
def test_keras_module_lists_every_weight_of_its_layer(make_layer, build_arguments):
    layer = make_layer()
    module = KerasModule(layer, *build_arguments)
    assert module.layer is layer
    assert layer.built
    weights = {id(weight.value) for weight in layer.trainable_weights}
    assert len(weights) > 8
    assert {id(variable) for variable in module.trainable_variables} == weights
    assert len(module.trainable_variables) == len(weights)

    class Owner(tf.Module):
        def __init__(self):
            super().__init__()
            self.network = module

    assert {id(variable) for variable in Owner().trainable_variables} == weights


def test_keras_module_calls_its_layer_and_leaves_a_built_one_alone():
    layer = keras.layers.Dense(2)
    layer.build((None, 3))
    before = layer.get_weights()
    module = KerasModule(layer, (None, 3))
    for value, variable in zip(before, module.layer_variables, strict=True):
        np.testing.assert_array_equal(variable, value)
    inputs = tf.ones([4, 3])
    np.testing.assert_array_equal(module(inputs), layer(inputs))
    assert module.name == layer.name


def test_spawned_seeds_are_distinct_and_determined_by_the_seed():
    seeds = spawn_seeds(3, 100)
    assert seeds == spawn_seeds(3, 100)
    assert len(set(seeds)) == 100
    assert not set(seeds) & set(spawn_seeds(4, 100))
    assert all(type(seed) is int and 0 <= seed < 2**31 for seed in seeds)
    assert spawn_seeds(None, 4) != spawn_seeds(None, 4)


@pytest.mark.parametrize(
    "make_layer",
    [
        lambda seed: AffineCouplingNetwork(4, 6, seed=seed),
        lambda seed: MixLogCdfNetwork(4, 2, num_blocks=2, num_components=3, seed=seed),
        lambda seed: MarPriorNetwork(3, 3, hidden_channels=4, seed=seed),
    ],
    ids=["affine", "mixlogcdf", "mar"],
)
def test_same_seed_same_weights(make_layer):
    def weights(seed):
        layer = make_layer(seed)
        layer.build((None, 4, 4, 3))
        return [weight.numpy() for weight in layer.trainable_weights]

    differs = []
    for first, again, other in zip(weights(1), weights(1), weights(2), strict=True):
        np.testing.assert_array_equal(first, again)
        differs.append(not np.array_equal(first, other))
        # Constants are the weights that no seed changes.
        assert differs[-1] or np.ptp(first) == 0.0
    assert any(differs)


def test_initializers_are_uniform_within_their_limits():
    kernel = np.asarray(fan_in_uniform(1)((3, 3, 16, 32), "float64"))
    assert 0.99 / 12.0 < np.max(np.abs(kernel)) <= 1.0 / 12.0
    bias = np.asarray(symmetric_uniform(0.25, 1)((4000,), "float64"))
    assert 0.99 * 0.25 < np.max(np.abs(bias)) <= 0.25
    for values in (kernel / (1.0 / 12.0), bias / 0.25):
        assert np.mean(values) == pytest.approx(0.0, abs=0.05)
        assert np.var(values) == pytest.approx(1.0 / 3.0, abs=0.02)
