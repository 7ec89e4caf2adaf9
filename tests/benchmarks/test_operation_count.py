import math

import pytest

from tests.small_models import small_model
from tf_marscf.benchmarks.operation_count import (
    convolution_operations,
    dequantization_operations,
    flow_operations,
    log_prob_operations,
    prior_operations,
)
from tf_marscf.config import DequantizationConfig
from tf_marscf.distributions import VariationalDequantizer

BATCH_SIZE = 3


def operations_of_weights(model):
    """Each convolution's kernel meets each pixel once a pass, the ConvLSTM's once a channel."""
    total = 0
    for level in model.levels:
        prior = level.latent_prior
        height, width, num_channels = prior.event_shape
        entries = 0
        for step in level.level_bijector.bijectors[1:]:
            entries += math.prod(step.invertible_conv1x1.lower.shape)
            entries += sum(
                math.prod(variable.shape)
                for variable in step.coupling.network.layer.variables
                if variable.name.endswith(("kernel", "direction"))
            )
        network = prior.network.layer
        lstm = network.conv_lstm
        kernels = [*lstm.input_kernels, *lstm.recurrent_kernels, network.output_kernel]
        num_steps = prior.num_sampling_steps
        entries += num_steps * sum(math.prod(kernel.shape) for kernel in kernels)
        kernel = math.prod(network.input_kernel.shape)
        group_share = kernel // network.input_kernel.shape[2] * network.channels_per_step
        entries += num_steps * group_share + (kernel - group_share)
        entries += num_channels**2 if network.group_regression is not None else 0
        if network.gaussian_start is not None and network.gaussian_start.convolution is not None:
            entries += math.prod(network.gaussian_start.convolution.kernel.shape)
        entries += sum(math.prod(layer.kernel.shape) for layer in network.code_convolutions)
        total += 2 * BATCH_SIZE * height * width * entries
    return total


@pytest.mark.parametrize("image_shape", [(8, 8, 1), (8, 16, 3)])
@pytest.mark.parametrize("num_steps", [1, 2])
def test_affine_operations_follow_from_the_weights(image_shape, num_steps):
    model = small_model(image_shape, num_steps=num_steps)
    assert log_prob_operations(model.config, BATCH_SIZE) == operations_of_weights(model)


def test_operations_of_several_channels_a_step_and_of_a_gaussian_start():
    model = small_model((8, 8, 3), prior_channels_per_step=3, prior_start="gaussian")
    assert log_prob_operations(model.config, BATCH_SIZE) == operations_of_weights(model)


@pytest.mark.parametrize(
    "options",
    [{}, {"prior_num_layers": 0}, {"prior_kernel_sizes": 1}, {"prior_channels_per_step": 2}],
)
def test_operations_of_a_causal_prior_follow_from_the_weights(options):
    model = small_model((8, 8, 1), prior_network="causal", **options)
    entries = 0
    for level in model.levels:
        network, (height, width, num_channels) = (
            level.latent_prior.network.layer,
            level.latent_prior.event_shape,
        )
        layers = [*network.convolutions, network.output_convolution]
        layers += [network.conditional_convolution] if network.conditional_convolution else []
        kernels = sum(math.prod(layer.kernel.shape) for layer in layers)
        kernels += num_channels**2 if network.group_regression else 0
        entries += height * width * kernels
    assert prior_operations(model.config, BATCH_SIZE) == 2 * BATCH_SIZE * entries


def test_attention_is_all_that_a_mix_log_cdf_network_has_besides():
    model = small_model((8, 8, 1), coupling="mixlogcdf", num_blocks=2)
    attention = sum(
        2 * 2 * (2 * BATCH_SIZE * pixels * pixels * model.config.hidden_channels)
        for pixels in (4 * 4, 2 * 2)
    )
    expected = operations_of_weights(model) + attention
    assert log_prob_operations(model.config, BATCH_SIZE) == expected


def test_operations_of_noise_follow_from_the_weights():
    dequantizer = VariationalDequantizer((8, 6, 3), num_steps=2, hidden_channels=5)
    entries = 0
    for step in dequantizer.flow.bijectors[1:]:
        kernels = [v for v in step.network.layer.variables if v.name == "kernel"]
        kernels.append(step.invertible_conv1x1.lower)
        entries += sum(math.prod(kernel.shape) for kernel in kernels)
    counted = dequantization_operations(dequantizer.config, (8, 6, 3), BATCH_SIZE)
    assert counted == 2 * BATCH_SIZE * 4 * 3 * entries
    assert dequantization_operations(DequantizationConfig(), (8, 6, 3), BATCH_SIZE) == 0


def test_a_prior_without_network_has_no_operations():
    gaussian = small_model(prior="gaussian", num_levels=1)
    couplings = small_model(num_levels=1)
    prior = operations_of_weights(couplings) - log_prob_operations(gaussian.config, BATCH_SIZE)
    assert 0 < prior < operations_of_weights(couplings)


def test_classes_have_no_products():
    configs = [small_model(num_classes=number).config for number in (None, 7)]
    counts = {log_prob_operations(config, BATCH_SIZE) for config in configs}
    assert len(counts) == 1


def test_operations_of_one_convolution():
    assert convolution_operations((2, 5, 7, 3), (3, 3, 3, 4)) == 2 * 2 * 5 * 7 * 9 * 3 * 4


@pytest.mark.parametrize(
    "options", [{"prior": "gaussian"}, {"prior_network": "causal"}, {"coupling": "mixlogcdf"}]
)
def test_the_flow_does_not_depend_on_the_prior_and_both_make_the_density(options):
    config, other = small_model(**options).config, small_model().config
    flow, prior = flow_operations(config, BATCH_SIZE), prior_operations(config, BATCH_SIZE)
    assert flow + prior == log_prob_operations(config, BATCH_SIZE)
    assert (flow == flow_operations(other, BATCH_SIZE)) == ("coupling" not in options)
    assert (prior == prior_operations(other, BATCH_SIZE)) == ("coupling" in options)
